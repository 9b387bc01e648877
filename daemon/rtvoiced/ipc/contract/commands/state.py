"""Commands that tell who is there and what is true now."""

from __future__ import annotations

from dataclasses import dataclass

from rtvoiced import vocabulary
from rtvoiced.ipc.contract.declaration import Alias, Switch, Verb, command
from rtvoiced.vocabulary import EchoMode, EchoState, PhaseWord, Policy


@dataclass(frozen=True, slots=True)
class HelloReply:
    """Who is there."""

    protocol: list[int]
    version: str
    capabilities: list[str]
    """The commands that there are."""
    pid: int
    run: str
    endpoints: dict[str, str]


@command(
    "hello",
    reply=HelloReply,
    reads=True,
    verb=Verb(
        "tell who is there: versions, pid, run",
        group="look",
    ),
    reply_row="{protocol} (list of versions), {version}, {capabilities} (the commands there are), {pid}, "
    "{run}, {endpoints}",
)
class Hello:
    """Who is there: versions, capabilities, endpoints."""


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """The connection, as `status` tells it."""

    status: vocabulary.ConnectionStatus
    provider: str
    model: str
    voice: str
    session_id: str | None
    since: float
    """Unix seconds of the last change."""
    attempt: int
    expires_at: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """A microphone or speaker, as `status` tells it."""

    status: vocabulary.DeviceStatus
    name: str | None
    rate_hz: int | None
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class ResponseStatus:
    """What is queued or playing."""

    response_id: str
    item_id: str
    played_ms: int
    queued_ms: int


@dataclass(frozen=True, slots=True)
class LastError:
    """The newest `error` event."""

    code: str
    message: str
    time: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class EchoStatus:
    """The echo canceller, or what stands in for it."""

    mode: EchoMode
    """As configured."""
    state: EchoState
    lag_ms: float | None
    erle_db: float | None
    reason: str | None
    """Why it is so, and what to do, where there is something to be said."""


@dataclass(frozen=True, slots=True)
class StatusReply:
    """Everything that is true now."""

    conversation: PhaseWord
    muted: bool
    muted_until: float | None
    push_to_talk: bool
    connection: ConnectionStatus
    input: DeviceStatus
    output: DeviceStatus
    response: ResponseStatus | None
    interruption: Policy
    echo: EchoStatus
    volume_percent: int
    subscribers: int
    uptime_s: float
    pid: int
    run: str
    seq: int
    version: str
    supervisor: str | None
    last_error: LastError | None


@command(
    "status",
    reply=StatusReply,
    reads=True,
    verb=Verb(
        "show everything that is true now",
        group="look",
        aliases=(
            Alias(
                "is-muted",
                "tell whether the microphone is off",
                "Tell whether the microphone is off. With `-e` or `--exit-status`, print nothing: the exit "
                "status is 0 if it is off and 1 if not.",
                switches=(Switch(("-e", "--exit-status"), "print nothing; exit status 0: muted, 1: not"),),
            ),
        ),
    ),
    reply_row="everything that is true now, as below",
)
class Status:
    """Everything that is true now."""


@command(
    "snapshot",
    reply=StatusReply,
    reads=True,
    reply_row="the same; the reply's `seq` is where the events go on",
)
class Snapshot:
    """The same as `Status`; the reply's ``seq`` is where the events go on."""


StateCommand = Hello | Status | Snapshot
