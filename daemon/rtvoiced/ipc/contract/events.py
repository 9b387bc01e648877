"""The events of the IPC contract (docs/ipc.md), declared once each: the fields are the event's ``data``.

The conversation, the audio and the daemon make them and hand them to
`rtvoiced.ipc.server.publisher`, which numbers the counted ones. Subscribers
are told everything by name, so a name never changes and fields are only ever
added. A new event is declared here and named in `IpcEvent`.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from rtvoiced.ipc.contract.declaration import Bounds, EventDeclaration, event, events_of
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

NOT_NEGATIVE = Bounds(least=0)


@event("welcome", counted=False, when="uncounted; answers a new subscription, see below")
class Welcome:
    """Answers a new subscription; uncounted."""

    subscription: str
    protocol: int


@event(
    "state",
    data_row="{conversation}, {muted} and {push_to_talk} (booleans), {connection.name}, {input.name}, "
    "{output.name} (words as below), {voice}, {provider}",
    when="one of these changed; all of them are in it",
)
class State:
    """The daemon in one word each; published at each change of one of them."""

    conversation: PhaseWord
    muted: bool
    push_to_talk: bool
    connection: ConnectionStatus
    input: DeviceStatus
    output: DeviceStatus
    voice: str
    provider: str


@event(
    "connection",
    data_row="{status}, {reason}, {attempt}, {retry_in_s}, {session_id}, {expires_at} (Unix seconds), "
    "{request}",
    when="the link to the server changed. `lost`: tried again by itself; `failed`: somebody has to act",
)
class Connection:
    """The link to the server changed."""

    status: ConnectionStatus
    reason: str | None = None
    attempt: int = 0
    retry_in_s: float | None = None
    session_id: str | None = None
    expires_at: float | None = None
    request: str | None = None


@event("device", when="a microphone or speaker came or went")
class Device:
    """A microphone or a speaker changed."""

    direction: Direction
    name: str | None
    status: DeviceStatus
    rate_hz: int | None = None
    latency_ms: float | None = None


@event("speech_started", when="the user starts to speak; by hand there is no item yet")
class SpeechStarted:
    """The user starts to speak."""

    item_id: str | None
    audio_start_ms: int | None
    source: SpeechSource


@event("speech_stopped", data_row="{item_id}, {audio_end_ms}, {source.name}, {reason}")
class SpeechStopped:
    """The user's utterance is over."""

    item_id: str | None
    audio_end_ms: int | None
    source: SpeechSource
    reason: SpeechEnd


@event("delta")
class Delta:
    """A piece of what the assistant says."""

    response_id: str
    item_id: str
    text: str


@event("audio_delta", when="so much of its audio arrived; never the audio itself")
class AudioArrived:
    """Assistant audio arrived: how much, never the audio itself."""

    response_id: str
    item_id: str
    bytes: int
    ms: int


@event(
    "playback",
    when="what the listener hears; `resumed`: the position from which on, 200 ms before the held one",
)
class Playback:
    """What the listener hears."""

    item_id: str
    status: PlaybackStatus
    played_ms: Annotated[int, NOT_NEGATIVE]


@event("interrupt", when="audio was cut, in this very turn of the daemon's loop. Nothing cut, no event")
class Interrupt:
    """Audio was cut; published in the same turn as the cut."""

    cause: Cause
    response_id: str
    item_id: str
    played_ms: Annotated[int, NOT_NEGATIVE]
    dropped_ms: Annotated[int, NOT_NEGATIVE]
    onset_to_decision_ms: Annotated[float | None, NOT_NEGATIVE] = None
    decision_to_silence_ms: Annotated[float | None, NOT_NEGATIVE] = None
    request: str | None = None


@event("user_transcript")
class UserTranscript:
    """What the user said, as the server heard it."""

    item_id: str
    text: str
    final: bool


@event("assistant_transcript", when="what the assistant said, and the words of it that were really played")
class AssistantTranscript:
    """What the assistant said, and which words of it were really played."""

    response_id: str
    item_id: str
    text: str
    heard: str
    heard_estimated: bool
    interrupted: bool


@event(
    "response_created",
    data_row="{response_id}, {status} `in_progress`, {reason}, {usage}, {request}",
    when="an answer begins",
)
class ResponseCreated:
    """The server began an answer."""

    response_id: str
    status: str = "in_progress"
    reason: str | None = None
    usage: dict[str, Any] | None = None
    request: str | None = None


@event(
    "response_done",
    data_row="{response_id}, {status} `completed\\|cancelled\\|failed\\|incomplete`, {reason}, {usage} (as "
    "the server sent it), {request}",
    when="the server has generated all of it, or given up. **It may still sound**: the end is `playback` "
    "`drained`",
)
class ResponseDone:
    """The server has generated all of an answer, or given up; it may still be sounding."""

    response_id: str
    status: str
    reason: str | None = None
    usage: dict[str, Any] | None = None
    request: str | None = None


@event("usage", when="tokens by kind, flat: of this response, and of the run so far")
class Usage:
    """Tokens by kind, of this response and of the run."""

    response_id: str
    response: dict[str, int]
    run: dict[str, int]


@event("echo", when="the echo canceller is in another state")
class Echo:
    """The echo canceller, or what stands in for it, is in another state."""

    mode: EchoMode
    state: EchoState
    lag_ms: float | None = None
    erle_db: float | None = None
    reason: str | None = None


@event(
    "level",
    counted=False,
    data_row="{input_dbfs}, {output_dbfs}, {vad} (probability of speech; null while the daemon's own "
    "detector is off)",
    when="uncounted, at most 20 a second, and only while a subscription beginning with `level` lives",
)
class Level:
    """How loud it is; uncounted, at most 20 a second, and only while somebody subscribes to it."""

    input_dbfs: float
    output_dbfs: float
    vad: Annotated[float | None, Bounds(0, 1)] = None
    """Probability of speech, where the daemon has a VAD of its own."""


@event("error", when="something went wrong that a person or a program may care about; codes as below")
class Error:
    """Something went wrong that a person or a program may care about."""

    code: str
    message: str
    retryable: bool = False
    details: dict[str, Any] = field(default_factory=dict)


@event(
    "heartbeat",
    counted=False,
    data_row="{seq}, {last}: the last `n` of every event, by name",
    when="uncounted, every second: shows what was lost at the tail, and that the daemon lives",
)
class Heartbeat:
    """Every second; uncounted. Shows losses at the tail, and that the daemon lives."""

    seq: int
    last: dict[str, int]


@event("bye", when="the daemon ends; flushed before it exits")
class Bye:
    """The daemon ends; flushed before exit."""

    reason: str


IpcEvent = (
    Welcome
    | State
    | Connection
    | Device
    | SpeechStarted
    | SpeechStopped
    | Delta
    | AudioArrived
    | Playback
    | Interrupt
    | UserTranscript
    | AssistantTranscript
    | ResponseCreated
    | ResponseDone
    | Usage
    | Echo
    | Level
    | Error
    | Heartbeat
    | Bye
)

DECLARED: dict[str, EventDeclaration] = events_of(__name__)
EVENTS: dict[str, type[Any]] = {name: each.kind for name, each in DECLARED.items()}
UNCOUNTED = frozenset(name for name, each in DECLARED.items() if not each.counted)
