"""Finds overruns of the microphone, which PyAudio does not tell of. Pure.

A block may come late, but late blocks are followed by early ones: the least
lateness of a second stays the same. It grows only when audio is missing.
"""

from __future__ import annotations

from rtvoiced.dsp.pcm import BLOCK_MS

BLOCK_S = BLOCK_MS / 1000
WINDOW = 100
"""Blocks of which the least lateness is taken: 1 s."""
LOSS_S = 0.5 * BLOCK_S
"""Seconds by which the least lateness grows when a block was lost; half a block, for clocks differ a
little."""


class OverrunDetector:
    """Measures how far the microphone's blocks are behind the clock: what never came was lost."""

    def __init__(self) -> None:
        self.overruns = 0
        """How many were found since the start."""
        self.lost_s = 0.0
        """Seconds of the microphone that they cost."""
        self.restart(0.0)

    def restart(self, now: float) -> None:
        """Begin anew with a card that was opened *now*."""
        self._began = now
        self._blocks = 0
        self._least = self._least_before = float("inf")

    def block(self, now: float) -> None:
        """Note a block that came *now*."""
        self._blocks += 1
        self._least = min(self._least, now - self._began - self._blocks * BLOCK_S)
        if self._blocks % WINDOW == 0:
            if self._least > self._least_before + LOSS_S:
                self.overruns += 1
                self.lost_s += self._least - self._least_before
            self._least_before, self._least = self._least, float("inf")
