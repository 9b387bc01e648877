"""The events of the IPC contract (docs/ipc.md), one dataclass each: the fields are the event's ``data``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from rtvoiced.vocabulary import (
    Cause,
    ConnectionStatus,
    DeviceStatus,
    Direction,
    EchoMode,
    EchoState,
    PhaseWord,
    PlaybackStatus,
    SpeechEnd,
    SpeechSource,
)


class IpcEvent(Protocol):
    """Something that happened; its fields are the event's ``data``."""

    event: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Welcome:
    """Answers a new subscription; uncounted."""

    event: ClassVar[str] = "welcome"
    subscription: str
    protocol: int


@dataclass(frozen=True, slots=True)
class State:
    """The daemon in one word each; published at each change of one of them."""

    event: ClassVar[str] = "state"
    conversation: PhaseWord
    muted: bool
    push_to_talk: bool
    connection: ConnectionStatus
    input: DeviceStatus
    output: DeviceStatus
    voice: str
    provider: str


@dataclass(frozen=True, slots=True)
class Connection:
    """The link to the server changed."""

    event: ClassVar[str] = "connection"
    status: ConnectionStatus
    reason: str | None = None
    attempt: int = 0
    retry_in_s: float | None = None
    session_id: str | None = None
    expires_at: float | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone or a speaker changed."""

    event: ClassVar[str] = "device"
    direction: Direction
    name: str | None
    status: DeviceStatus
    rate_hz: int | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user starts to speak."""

    event: ClassVar[str] = "speech_started"
    item_id: str | None
    audio_start_ms: int | None
    source: SpeechSource


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user's utterance is over."""

    event: ClassVar[str] = "speech_stopped"
    item_id: str | None
    audio_end_ms: int | None
    source: SpeechSource
    reason: SpeechEnd


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of what the assistant says."""

    event: ClassVar[str] = "delta"
    response_id: str
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class AudioArrived:
    """Assistant audio arrived: how much, never the audio itself."""

    event: ClassVar[str] = "audio_delta"
    response_id: str
    item_id: str
    bytes: int
    ms: int


@dataclass(frozen=True, slots=True)
class Playback:
    """What the listener hears."""

    event: ClassVar[str] = "playback"
    item_id: str
    status: PlaybackStatus
    played_ms: int


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Audio was cut; published in the same turn as the cut."""

    event: ClassVar[str] = "interrupt"
    cause: Cause
    response_id: str
    item_id: str
    played_ms: int
    dropped_ms: int
    onset_to_decision_ms: float | None = None
    decision_to_silence_ms: float | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """What the user said, as the server heard it."""

    event: ClassVar[str] = "user_transcript"
    item_id: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class AssistantTranscript:
    """What the assistant said, and which words of it were really played."""

    event: ClassVar[str] = "assistant_transcript"
    response_id: str
    item_id: str
    text: str
    heard: str
    heard_estimated: bool
    interrupted: bool


@dataclass(frozen=True, slots=True)
class ResponseCreated:
    """The server began an answer."""

    event: ClassVar[str] = "response_created"
    response_id: str
    status: str = "in_progress"
    reason: str | None = None
    usage: dict[str, Any] | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """The server has generated all of an answer, or given up; it may still be sounding."""

    event: ClassVar[str] = "response_done"
    response_id: str
    status: str
    reason: str | None = None
    usage: dict[str, Any] | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens by kind, of this response and of the run."""

    event: ClassVar[str] = "usage"
    response_id: str
    response: dict[str, int]
    run: dict[str, int]


@dataclass(frozen=True, slots=True)
class Echo:
    """The echo canceller, or what stands in for it, is in another state."""

    event: ClassVar[str] = "echo"
    mode: EchoMode
    state: EchoState
    lag_ms: float | None = None
    erle_db: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """How loud it is; uncounted, at most 20 a second, and only while somebody subscribes to it."""

    event: ClassVar[str] = "level"
    input_dbfs: float
    output_dbfs: float
    vad: float | None = None
    """Probability of speech, where the daemon has a VAD of its own."""


@dataclass(frozen=True, slots=True)
class Error:
    """Something went wrong that a person or a program may care about."""

    event: ClassVar[str] = "error"
    code: str
    message: str
    retryable: bool = False
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Every second; uncounted. Shows losses at the tail, and that the daemon lives."""

    event: ClassVar[str] = "heartbeat"
    seq: int
    last: dict[str, int]


@dataclass(frozen=True, slots=True)
class Bye:
    """The daemon ends; flushed before exit."""

    event: ClassVar[str] = "bye"
    reason: str


EVENTS: dict[str, type[Any]] = {
    kind.event: kind
    for kind in (
        Welcome,
        State,
        Connection,
        Device,
        SpeechStarted,
        SpeechStopped,
        Delta,
        AudioArrived,
        Playback,
        Interrupt,
        UserTranscript,
        AssistantTranscript,
        ResponseCreated,
        ResponseDone,
        Usage,
        Echo,
        Level,
        Error,
        Heartbeat,
        Bye,
    )
}
UNCOUNTED = frozenset({"welcome", "heartbeat", "level"})
