"""The contract on the wire: what is read, what is refused, and with which code."""

from __future__ import annotations

import json
import random
from dataclasses import fields
from typing import Any

import pytest

from rtctl.client import messages
from rtvoiced.errors import STATUS_OF_CODE, CommandError
from rtvoiced.ipc.contract import commands, events
from rtvoiced.ipc.contract.commands import (
    COMMANDS,
    READS,
    Ask,
    Command,
    Hello,
    Interrupt,
    Mute,
    Reconnect,
    SetVoice,
)
from rtvoiced.ipc.contract.events import EVENTS, UNCOUNTED, Bye
from rtvoiced.ipc.contract.protocol import (
    MAX_REQUEST_BYTES,
    VERSION,
    Request,
    event_body,
    parse_request,
    refusal_body,
    reply_body,
    request_body,
    salvage_id,
)
from rtvoiced.ipc.contract.replies import MuteReply

ID = "c1f0c1f0c1f0c1f0"


def refusal_of(payload: bytes) -> CommandError:
    with pytest.raises(CommandError) as refused:
        parse_request(payload)
    return refused.value


@pytest.mark.parametrize(
    ("wire", "command"),
    [
        ({"command": "hello"}, Hello()),
        ({"command": "hello", "v": 1, "args": None, "id": None, "expires": None}, Hello()),
        ({"command": "mute"}, Mute("on", None)),
        ({"command": "mute", "args": {"mode": "toggle", "for_s": 90}}, Mute("toggle", 90)),
        ({"command": "interrupt", "unknown field": 1}, Interrupt()),
        ({"command": "ask", "args": {"text": "Wie spät ist es?"}}, Ask("Wie spät ist es?")),
        ({"command": "reconnect", "args": {"fresh": True}}, Reconnect(True)),
        ({"command": "set-voice", "args": {"voice": "slt"}}, SetVoice("slt")),
    ],
)
def test_requests_are_read(wire: dict[str, Any], command: Command) -> None:
    assert parse_request(json.dumps(wire).encode()) == Request(command)


def test_what_the_client_writes_is_what_the_daemon_reads() -> None:
    body = request_body("mute", {"mode": "off"}, ID, 81236.5)

    assert parse_request(body) == Request(Mute("off"), ID, 81236.5)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "bad_request"),
        (b"null", "bad_request"),
        (b"[]", "bad_request"),
        (b"\xff\xfe{\x00}\x00", "bad_request"),
        (b"{" * 50_000, "bad_request"),
        (b" " * (MAX_REQUEST_BYTES + 1), "bad_request"),
        (b"{}", "bad_request"),
        (b'{"command":1}', "bad_request"),
        (b'{"command":"hello","args":[]}', "bad_request"),
        (b'{"command":"hello","id":"fifteen letters"}', "bad_request"),
        (b'{"command":"hello","id":"sixteen\\u0000letters"}', "bad_request"),
        (b'{"command":"hello","id":12345678901234567}', "bad_request"),
        (b'{"command":"hello","expires":"soon"}', "bad_request"),
        (b'{"command":"hello","expires":true}', "bad_request"),
        (b'{"command":"hello","expires":NaN}', "bad_request"),
        (b'{"command":"hello","expires":1' + b"0" * 400 + b"}", "bad_request"),
        (b'{"v":0,"command":"hello"}', "unsupported_protocol"),
        (b'{"v":"1","command":"hello"}', "unsupported_protocol"),
        (b'{"v":true,"command":"hello"}', "unsupported_protocol"),
        (b'{"command":"Hello"}', "unknown_command"),
        (b'{"command":"hello","args":{"loud":true}}', "bad_args"),
        (b'{"command":"ask"}', "bad_args"),
        (b'{"command":"ask","args":{"text":"  "}}', "bad_args"),
        (b'{"command":"ask","args":{"text":null}}', "bad_args"),
        (b'{"command":"ask","args":{"text":"\\ud800"}}', "bad_args"),
        (b'{"command":"reconnect","args":{"fresh":1}}', "bad_args"),
        (b'{"command":"mute","args":{"mode":"loud"}}', "bad_args"),
        (b'{"command":"mute","args":{"for_s":0}}', "bad_args"),
        (b'{"command":"mute","args":{"for_s":-1}}', "bad_args"),
        (b'{"command":"mute","args":{"for_s":true}}', "bad_args"),
        (b'{"command":"mute","args":{"for_s":1' + b"0" * 400 + b"}}", "bad_args"),
        (b'{"command":"mute","args":{"mode":"off","for_s":1}}', "bad_args"),
    ],
)
def test_rubbish_is_refused_with_its_code(payload: bytes, code: str) -> None:
    assert refusal_of(payload).code == code


def test_every_depth_and_every_byte_is_survived() -> None:
    rng = random.Random(6)
    whole = request_body("mute", {"mode": "on", "for_s": 90.0}, ID, 1.5)
    payloads = [b'{"v":' + b"[" * depth + b"]" * depth + b"}" for depth in range(1, 1200, 7)]
    for _ in range(3000):
        spoilt = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        payloads.append(bytes(spoilt))
    for payload in payloads:
        try:
            parse_request(payload)
        except CommandError as error:
            refusal_body(salvage_id(payload), "9f3a61c2", 0, error)


def test_an_unsupported_version_is_told_the_supported_ones() -> None:
    assert refusal_of(b'{"v":2,"command":"hello"}').details == {"protocol": [1]}


def test_the_id_is_salvaged_where_it_can_be_read() -> None:
    assert salvage_id(request_body("dance", None, ID)) == ID
    assert salvage_id(b'{"id":"short"}') is None
    assert salvage_id(b"rubbish") is None


def test_replies_and_events_have_the_contracts_shape() -> None:
    error = CommandError("busy", "später", retryable=True, details={"in_s": 1})

    assert json.loads(reply_body(ID, "9f3a61c2", 413, MuteReply(True, None, True))) == {
        "v": 1,
        "id": ID,
        "ok": True,
        "run": "9f3a61c2",
        "seq": 413,
        "data": {"muted": True, "until": None, "changed": True},
    }
    assert json.loads(refusal_body(None, "9f3a61c2", 413, error)) == {
        "v": 1,
        "id": None,
        "ok": False,
        "run": "9f3a61c2",
        "seq": 413,
        "error": {"code": "busy", "message": "später", "retryable": True, "details": {"in_s": 1}},
    }
    assert json.loads(event_body(Bye("signal"), run="9f3a61c2", seq=1)) == {
        "v": 1,
        "run": "9f3a61c2",
        "seq": 1,
        "event": "bye",
        "data": {"reason": "signal"},
    }


def test_names_are_the_tables_keys() -> None:
    assert {name: each.name for name, each in commands.DECLARED.items()} == {name: name for name in COMMANDS}
    assert {name: each.name for name, each in events.DECLARED.items()} == {name: name for name in EVENTS}
    assert set(EVENTS) >= UNCOUNTED
    assert set(COMMANDS) >= READS


def test_every_command_refuses_an_arg_it_does_not_have() -> None:
    for name, kind in COMMANDS.items():
        assert "surely_not" not in {each.name for each in fields(kind)}
        assert refusal_of(request_body(name, {"surely_not": 1})).code == "bad_args"


def test_every_code_has_an_exit_status() -> None:
    assert set(STATUS_OF_CODE) == {
        *("bad_request", "unknown_command", "bad_args", "unsupported_protocol", "expired", "busy"),
        *(
            "not_connected",
            "auth_failed",
            "rate_limited",
            "audio_unavailable",
            "device_not_found",
            "not_allowed",
        ),
        *("shutting_down", "timeout", "internal", "gap_too_old"),
    }


def test_client_speaks_the_daemons_protocol() -> None:
    # rtctl keeps a number of its own, because importing the contract would cost it its start.
    assert messages.VERSION == VERSION
