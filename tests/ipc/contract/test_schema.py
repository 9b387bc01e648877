"""The schemas say what the contract says, and are shipped as they are generated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rtvoiced.errors import CommandError
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.events import EVENTS, Level, Playback, Welcome
from rtvoiced.ipc.contract.protocol import event_body, parse_request, refusal_body, reply_body
from rtvoiced.ipc.contract.replies import REPLIES, ReplayReply
from rtvoiced.ipc.contract.schema import FILE, generate, schemas, text
from support.schemas import check_event, check_reply, check_rtctl, problems

ID = "c1f0c1f0c1f0c1f0"
ENVELOPE = {"run": "9f3a61c2", "seq": 7, "n": 3, "time": 1795204195.672, "mono": 81234.512}
UNKNOWN: Any = "stopped"
"""A word that the contract does not have."""


def test_what_is_shipped_is_what_the_dataclasses_say() -> None:
    assert FILE.read_text("utf-8") == text(), "run: python -m rtvoiced.ipc.contract.schema"
    assert schemas() == generate()


def test_every_message_has_a_schema_and_every_schema_is_one() -> None:
    assert set(schemas()) == {
        *(f"event.{name}" for name in EVENTS),
        *(f"request.{name}" for name in COMMANDS),
        *(f"reply.{name}" for name in COMMANDS),
        *("refusal", "rtctl.error"),
    }
    assert set(REPLIES) == set(COMMANDS)
    for schema in schemas().values():
        Draft202012Validator.check_schema(schema)


def test_everything_is_described() -> None:
    undescribed = [name for name, schema in schemas().items() if not schema["description"]]
    assert undescribed == []
    args = schemas()["request.set-device"]["properties"]["args"]["properties"]
    assert args["name"]["description"] == "Part of its name, exact wins; empty: the system's default."


@pytest.mark.parametrize(
    ("wire", "right"),
    [
        ({"command": "hello"}, True),
        ({"command": "hello", "v": 1, "args": None, "id": None, "expires": None}, True),
        ({"command": "interrupt", "unknown field": 1}, True),
        ({"command": "mute", "args": {"mode": "toggle", "for_s": 90}, "id": ID, "expires": 1.5}, True),
        ({"command": "set", "args": {"key": "turn.silence_ms", "value": 400}}, True),
        ({"command": "replay", "args": {"run": "9f3a61c2", "since": 0, "events": ["state"]}}, True),
        ({"command": "volume", "args": {"percent": 100}}, True),
        ({"command": "volume", "args": {"percent": 101}}, False),
        ({"command": "volume", "args": {"percent": True}}, False),
        ({"command": "volume", "args": {"percent": "100"}}, False),
        ({"command": "replay", "args": {"run": "9f3a61c2", "since": 0, "events": [1]}}, False),
        ({"command": "set", "args": {"key": "turn.silence_ms", "value": None}}, False),
        ({"command": "mute", "args": {"mode": "loud"}}, False),
        ({"command": "mute", "args": {"for_s": 0}}, False),
        ({"command": "mute", "args": {"surely_not": 0}}, False),
        ({"command": "ask"}, False),
        ({"command": "ask", "args": {"text": "  "}}, False),
        ({"command": "hello", "id": "fifteen letters"}, False),
        ({"command": "hello", "v": 2}, False),
    ],
)
def test_the_schema_and_the_daemon_agree_on_a_request(wire: dict[str, Any], right: bool) -> None:
    try:
        parse_request(json.dumps(wire).encode())
        read = True
    except CommandError:
        read = False
    assert (problems(f"request.{wire['command']}", wire) == [], read) == (right, right)


def test_what_is_sent_is_described() -> None:
    welcome = json.loads(event_body(Welcome("state", 1), **ENVELOPE))
    check_event(b"state+welcome", welcome)
    check_event(b"level", json.loads(event_body(Level(-40.0, -96.0), **ENVELOPE)))
    refusal = json.loads(refusal_body(None, "9f3a61c2", 0, CommandError("busy", "later", retryable=True)))
    check_reply(None, refusal)
    reply = json.loads(reply_body(ID, "9f3a61c2", 7, ReplayReply([welcome], False)))
    check_reply({"command": "replay", "args": {"run": "9f3a61c2", "since": 0}}, reply)
    muted = {"muted": True, "until": None, "changed": False, "of a later version": 1}
    assert check_rtctl(["--json", "mute"], json.dumps(muted)) == [muted]
    assert check_rtctl(["events", "welcome"], json.dumps(welcome) + "\n") == [welcome]


def test_what_is_not_right_is_found() -> None:
    odd = json.loads(event_body(Playback("item_1", UNKNOWN, -1), **ENVELOPE | {"seq": "7"}))
    assert [each.partition(":")[0] for each in problems("event.playback", odd)] == [
        "seq",
        "data/status",
        "data/played_ms",
    ]
    with pytest.raises(AssertionError, match="'changed' is a required property"):
        check_rtctl(["unmute"], '{"muted": true, "until": null}')
