"""A whole daemon keeps the contract: it carries out every command, and answers as the schemas say."""

from __future__ import annotations

from typing import Any

from rtvoice.ipc.commands import COMMANDS
from running import Running, room

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
