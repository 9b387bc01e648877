"""What the speaker was given, beside the microphone: the echo canceller's reference.

A FIFO of the blocks that were really written, one taken for each block of the
microphone, silence where it is empty. With one clock the card holds the rest,
so the lag to the echo stays what it is, whatever the card's reserve or a stall does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtvoice.audio.pcm import BLOCK_MS, Pcm
from rtvoice.audio.resample import Resampler

CANCEL_HZ = 16_000
"""The canceller's rate: at 24 and 48 kHz its residue is loud enough now and then to be taken for a voice."""
BLOCK = Pcm(CANCEL_HZ).block
MOST = Pcm(CANCEL_HZ).size(500)
"""Bytes: no card holds more, so what exceeds it is no reference of anything."""

SETTLED = 200
"""Blocks: 2 s in which a card's own balance is learned."""
SMOOTH = 400
"""Blocks: 4 s; a single round is up to a block early or late."""
DRIFTED, BACK = BLOCK // 2, BLOCK // 8
"""Frames of drift at which stretching begins and ends; with one clock it never begins."""
RECOVER = CANCEL_HZ * 10
"""A drift is made good in 10 s: quicker, and it would swing."""
STRETCH_MAX = 0.002


class Reference:
    """The reference of one open card, at 16 kHz; the speaker runs at *output_hz*."""

    def __init__(self, output_hz: int) -> None:
        self._resampler = Resampler(output_hz, CANCEL_HZ)
        self._per_output_frame = CANCEL_HZ / output_hz
        self._silence = Pcm(output_hz).silence(BLOCK_MS)
        self._silent = False
        """The resampler holds nothing but silence."""
        self._fifo = bytearray()
        self._blocks = 0
        self._balance = self._usual = 0.0
        """What the FIFO holds over what the card holds, in frames: smoothed, and as it was at first."""
        self._stretch = 0.0
        self._part = 0.0
        """How far the next frame lies after the FIFO's first, while the reference is stretched."""

    @property
    def stretch(self) -> float:
        """By how much the speaker's clock is taken to be faster than the microphone's; mostly 0."""
        return self._stretch

    def wrote(self, block: bytes) -> None:
        """Take what was just written to the card: 10 ms, s16le mono."""
        silent = block == self._silence
        if silent and self._silent:
            self._fifo += bytes(2 * BLOCK)
        else:
            self._fifo += self._resampler.process(np.frombuffer(block, "<i2")).tobytes()
        self._silent = silent
        if len(self._fifo) > MOST:
            del self._fifo[: len(self._fifo) - MOST]

    def block(self, held_frames: int) -> bytes:
        """Return the 10 ms that belong to the microphone's next block; the card holds *held_frames* now."""
        self._weigh(len(self._fifo) / 2 - held_frames * self._per_output_frame)
        if self._stretch:
            return self._stretched().tobytes()
        block = bytes(self._fifo[: 2 * BLOCK])
        del self._fifo[: 2 * BLOCK]
        return block.ljust(2 * BLOCK, b"\0")

    def _weigh(self, balance: float) -> None:
        """Find out whether two clocks run apart."""
        self._blocks += 1
        if self._blocks <= SETTLED:
            self._balance += (balance - self._balance) / self._blocks
            self._usual = self._balance
            return
        self._balance += (balance - self._balance) / SMOOTH
        drift = self._balance - self._usual
        if abs(drift) > (BACK if self._stretch else DRIFTED):
            self._stretch = float(np.clip(drift / RECOVER, -STRETCH_MAX, STRETCH_MAX))
        elif self._stretch:
            self._stretch = self._part = 0.0

    def _stretched(self) -> NDArray[np.int16]:
        at = self._part + np.arange(BLOCK) * (1 + self._stretch)
        whole = at.astype(np.int64)
        used, self._part = divmod(self._part + BLOCK * (1 + self._stretch), 1.0)
        # A cubic through four frames; it lags by one, which is nothing.
        frames = int(whole[-1]) + 4
        kept = bytes(self._fifo[: 2 * frames]).ljust(2 * frames, b"\0")
        fifo = np.frombuffer(kept, "<i2").astype(np.float64)
        del self._fifo[: 2 * int(used)]
        a, b, c, d = (fifo[whole + offset] for offset in range(4))
        part = at - whole
        curve = a - 2.5 * b + 2 * c - 0.5 * d + part * (0.5 * (d - a) + 1.5 * (b - c))
        return np.asarray(np.clip(np.rint(b + part * (0.5 * (c - a) + part * curve)), -32768, 32767), "<i2")
