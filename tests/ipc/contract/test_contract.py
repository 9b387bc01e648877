"""A whole daemon keeps the contract: it carries out every command, and answers as the schemas say."""

from __future__ import annotations

from typing import Any

import pytest

from rtvoiced.ipc.contract.commands import COMMANDS
from support.running import Running, room

pytestmark = pytest.mark.process

LOCAL = ("--provider", "local", "--audio", "none")
RIGHT: dict[str, dict[str, Any]] = {
    "hello": {},
    "status": {},
    "snapshot": {},
    "mute": {"mode": "toggle", "for_s": 600},
    "volume": {"percent": 50},
    "interrupt": {},
    "say": {"text": "hello", "wait": True},
    "ask": {"text": "say hello", "wait": True},
    "talk": {"action": "cancel"},
    "reconnect": {"fresh": True, "wait": True},
    "set-voice": {"voice": "kal"},
    "set": {"key": "interruption.fade_ms", "value": 10},
    "get": {"key": "interruption.fade_ms"},
    "devices": {},
    "set-device": {"direction": "output", "name": ""},
    "history": {"last": 10},
    "stats": {},
    "replay": {"run": "", "since": 0},
    "reload": {},
    "stop": {},
}
"""For each command, args that can be carried out."""

VERBS = """\
hello
status
mute --for 10m
is-muted
unmute
volume 50
interrupt
ask say hello
say --uninterruptible hello
talk press
talk cancel
reconnect --fresh
set-voice kal
set interruption.fade_ms 10
get interruption.fade_ms
devices
history
stats
reload
events --since 0 --count 5
events heartbeat --snapshot --count 1
wait connection=up
schema event.state
completions bash
""".splitlines()


def test_every_command_is_carried_out_and_answered_as_its_schema_says() -> None:
    assert set(RIGHT) == set(COMMANDS)
    with room() as here, Running(here, *LOCAL) as running:
        running.until(connection="up")
        run = running.data("hello")["run"]
        refused = {}
        # `Running` holds each reply, and each event that comes of it, against its schema.
        for command, args in RIGHT.items():
            if command == "stop":
                continue
            reply = running.request(command, **(args | {"run": run} if command == "replay" else args))
            if not reply["ok"]:
                refused[command] = reply["error"]["code"]
        # Without a card there are no devices to choose from.
        assert refused == {"set-device": "not_allowed"}
        running.stop(lambda: running.data("stop"))


def test_every_json_output_of_rtctl_is_as_its_schema_says() -> None:
    """`Room.rtctl` holds each line that is printed against its schema."""
    with room() as here, Running(here, *LOCAL) as running:
        running.until(connection="up")
        told = {verb: here.rtctl("--json", *verb.split()) for verb in VERBS}
        wrong = {
            verb: here.rtctl("--json", *verb.split())
            for verb in ("set no.key 1", "dance", "set-device input x")
        }
        running.stop(lambda: here.rtctl("--json", "stop"))
        gone = here.rtctl("--json", "status")

    assert {verb: (each.returncode, each.stderr) for verb, each in told.items()} == dict.fromkeys(
        VERBS, (0, "")
    )
    assert [(each.returncode, each.stderr) for each in wrong.values()] == [(65, ""), (2, ""), (77, "")]
    assert (gone.returncode, gone.stderr) == (69, "")
