"""Milliseconds, frames and bytes; the `Card` protocol.

All audio in rtvoice is PCM, signed 16-bit little-endian, mono: one frame is
one sample of two bytes. A *block* is 10 ms everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

BLOCK_MS = 10
FRAME_BYTES = 2


@dataclass(frozen=True, slots=True)
class Pcm:
    """PCM at a rate; the only place that turns time into bytes and back."""

    hz: int

    def frames(self, ms: float) -> int:
        """Return how many frames last *ms* milliseconds, rounded down."""
        return int(self.hz * ms) // 1000

    def size(self, ms: float) -> int:
        """Return how many bytes last *ms* milliseconds."""
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
        """Frames of one block."""
        return self.frames(BLOCK_MS)

    def silence(self, ms: float) -> bytes:
        """Return *ms* milliseconds of digital silence."""
        return bytes(self.size(ms))


WIRE = Pcm(24_000)
"""What OpenAI-compatible servers take and send: ``audio/pcm`` at 24 kHz."""


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """Which audio this is: a content part of an item of a response."""

    response_id: str
    item_id: str
    content_index: int = 0


@dataclass(frozen=True, slots=True)
class OpenDevice:
    """One direction of an open card, as people are told of it."""

    name: str
    hz: int
    latency_ms: float
    """What the system adds between our buffer and the converter, as it reports it."""


class Card(Protocol):
    """A microphone and a speaker that run in lock-step.

    One direction may be missing (its device is None): then *read* returns
    silence, or *write* is never called. Any method may raise `AudioError`
    once the card is lost.
    """

    input: OpenDevice | None
    output: OpenDevice | None

    def read(self) -> bytes:
        """Wait for the next block of the microphone and return it."""
        ...

    def write(self, block: bytes) -> None:
        """Hand *block* to the speaker."""
        ...

    def fill(self) -> int:
        """Return how many frames the speaker's buffer holds now."""
        ...

    def close(self) -> None:
        """Give the devices back; may be called twice."""
        ...
