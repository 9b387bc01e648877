"""Holds every message that a test sends or receives against the contract's schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.schema import generate

Message = dict[str, Any]

VERBS = {
    "unmute": "mute",
    **{name: name for name in ("events", "wait", "watch", "is-muted", "schema", "completions")},
}
"""What rtctl prints, where the verb is no command's name."""


def _object(**properties: Message) -> Message:
    return {"type": "object", "properties": properties, "required": list(properties)}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
OWN: dict[str, Message] = {
    "rtctl.events": {
        "oneOf": [
            _object(gap=_object(run=TEXT, since=NUMBER, until=NUMBER, names={"type": "array"})),
            _object(gone=_object(reason=TEXT)),
            _object(back=_object(run=TEXT)),
            _object(restarted=_object(run=TEXT)),
            _object(snapshot=_object(status={"type": "object"}, seq=NUMBER, run=TEXT)),
        ]
    },
    "rtctl.wait": {**generate()["event.state"]["properties"]["data"]},
    "rtctl.watch": _object(text=TEXT, tooltip=TEXT, **{"class": {}}),
    "rtctl.is-muted": _object(muted={"type": "boolean"}),
    "rtctl.schema": {"type": "object"},
    "rtctl.completions": _object(shell=TEXT, text=TEXT),
}
"""What rtctl tells by itself."""


def problems(name: str, message: object) -> list[str]:
    """Return what is wrong with *message* by the schema called *name*, as ``place: problem``."""
    return [
        f"{'/'.join(map(str, error.absolute_path)) or name}: {error.message}"
        for error in _validators()[name].iter_errors(message)
    ]


def check_event(topic: bytes | None, event: Message) -> None:
    """See that an event is as its schema says, and that its topic is its name."""
    _check(f"event.{event['event']}", event)
    name = event["event"]
    expected = f"{event['data']['subscription']}+welcome" if name == "welcome" else name
    assert topic is None or topic.decode() == expected


def check_reply(request: Message | None, reply: Message) -> None:
    """See that a reply is as its schema says: its envelope alone where the *request* is not known.

    A request that the daemon carried out has to be a right one, too.
    """
    if not reply["ok"]:
        _check("refusal", reply)
    elif request is None:
        # Of no reply's data less is required.
        _check("reply.reload", {**reply, "data": {"changed": [], "restart": []}})
        assert isinstance(reply["data"], dict)
    else:
        _check(f"request.{request['command']}", request)
        _check(f"reply.{request['command']}", reply)
        for event in reply["data"]["events"] if request["command"] == "replay" else []:
            check_event(None, event)


def check_rtctl(words: Sequence[str], printed: str) -> list[Message]:
    """See that each line that ``rtctl --json WORDS`` printed is as its schema says; return all.

    A line is an error, an event, the data of the command's reply, or what
    rtctl tells by itself; `schema` prints one object on many lines.
    """
    verb = next((VERBS.get(word, word) for word in words if word in VERBS or word in COMMANDS), "")
    messages: list[Message]
    messages = (
        [json.loads(printed)] if verb == "schema" else [json.loads(line) for line in printed.splitlines()]
    )
    for message in messages:
        if message.get("ok") is False:
            _check("rtctl.error", message)
        elif verb == "events" and "event" in message:
            check_event(None, message)
        elif verb in COMMANDS:
            envelope = {"v": 1, "id": None, "ok": True, "run": "00000000", "seq": 0, "data": message}
            _check(f"reply.{verb}", envelope)
        else:
            _check(f"rtctl.{verb}", message)
    return messages


def _check(name: str, message: Message) -> None:
    found = problems(name, message)
    assert found == [], f"{name}: {found}\n{json.dumps(message)[:2000]}"


@cache
def _validators() -> dict[str, Draft202012Validator]:
    return {name: Draft202012Validator(schema) for name, schema in (generate() | OWN).items()}
