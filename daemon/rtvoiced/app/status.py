"""What `status` and `hello` answer, and the daemon in one line for the service manager.

The answer is composed of what each part knows. Most of it the conversation knows;
the devices that are open, the last error, and since when things are so, only the
shells do: `ShellStatus` keeps that, from the same events that the subscribers get.

`commands.status` calls `status` and `hello`; the heartbeat calls `line`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from rtvoiced import __version__
from rtvoiced.audio.events import EchoChanged
from rtvoiced.audio.playback.ledger import Progress
from rtvoiced.clocks import WallClock
from rtvoiced.conversation.machine import Conversation
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract import protocol
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.events import IpcEvent, State
from rtvoiced.ipc.contract.replies import (
    DeviceStatus,
    EchoStatus,
    HelloReply,
    LastError,
    ResponseStatus,
    StatusReply,
)
from rtvoiced.vocabulary import Direction


class ShellStatus:
    """What of `status` the conversation does not know; `published` keeps it up to date."""

    def __init__(self, started: float, wall: float, supervisor: str | None = None) -> None:
        """Begin at *started*, CLOCK_MONOTONIC seconds, which is *wall* in Unix seconds."""
        self.started = started
        self.since = round(wall, 3)
        """Unix seconds of the start."""
        self.connection_since = self.since
        """Unix seconds of the last change of the connection's status."""
        self.last_error: LastError | None = None
        self.supervisor = supervisor
        """Who keeps the daemon running, for people."""
        missing = DeviceStatus("unavailable", None, None, None)
        self.devices: dict[Direction, DeviceStatus] = {"input": missing, "output": missing}

    def published(self, event: IpcEvent, wall: float) -> None:
        """Remember what *event* tells, which was published at *wall*, Unix seconds."""
        match event:
            case ipc.Connection():
                self.connection_since = round(wall, 3)
            case ipc.Device(direction, name, status, rate_hz, latency_ms):
                self.devices[direction] = DeviceStatus(status, name, rate_hz, latency_ms)
            case ipc.Error(code, message):
                self.last_error = LastError(code, message, round(wall, 3))
            case _:
                pass

    def open_devices(self) -> dict[Direction, str | None]:
        """Return the names of the devices that are open."""
        return {
            direction: device.name for direction, device in self.devices.items() if device.status == "open"
        }


def status(
    conversation: Conversation,
    shells: ShellStatus,
    progress: Progress,
    echo: EchoChanged,
    *,
    volume_percent: int,
    subscribers: int,
    now: float,
    run: str,
    seq: int,
) -> StatusReply:
    """Return everything that is true *now*, CLOCK_MONOTONIC seconds, at event *seq* of this *run*."""
    state = conversation.state_event()
    part = progress.part or conversation.sounding
    return StatusReply(
        conversation=state.conversation,
        muted=state.muted,
        muted_until=conversation.mute.until,
        push_to_talk=state.push_to_talk,
        connection=conversation.session.connection_status(WallClock(shells.connection_since)),
        input=shells.devices["input"],
        output=shells.devices["output"],
        response=ResponseStatus(part.response_id, part.item_id, progress.played_ms, progress.queued_ms)
        if part is not None
        else None,
        interruption=conversation.state.policy,
        echo=_echo(echo),
        volume_percent=volume_percent,
        subscribers=subscribers,
        uptime_s=round(now - shells.started, 1),
        pid=os.getpid(),
        run=run,
        seq=seq,
        version=__version__,
        supervisor=shells.supervisor,
        last_error=shells.last_error,
    )


def hello(endpoints: Mapping[str, str], run: str) -> HelloReply:
    """Return who is there; *endpoints* holds the paths of the sockets by what they are for."""
    return HelloReply(
        protocol=[protocol.VERSION],
        version=__version__,
        capabilities=sorted(COMMANDS),
        pid=os.getpid(),
        run=run,
        endpoints=dict(endpoints),
    )


def line(state: State, reason: str | None, subscribers: int) -> str:
    """Return the daemon in one line, for the service manager; *reason* is why the connection is not up."""
    connection = f"connected to {state.provider}" if state.connection == "up" else state.connection
    parts = [f"{connection}: {reason}" if reason and state.connection != "up" else connection]
    if state.input != "open":
        parts.append(f"microphone {state.input}")
    if state.muted:
        parts.append("muted")
    if state.output != "open":
        parts.append(f"speaker {state.output}")
    parts.append(f"{subscribers} subscriber{'' if subscribers == 1 else 's'}")
    return ", ".join(parts)


def supervisor(environ: Mapping[str, str], named: str | None = None) -> str | None:
    """Return who keeps the daemon running: who was *named*, systemd, or None where nobody is known to."""
    if named:
        return named
    # systemd.exec(5): set for the process that the unit itself started, and not for its children.
    return "systemd" if environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()) else None


def _echo(echo: EchoChanged) -> EchoStatus:
    lag_ms, erle_db = (None if value is None else round(value, 1) for value in (echo.lag_ms, echo.erle_db))
    return EchoStatus(echo.mode, echo.state, lag_ms, erle_db, echo.reason)
