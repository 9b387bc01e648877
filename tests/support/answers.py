"""What a small daemon answers and publishes in the tests of rtctl and of the client library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtvoiced.ipc.contract.events import Interrupt, State
from rtvoiced.ipc.contract.protocol import Request
from support.small_daemon import Answer, SmallDaemon

MUTED = {"muted": True, "until": None, "changed": True}
CUT = Interrupt("command", "resp_9", "item_8", 2310, 5160, None, 21.0)
STATUS: dict[str, Any] = {
    "conversation": "speaking",
    "muted": True,
    "muted_until": 1795204800.0,
    "push_to_talk": False,
    "connection": {
        "status": "up",
        "provider": "local",
        "model": "rtvoice-local",
        "voice": "slt",
        "session_id": "sess_1",
        "since": 1795200400.0,
        "attempt": 0,
        "expires_at": None,
        "reason": None,
    },
    "input": {"status": "open", "name": "pulse", "rate_hz": 24000, "latency_ms": 20.0},
    "output": {"status": "unavailable", "name": None, "rate_hz": None, "latency_ms": None},
    "response": {"response_id": "resp_9", "item_id": "item_8", "played_ms": 840, "queued_ms": 5160},
    "interruption": "server",
    "echo": {"mode": "auto", "state": "on", "lag_ms": 40.0, "erle_db": 38.4, "reason": None},
    "subscribers": 1,
    "uptime_s": 3600.1,
    "pid": 4242,
    "run": "9f3a61c2",
    "seq": 412,
    "version": "0.1.0",
    "supervisor": "systemd",
    "last_error": None,
}
WHOLE = {**STATUS, "volume_percent": 80}
STATE = State("listening", False, False, "up", "open", "open", "slt", "local")


def answers(daemon: Callable[[], SmallDaemon] | None = None) -> Answer:
    """Return an answer to what a follower asks."""

    def answer(request: Request) -> Any:
        match request.name:
            case "replay":
                assert daemon
                command: Any = request.command
                return daemon().publisher.replay(command.run, command.since, command.events)
            case "mute":
                return MUTED | {"of_a_newer_daemon": 1}
            case _:
                return WHOLE

    return answer
