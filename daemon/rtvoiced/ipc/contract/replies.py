"""The data of the replies of the IPC contract (docs/ipc.md), one dataclass each command; fields may nest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from rtvoiced import vocabulary
from rtvoiced.vocabulary import Applied, Direction, EchoMode, EchoState, PhaseWord, Policy, Role


class Reply(Protocol):
    """One of the dataclasses below."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


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


@dataclass(frozen=True, slots=True)
class MuteReply:
    """The microphone, after the command."""

    muted: bool
    until: float | None
    changed: bool


@dataclass(frozen=True, slots=True)
class VolumeReply:
    """The volume, after the command."""

    percent: int


@dataclass(frozen=True, slots=True)
class InterruptReply:
    """What was cut."""

    interrupted: bool
    item_id: str | None
    played_ms: int
    dropped_ms: int


@dataclass(frozen=True, slots=True)
class QueuedReply:
    """`say` and `ask`: how many wait, this one included, when it could not begin at once."""

    accepted: bool
    queued: int


@dataclass(frozen=True, slots=True)
class TalkReply:
    """Push-to-talk, after the command."""

    push_to_talk: bool
    """It is pressed."""
    changed: bool
    held_ms: int
    """How long it is, or was, pressed."""


@dataclass(frozen=True, slots=True)
class AcceptedReply:
    """`reconnect` and `stop`."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class SetVoiceReply:
    """When the voice is heard: ``now`` or ``next_session``."""

    voice: str
    applied: Applied


@dataclass(frozen=True, slots=True)
class SetReply:
    """The value in force, and when: ``now`` or ``next_session``."""

    key: str
    value: str | float | bool | None
    applied: Applied


@dataclass(frozen=True, slots=True)
class GetReply:
    """The value in force and where it came from."""

    key: str
    value: str | float | bool | dict[str, str] | None
    origin: str


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device that there is."""

    name: str
    input: bool
    output: bool
    default_input: bool
    default_output: bool


@dataclass(frozen=True, slots=True)
class DevicesReply:
    """What there is, and what was asked for; empty: the system's default."""

    devices: list[ListedDevice]
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class SetDeviceReply:
    """The device that will be opened."""

    direction: Direction
    name: str


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One message."""

    item_id: str
    role: Role
    text: str
    heard: str | None
    """Of an answer: the words that were played; None while it still sounds."""


@dataclass(frozen=True, slots=True)
class HistoryReply:
    """The newest messages, oldest first; *more*: there are older ones."""

    items: list[HistoryItem]
    more: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; None while nothing was measured."""

    n: int
    p50: float | None
    p95: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long things took since the start."""

    onset_to_decision: Latency
    decision_to_silence: Latency
    speech_end_to_first_sound: Latency
    first_delta_to_sound: Latency
    mic_to_wire: Latency


@dataclass(frozen=True, slots=True)
class AudioStats:
    """The audio thread's counters."""

    underruns: int
    overruns: int
    late_rounds: int
    dropped_input_ms: int
    target_fill_ms: int


@dataclass(frozen=True, slots=True)
class LinkStats:
    """The link's counters."""

    reconnects: int
    stale_audio_dropped_ms: int


@dataclass(frozen=True, slots=True)
class IpcStats:
    """The sockets' counters."""

    commands: int
    bad_requests: int
    expired: int
    events: int
    subscribers_peak: int


@dataclass(frozen=True, slots=True)
class StatsReply:
    """Counters and latencies since *since*, Unix seconds."""

    since: float
    turns: int
    interrupts: int
    deleted_items: int
    truncates: int
    resumes: int
    false_holds: int
    echo_rejections: int
    latency_ms: Latencies
    audio: AudioStats
    link: LinkStats
    ipc: IpcStats


@dataclass(frozen=True, slots=True)
class ReplayReply:
    """Whole events, oldest first; *more*: ask again after the last one's ``seq``."""

    events: list[dict[str, Any]]
    more: bool


@dataclass(frozen=True, slots=True)
class ReloadReply:
    """Keys whose values changed, and those among them that need a restart."""

    changed: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)


REPLIES: dict[str, type[Any]] = {
    "hello": HelloReply,
    "status": StatusReply,
    "snapshot": StatusReply,
    "mute": MuteReply,
    "volume": VolumeReply,
    "interrupt": InterruptReply,
    "say": QueuedReply,
    "ask": QueuedReply,
    "talk": TalkReply,
    "reconnect": AcceptedReply,
    "set-voice": SetVoiceReply,
    "set": SetReply,
    "get": GetReply,
    "devices": DevicesReply,
    "set-device": SetDeviceReply,
    "history": HistoryReply,
    "stats": StatsReply,
    "replay": ReplayReply,
    "reload": ReloadReply,
    "stop": AcceptedReply,
}
"""The reply's data by command."""
