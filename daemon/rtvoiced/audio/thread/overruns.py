"""Finds overruns, which PyAudio does not tell of. Pure."""

from __future__ import annotations

from rtvoiced.dsp.pcm import BLOCK_MS

BLOCK_S = BLOCK_MS / 1000


class OverrunDetector:
    """How far the microphone's blocks are behind the clock: what never came was lost in an overrun.

    PyAudio does not tell of overruns. A block may be late, but the least lateness
    of a second only grows when audio is missing.
    """

    WINDOW = 100
    """Blocks: 1 s."""
    LOSS_S = 0.5 * BLOCK_S

    def __init__(self) -> None:
        self.overruns = 0
        self.lost_s = 0.0
        """What they cost of the microphone, in seconds."""
        self.restart(0.0)

    def restart(self, now: float) -> None:
        """Begin anew with a card opened *now*."""
        self._began = now
        self._blocks = 0
        self._least = self._least_before = float("inf")

    def block(self, now: float) -> None:
        """Book a block that came *now*."""
        self._blocks += 1
        self._least = min(self._least, now - self._began - self._blocks * BLOCK_S)
        if self._blocks % self.WINDOW == 0:
            if self._least > self._least_before + self.LOSS_S:
                self.overruns += 1
                self.lost_s += self._least - self._least_before
            self._least_before, self._least = self._least, float("inf")
