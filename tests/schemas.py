"""Holds every message that a test sends or receives against the contract's schemas."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from rtvoice.ipc.schema import generate

Message = dict[str, Any]


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


def check_reply(request: Message | None, reply: Message, *, invented: bool = False) -> None:
    """See that the reply to a *request* (None: unknown) is as its schema says.

    A request that the daemon carried out has to be a right one, too. An
    *invented* reply's data are a test's own: only the envelope is the daemon's.
    """
    if not reply["ok"]:
        _check("refusal", reply)
    elif invented or request is None:
        # Of no reply's data less is required.
        _check("reply.reload", {**reply, "data": {"changed": [], "restart": []}})
        assert isinstance(reply["data"], dict)
    else:
        _check(f"request.{request['command']}", request)
        _check(f"reply.{request['command']}", reply)
        for event in reply["data"]["events"] if request["command"] == "replay" else []:
            check_event(None, event)


def check_rtctl(command: str, printed: str) -> Message:
    """See that what ``rtctl --json`` printed is an error, or the command's data; return it."""
    message: Message = json.loads(printed)
    if message.get("ok") is False:
        _check("rtctl.error", message)
    else:
        envelope = {"v": 1, "id": None, "ok": True, "run": "00000000", "seq": 0, "data": message}
        _check(f"reply.{command}", envelope)
    return message


def _check(name: str, message: Message) -> None:
    found = problems(name, message)
    assert found == [], f"{name}: {found}\n{json.dumps(message)[:2000]}"


@cache
def _validators() -> dict[str, Draft202012Validator]:
    return {name: Draft202012Validator(schema) for name, schema in generate().items()}
