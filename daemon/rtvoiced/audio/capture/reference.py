"""The echo canceller's reference: what the speaker was given, laid beside the microphone.

A FIFO of the blocks that were really written. For each block of the
microphone one is taken, and silence where there is none. Where microphone and
speaker have one clock, the card holds the rest, so the lag to the echo stays the
same to a block, whatever the buffer target or a stall does. Where the speaker's
clock is faster, the reference is stretched a little, or its lead would be used up.

It belongs to the audio thread; `EchoPath` has one for each card that is opened.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import BLOCK_MS, Pcm
from rtvoiced.dsp.resample import Resampler

CANCEL_HZ = 16_000
"""The canceller's rate: at 24 and 48 kHz its residue is loud enough now and then to be taken for a voice."""
BLOCK = Pcm(CANCEL_HZ).block
"""Frames of a block at that rate: 160."""
MOST = Pcm(CANCEL_HZ).size(500)
"""Bytes that the FIFO holds at most: 500 ms. No card holds more, so anything older is no reference."""

SMOOTH = 400
"""Blocks over which the lead is smoothed: 4 s. A single round is up to a block early or late."""
LEAST = 1.5 * BLOCK
"""Frames by which the reference leads the speaker at least; with one clock it leads by 2 or 3 blocks."""
BACK = BLOCK / 8
"""Frames of lead over `LEAST` at which stretching ends."""
RECOVER = CANCEL_HZ * 10
"""Frames in which a missing lead is made good: 10 s. Quicker, and it would swing."""
STRETCH_MAX = 0.002
"""The most by which the reference is stretched; two clocks differ by less."""


class Reference:
    """The reference of one open card, at 16 kHz; the speaker runs at *output_hz*."""

    def __init__(self, output_hz: int) -> None:
        self._resampler = Resampler(output_hz, CANCEL_HZ)
        self._per_output_frame = CANCEL_HZ / output_hz
        self._silence = Pcm(output_hz).silence(BLOCK_MS)
        self._silent = False
        """Whether the resampler holds nothing but silence."""
        self._fifo = bytearray()
        """s16le mono at 16 kHz."""
        self._lead = 2.0 * BLOCK
        """Frames until the speaker plays what is taken now, smoothed."""
        self._stretch = 0.0
        self._offset = 0.0
        """By what part of a frame the next frame lies after the FIFO's first, while the reference is
        stretched."""

    @property
    def stretch(self) -> float:
        """By what share the speaker's clock is taken to be faster than the microphone's; with one clock 0."""
        return self._stretch

    def wrote(self, block: bytes) -> None:
        """Take what was just written to the card: 10 ms, s16le mono at the speaker's rate."""
        silent = block == self._silence
        if silent and self._silent:
            self._fifo += bytes(2 * BLOCK)
        else:
            self._fifo += self._resampler.process(np.frombuffer(block, "<i2")).tobytes()
        self._silent = silent
        if len(self._fifo) > MOST:
            del self._fifo[: len(self._fifo) - MOST]

    def block(self, held_frames: int) -> bytes:
        """Return the 10 ms that belong to the microphone's next block: 160 frames, s16le mono at 16 kHz.

        *held_frames* is what the card holds now, in frames of the speaker's rate.
        """
        self._follow(held_frames * self._per_output_frame - (len(self._fifo) / 2 - BLOCK))
        if self._stretch:
            return self._stretched().tobytes()
        block = bytes(self._fifo[: 2 * BLOCK])
        del self._fifo[: 2 * BLOCK]
        return block.ljust(2 * BLOCK, b"\0")

    def _follow(self, lead: float) -> None:
        """Follow a speaker whose clock is faster than the microphone's, and would use the lead up.

        One that is slower leaves the FIFO empty now and then; the silence then taken is as good.
        """
        self._lead += (lead - self._lead) / SMOOTH
        missing = LEAST + (BACK if self._stretch else 0.0) - self._lead
        self._stretch = min(STRETCH_MAX, max(0.0, missing / RECOVER))
        if not self._stretch:
            self._offset = 0.0

    def _stretched(self) -> NDArray[np.int16]:
        """Return a block (int16, shape (160,)) made of a little more than a block of the FIFO."""
        at = self._offset + np.arange(BLOCK) * (1 + self._stretch)
        whole = at.astype(np.int64)
        used, self._offset = divmod(self._offset + BLOCK * (1 + self._stretch), 1.0)
        # A cubic through four frames; it lags by one, which is nothing.
        frames = int(whole[-1]) + 4
        kept = bytes(self._fifo[: 2 * frames]).ljust(2 * frames, b"\0")
        fifo = np.frombuffer(kept, "<i2").astype(np.float64)
        del self._fifo[: 2 * int(used)]
        a, b, c, d = (fifo[whole + offset] for offset in range(4))
        part = at - whole
        curve = a - 2.5 * b + 2 * c - 0.5 * d + part * (0.5 * (d - a) + 1.5 * (b - c))
        return np.asarray(np.clip(np.rint(b + part * (0.5 * (c - a) + part * curve)), -32768, 32767), "<i2")
