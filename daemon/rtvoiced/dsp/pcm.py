"""Milliseconds, frames and bytes; what audio is booked to; the `Card` protocol. Pure.

All audio in rtvoice is PCM, signed 16-bit little-endian, mono: one frame is
one sample of two bytes. A *block* is 10 ms everywhere, so a rate must be a
multiple of 100 Hz. `Pcm` is the only place that turns time into frames or
bytes and back, and it always rounds down:

>>> Pcm(24_000).size(10), Pcm(24_000).ms_of_frames(240)
(480, 10)

Everything in the daemon that touches sound uses this module, and so does the
embedded server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

BLOCK_MS = 10
"""Milliseconds of one block: what the audio thread reads and writes at a time."""
FRAME_BYTES = 2
"""Bytes of one frame: one sample of 16 bits, mono."""


@dataclass(frozen=True, slots=True)
class Pcm:
    """PCM at a sample rate; the only place that turns time into bytes and back."""

    hz: int
    """Frames a second."""

    def frames(self, ms: float) -> int:
        """Return how many frames last *ms* milliseconds, rounded down."""
        return int(self.hz * ms) // 1000

    def size(self, ms: float) -> int:
        """Return how many bytes last *ms* milliseconds: whole frames, rounded down."""
        return self.frames(ms) * FRAME_BYTES

    def ms_of_frames(self, frames: int) -> int:
        """Return how long *frames* last, in milliseconds, rounded down.

        Rounded down because the server rejects a truncation past the end of
        the audio (``conversation.item.truncate``, ``audio_end_ms``).
        """
        return frames * 1000 // self.hz

    def duration_ms(self, size: int) -> int:
        """Return how long *size* bytes last, in milliseconds, rounded down."""
        return self.ms_of_frames(size // FRAME_BYTES)

    @property
    def block(self) -> int:
        """How many frames one block of 10 ms has."""
        return self.frames(BLOCK_MS)

    def silence(self, ms: float) -> bytes:
        """Return *ms* milliseconds of digital silence."""
        return bytes(self.size(ms))


WIRE = Pcm(24_000)
"""The format that OpenAI-compatible servers take and send: ``audio/pcm`` at 24 kHz."""


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """Names a piece of audio: one content part of one item of one response.

    The ledger books every frame to a part, and a truncation names one.
    """

    response_id: str
    item_id: str
    content_index: int = 0


@dataclass(frozen=True, slots=True)
class OpenDevice:
    """One direction of an open card: the device, its rate and its latency."""

    name: str
    """The name as the system lists it."""
    hz: int
    """Frames a second; need not be the rate of the other direction."""
    latency_ms: float
    """What the system adds between our buffer and the converter, as the system reports it."""


class Card(Protocol):
    """A microphone and a speaker that run in lock-step: what a sound backend implements.

    Only the audio thread calls these methods, one block after the other. One
    direction may be missing (its device is None); then `read`, or `write` and
    `fill`, are never called. Once the card is lost, any method may raise
    `AudioError`, and the thread closes the card. A card that knows why a
    direction is missing also has `problems` (`Explained`, beside the audio thread).
    """

    input: OpenDevice | None
    """The microphone; None where there is none."""
    output: OpenDevice | None
    """The speaker; None where there is none."""

    def read(self) -> bytes:
        """Wait for the next block of the microphone and return it: 10 ms, s16le mono, at the input's rate."""
        ...

    def write(self, block: bytes) -> None:
        """Hand *block* to the speaker: 10 ms, s16le mono, at the output's rate."""
        ...

    def fill(self) -> int:
        """Return how many frames the speaker's buffer holds now; 0 after an underrun."""
        ...

    def close(self) -> None:
        """Give the devices back; may be called twice."""
        ...
