"""What `status` and `hello` answer, composed of what each part knows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from rtvoiced import __version__
from rtvoiced.audio.events import DeviceChanged, EchoChanged
from rtvoiced.audio.playback.ledger import Progress
from rtvoiced.clocks import WallClock
from rtvoiced.conversation.machine import Conversation
from rtvoiced.ipc.contract import protocol
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.events import State
from rtvoiced.ipc.contract.replies import (
    DeviceStatus,
    EchoStatus,
    HelloReply,
    LastError,
    ResponseStatus,
    StatusReply,
)
from rtvoiced.vocabulary import Direction


@dataclass(slots=True)
class DaemonFacts:
    """What only the daemon's shell knows."""

    started: float
    """CLOCK_MONOTONIC seconds."""
    connection_since: float
    """Unix seconds of the last change of the connection's status."""
    since: float = 0.0
    """Unix seconds of the start."""
    devices: dict[Direction, DeviceChanged] = field(
        default_factory=lambda: {name: DeviceChanged(name, "unavailable") for name in ("input", "output")}
    )
    echo: EchoChanged = field(default_factory=lambda: EchoChanged("off", "off", False))
    last_error: LastError | None = None
    supervisor: str | None = None


def status(
    conversation: Conversation,
    facts: DaemonFacts,
    progress: Progress,
    volume_percent: int,
    subscribers: int,
    now: float,
    run: str,
    seq: int,
) -> StatusReply:
    """Return everything that is true *now*, CLOCK_MONOTONIC seconds, at event *seq* of this *run*."""
    words = conversation.state_event()
    part = progress.part or conversation.sounding
    return StatusReply(
        conversation=words.conversation,
        muted=words.muted,
        muted_until=conversation.mute.until,
        push_to_talk=words.push_to_talk,
        connection=conversation.session.connection_status(WallClock(round(facts.connection_since, 3))),
        input=_device(facts.devices["input"]),
        output=_device(facts.devices["output"]),
        response=ResponseStatus(part.response_id, part.item_id, progress.played_ms, progress.queued_ms)
        if part is not None
        else None,
        interruption=conversation.state.policy,
        echo=_echo(facts.echo),
        volume_percent=volume_percent,
        subscribers=subscribers,
        uptime_s=round(now - facts.started, 1),
        pid=os.getpid(),
        run=run,
        seq=seq,
        version=__version__,
        supervisor=facts.supervisor,
        last_error=facts.last_error,
    )


def hello(endpoints: Mapping[str, str], run: str) -> HelloReply:
    """Return who is there."""
    return HelloReply(
        protocol=[protocol.VERSION],
        version=__version__,
        capabilities=sorted(COMMANDS),
        pid=os.getpid(),
        run=run,
        endpoints=dict(endpoints),
    )


def line(words: State, reason: str | None, subscribers: int) -> str:
    """Return the daemon in one line, for the service manager; *reason* is why the connection is not up."""
    connection = f"connected to {words.provider}" if words.connection == "up" else words.connection
    parts = [f"{connection}: {reason}" if reason and words.connection != "up" else connection]
    if words.input != "open":
        parts.append(f"microphone {words.input}")
    if words.muted:
        parts.append("muted")
    if words.output != "open":
        parts.append(f"speaker {words.output}")
    parts.append(f"{subscribers} subscriber{'' if subscribers == 1 else 's'}")
    return ", ".join(parts)


def supervisor(environ: Mapping[str, str], named: str | None = None) -> str | None:
    """Return who keeps us running, for people: who was *named*, systemd, or nobody that we know of."""
    if named:
        return named
    # systemd.exec(5): set for the process that the unit itself started, and not for its children.
    return "systemd" if environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()) else None


def _echo(echo: EchoChanged) -> EchoStatus:
    lag_ms, erle_db = (None if value is None else round(value, 1) for value in (echo.lag_ms, echo.erle_db))
    return EchoStatus(echo.mode, echo.state, lag_ms, erle_db, echo.reason)


def _device(device: DeviceChanged) -> DeviceStatus:
    return DeviceStatus(device.status, device.name, device.rate_hz, device.latency_ms)
