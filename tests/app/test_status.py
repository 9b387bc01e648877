"""What `status` and `hello` answer: everything that is true now, in the words of the contract."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from rtvoiced import __version__
from rtvoiced.app import status
from rtvoiced.app.status import ShellStatus
from rtvoiced.audio.events import EchoChanged
from rtvoiced.audio.playback.ledger import Progress
from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation.inputs import Begun
from rtvoiced.conversation.machine import Conversation
from rtvoiced.dsp.pcm import Part
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.realtime.events import LinkConnecting, LinkLost, SessionConfig, SessionCreated, SessionUpdated

QUIET = Progress(None, 0, 0)


def conversation() -> Conversation:
    return Conversation(SessionConfig("slt", "Be brief."), "local", "rtvoice-local")


def shells() -> ShellStatus:
    return ShellStatus(started=100.0, wall=1_795_204_100.2004)


def told(
    talk: Conversation, known: ShellStatus, progress: Progress, volume: int, subscribers: int, now: float
) -> dict[str, Any]:
    echo = EchoChanged("off", "off", vad=False)
    given = {"volume_percent": volume, "subscribers": subscribers, "seq": 412}
    return asdict(status.status(talk, known, progress, echo, now=now, run="9f3a61c2", **given))


def test_at_the_start_nothing_is_there_and_all_is_told() -> None:
    assert told(conversation(), shells(), QUIET, 100, 0, now=100.04) == {
        "conversation": "idle",
        "muted": False,
        "muted_until": None,
        "push_to_talk": False,
        "connection": {
            "status": "connecting",
            "provider": "local",
            "model": "rtvoice-local",
            "voice": "slt",
            "session_id": None,
            "since": 1_795_204_100.2,
            "attempt": 0,
            "expires_at": None,
            "reason": None,
        },
        "input": {"status": "unavailable", "name": None, "rate_hz": None, "latency_ms": None},
        "output": {"status": "unavailable", "name": None, "rate_hz": None, "latency_ms": None},
        "response": None,
        "interruption": "server",
        "echo": {"mode": "off", "state": "off", "lag_ms": None, "erle_db": None, "reason": None},
        "volume_percent": 100,
        "subscribers": 0,
        "uptime_s": 0.0,
        "pid": os.getpid(),
        "run": "9f3a61c2",
        "seq": 412,
        "version": __version__,
        "supervisor": None,
        "last_error": None,
    }


def test_in_a_session_it_tells_the_session_the_devices_and_what_sounds() -> None:
    talk, known = conversation(), shells()
    for happened in (
        Begun(True, 60.0, WallClock(1_795_204_160.0)),
        LinkConnecting(0),
        SessionCreated("sess_1", 1_795_207_700.0, "ga"),
        SessionUpdated("sess_1", None, "awb", "toy", 24_000, 24_000),
    ):
        talk.handle(happened, Monotonic(101.0))
    for event in (
        ipc.Device("input", "pulse", "open", 24_000, 20.0),
        ipc.Connection("up", None, 0),
        ipc.Error("timeout", "late"),
    ):
        known.published(event, 1_795_204_101.0)

    now = told(talk, known, Progress(Part("resp_9", "item_8"), 840, 5160), 40, 2, now=3700.06)

    assert (now["conversation"], now["muted"], now["muted_until"]) == ("listening", True, 1_795_204_160.0)
    assert now["connection"] == {
        "status": "up",
        "provider": "local",
        "model": "toy",
        "voice": "awb",
        "session_id": "sess_1",
        "since": 1_795_204_101.0,
        "attempt": 0,
        "expires_at": 1_795_207_700.0,
        "reason": None,
    }
    assert now["input"] == {"status": "open", "name": "pulse", "rate_hz": 24_000, "latency_ms": 20.0}
    assert now["response"] == {
        "response_id": "resp_9",
        "item_id": "item_8",
        "played_ms": 840,
        "queued_ms": 5160,
    }
    assert (now["volume_percent"], now["subscribers"], now["uptime_s"]) == (40, 2, 3600.1)
    assert now["last_error"] == {"code": "timeout", "message": "late", "time": 1_795_204_101.0}
    assert json.loads(json.dumps(now)) == now


def test_a_lost_connection_says_why_and_how_often_it_was_tried() -> None:
    talk = conversation()
    talk.handle(LinkLost("connection lost", 3, 0.4), Monotonic(1.0))
    connection = told(talk, shells(), QUIET, 100, 0, now=100.0)["connection"]

    assert (connection["status"], connection["reason"], connection["attempt"]) == (
        "lost",
        "connection lost",
        3,
    )


def test_hello_lists_what_there_is() -> None:
    who = status.hello({"control": "/run/c", "events": "/run/e"}, "9f3a61c2")

    assert who.endpoints == {"control": "/run/c", "events": "/run/e"}
    assert (who.protocol, who.version, who.pid, who.run) == ([1], __version__, os.getpid(), "9f3a61c2")
    assert who.capabilities == sorted(COMMANDS)


def test_systemd_is_the_supervisor_of_the_process_that_it_started_and_of_no_child_of_it() -> None:
    assert status.supervisor({"SYSTEMD_EXEC_PID": str(os.getpid())}) == "systemd"
    assert status.supervisor({"SYSTEMD_EXEC_PID": str(os.getppid())}) is None
    assert status.supervisor({}) is None
    assert status.supervisor({}, "launchd") == "launchd"
