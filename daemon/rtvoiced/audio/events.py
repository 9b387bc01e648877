"""Everything that the audio side tells: of devices, of what is heard, of voices and of the echo. Pure.

The audio thread and the objects beside it make these events. The daemon's loop
takes them: most are inputs of the conversation, `MicrophoneBlock` goes to the server,
and `PlaybackMoved` says that `PlaybackQueue.reports` has events to fetch. They know
nothing of the conversation, nor of the IPC, whose events are made of them elsewhere.

Times called *at* are CLOCK_MONOTONIC seconds; *played_ms* and *received_ms* are
milliseconds of a part as the server sent it, rounded down.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtvoiced.dsp.pcm import Part
from rtvoiced.vocabulary import DeviceStatus, Direction, EchoMode, EchoState


@dataclass(frozen=True, slots=True)
class MicrophoneBlock:
    """20 ms of the microphone, as the front end leaves them."""

    pcm: bytes
    """s16le mono at *hz*."""
    hz: int
    at: float
    """When its last frame was read, by the audio thread's clock."""
    echoes: bool = False
    """Whether it may hold an echo that nothing took out: the server is to get silence for it."""
    before: bytes = b""
    """Of a voice that has begun before: the audio for which the server got silence until it was known."""


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
    """How much was handed to the card, up to the end of the fade; never more than `received_ms`."""
    received_ms: int
    """How much the server had sent."""
    complete: bool
    """Whether the server had sent all of it."""


@dataclass(frozen=True, slots=True)
class CutResult:
    """What a cut left: the open parts, and the time to silence.

    A part is open until it is complete and wholly handed over. One of which
    everything that was received was played, and not all was sent, is open.
    """

    parts: tuple[PartHeard, ...]
    """The open parts, in order of play."""
    dropped_ms: int
    """How much was received and will never be heard, over all parts."""
    silence_ms: float
    """How long until silence: what the card held at the cut, and the fade."""


@dataclass(frozen=True, slots=True)
class Held:
    """Playback was held; this is where."""

    part: Part | None
    """The part that was audible and is not over; None where there is none."""
    played_ms: int
    """How much of it was handed to the card, up to the end of the fade."""
    received_ms: int
    """How much of it the server had sent."""
    silence_ms: float
    """How long until silence: what the card held, and the fade."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Playback goes on after a hold; this is where."""

    part: Part | None
    """The part that was audible; None where it has drained meanwhile, or there was none."""
    played_ms: int
    """The position that is heard first; from there to the place of the hold it is heard again."""


@dataclass(frozen=True, slots=True)
class Started:
    """The first frame of a part was handed to the card."""

    part: Part


@dataclass(frozen=True, slots=True)
class Drained:
    """A part is complete and wholly out of the card."""

    part: Part
    played_ms: int
    """The length of the whole part."""
    idle: bool
    """Whether nothing was queued or in the card any more."""


@dataclass(frozen=True, slots=True)
class PlaybackMoved:
    """`PlaybackQueue.reports` has something new; told once until it is asked."""


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """Our own VAD heard a voice begin in the cleaned microphone."""

    at: float
    """When the first frame of its first window was read."""


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """Our own VAD hears the voice no longer."""

    at: float
    """When the last frame of the voice was read: the silence that decided it is taken off."""


@dataclass(frozen=True, slots=True)
class EchoChanged:
    """The echo canceller, or what stands in for it, is in another state; never pretended."""

    mode: EchoMode
    """As it is configured."""
    state: EchoState
    """What really runs."""
    vad: bool
    """Whether our own VAD runs: only then do `VoiceStarted` and `VoiceStopped` come."""
    lag_ms: float | None = None
    """By how much the reference leads the echo in the microphone; None while not known."""
    erle_db: float | None = None
    """By how many dB the canceller makes the echo quieter (ERLE); None before anything sounded."""
    reason: str | None = None
    """Why the state is what it is, in one line for people; None where nothing is odd."""


@dataclass(frozen=True, slots=True)
class AudioCrashed:
    """The audio thread ended with a bug; the daemon ends, too."""

    error: BaseException
