"""Everything that happens to the conversation; server events come as `realtime.events`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rtvoiced.audio.playback.ledger import Drained, Heard, Held, Resumed, Started
from rtvoiced.conversation.policy import DEFAULT, Rules
from rtvoiced.ipc.contract import commands
from rtvoiced.realtime.events import ServerEvent, SessionConfig


@dataclass(frozen=True, slots=True)
class Begun:
    """The daemon starts; the microphone is as it was left."""

    muted: bool = False
    for_s: float | None = None
    until: float | None = None
    """Unix seconds at which the microphone opens again, or None."""


@dataclass(frozen=True, slots=True)
class Commanded:
    """A client asks for something; *ticket* is where the reply goes."""

    ticket: int
    request: str | None
    """The id that the client chose; events that come of the command carry it."""
    command: commands.ForConversation
    until: float | None = None
    """Unix seconds at which a mute for a time ends: only the daemon has a wall clock."""
    expires: float | None = None
    """CLOCK_MONOTONIC seconds at which who waits for a reply gives up, or None."""


@dataclass(frozen=True, slots=True)
class Configure:
    """The session is to run with another configuration; *ticket* gets *reply* with ``applied`` added."""

    config: SessionConfig
    ticket: int | None = None
    reply: Mapping[str, Any] = field(default_factory=dict)
    rules: Rules = DEFAULT
    """Who may interrupt, from then on."""


@dataclass(frozen=True, slots=True)
class LinkConnecting:
    """The link tries to reach the server."""

    attempt: int


@dataclass(frozen=True, slots=True)
class LinkLost:
    """There is no session any more; the link tries again by itself."""

    reason: str
    attempt: int
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class LinkFailed:
    """There is no session, and somebody has to act before there can be one."""

    reason: str
    retry_in_s: float
    code: str = "not_connected"
    """``auth_failed`` where the server refused the key."""


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A microphone or a speaker came or went."""

    direction: str
    status: str
    name: str | None = None
    rate_hz: int | None = None
    latency_ms: float | None = None
    lost_frames: int = 0
    """Frames that were thrown away with the speaker's buffer, unheard."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Playback was cut by our effect `CutPlayback`, in the same turn of the loop."""

    heard: Heard
    cause: str
    ticket: int | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """Our own VAD heard a voice begin in the cleaned microphone."""

    at: float
    """CLOCK_MONOTONIC seconds at which the first voiced block was read."""


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """Our own VAD hears it no longer."""

    at: float
    """CLOCK_MONOTONIC seconds at which the last voiced block was read."""


@dataclass(frozen=True, slots=True)
class EchoChanged:
    """The echo canceller, or what stands in for it, is in another state; never pretended."""

    mode: str
    """As configured: ``auto``, ``on``, ``off``, ``half_duplex``, ``system``."""
    state: str
    """``off``, ``converging``, ``on``, ``half_duplex``, ``failed``."""
    vad: bool
    """Whether our own VAD runs: only then do `VoiceStarted` and `VoiceStopped` come."""
    lag_ms: float | None = None
    erle_db: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that was set by our effect `SetTimer` has run out."""

    name: str


@dataclass(frozen=True, slots=True)
class ShutdownAsked:
    """SIGTERM, SIGINT or `rtctl stop`: the same thing."""

    reason: str


Input = (
    Begun
    | Commanded
    | Configure
    | LinkConnecting
    | LinkLost
    | LinkFailed
    | DeviceChanged
    | Cut
    | Held
    | Resumed
    | Started
    | Drained
    | VoiceStarted
    | VoiceStopped
    | EchoChanged
    | TimerFired
    | ShutdownAsked
    | ServerEvent
)
