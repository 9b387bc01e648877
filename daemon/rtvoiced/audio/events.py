"""Everything that the audio side tells: of devices, of what is heard, of voices and of the echo. Pure.

The audio thread and the objects beside it make these; the daemon's loop takes
them, and most of them are inputs of the conversation. They know nothing of
the conversation, nor of the IPC, whose events are made of them elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtvoiced.dsp.pcm import Part
from rtvoiced.vocabulary import DeviceStatus, Direction, EchoMode, EchoState


@dataclass(frozen=True, slots=True)
class MicrophoneBlock:
    """20 ms of the microphone."""

    pcm: bytes
    hz: int
    at: float
    """When its last frame was read, by the thread's clock."""
    echoes: bool = False
    """The speaker sounds in it, and nothing took that out: the server is to get silence for it."""
    before: bytes = b""
    """As `Heard.before`."""


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A microphone or a speaker came or went; told once, and not at each attempt to open it."""

    direction: Direction
    status: DeviceStatus
    name: str | None = None
    """None where no device could be opened."""
    rate_hz: int | None = None
    """The rate of an open device in Hz; None of one that is not open."""
    latency_ms: float | None = None
    """As `OpenDevice.latency_ms`, rounded to 0.1 ms; None of a device that is not open."""
    lost_frames: int = 0
    """Frames that were thrown away with the speaker's buffer, unheard, at the rate of the card."""
    reason: str | None = field(default=None, compare=False)
    """Why it is not open, in one line for the log; None where it is."""


@dataclass(frozen=True, slots=True)
class PartHeard:
    """How much of a part was heard when playback was cut."""

    part: Part
    played_ms: int
    """Handed to the card up to the end of the fade, rounded down; never more than `received_ms`."""
    received_ms: int
    complete: bool
    """True once the server had sent all of it."""


@dataclass(frozen=True, slots=True)
class CutResult:
    """What a cut left: the open parts and the time to silence.

    A part is open while it is not wholly handed over, or not complete: one of
    which everything received so far was played, but not all was sent, is open.
    """

    parts: tuple[PartHeard, ...]
    """In order of play."""
    dropped_ms: int
    """Received and never to be heard."""
    silence_ms: float
    """What the card held at the cut, and the fade: how long until silence."""


@dataclass(frozen=True, slots=True)
class Held:
    """Where playback was held."""

    part: Part | None
    """The part that was audible and is not over; None when there is none."""
    played_ms: int
    """Handed to the card up to the end of the fade, rounded down."""
    received_ms: int
    silence_ms: float
    """What the card held, and the fade: how long until silence."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where playback goes on after a hold."""

    part: Part | None
    """The part that was audible, unless it has drained meanwhile or there was none."""
    played_ms: int
    """The position that is heard first; the way back to the place of the hold is heard again."""


@dataclass(frozen=True, slots=True)
class Started:
    """The first frame of a part was handed to the card."""

    part: Part


@dataclass(frozen=True, slots=True)
class Drained:
    """A part is complete and wholly out of the card."""

    part: Part
    played_ms: int
    idle: bool
    """Nothing is queued or in the card now."""


@dataclass(frozen=True, slots=True)
class PlaybackMoved:
    """`PlaybackQueue.reports` has something new."""


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

    mode: EchoMode
    """As configured: ``auto``, ``on``, ``off``, ``half_duplex``, ``system``."""
    state: EchoState
    """``off``, ``converging``, ``on``, ``half_duplex``, ``failed``."""
    vad: bool
    """Whether our own VAD runs: only then do `VoiceStarted` and `VoiceStopped` come."""
    lag_ms: float | None = None
    erle_db: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AudioCrashed:
    """The audio thread ended with a bug."""

    error: BaseException
