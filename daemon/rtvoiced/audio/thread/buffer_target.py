"""The buffer target: how many blocks the card is to hold before it is topped up by one more. Pure.

What the card holds is what a cut can't take back, so little is wanted; too
little is a gap. The target is one block, and two where the machine needs it. The
audio thread asks `lacking` in every round how much to write, and tells `adjust`
what the round was like.
"""

from __future__ import annotations

CALM_S, CALM_MAX_S = 60.0, 3600.0
"""Seconds without trouble after which the target is lowered again, at first and at most. After 5 s it would
go up and down all the time. The time doubles whenever the lower target turned out to be too little, for
every such time costs a gap."""
TARGET_MIN, TARGET_MAX = 1, 2
"""Blocks that the card holds just before it is topped up by one more: 10 and 20 ms."""


class BufferTarget:
    """Decides how much one card is to hold; lives as long as the daemon."""

    def __init__(self, now: float) -> None:
        self.target = TARGET_MIN
        """In blocks."""
        self._calm_s = CALM_S / 2
        """How long a calm time is; the first trouble doubles it already."""
        self._trouble_at = now

    def lacking(self, fill: int, block: int) -> int:
        """Return how many blocks of *block* frames are to be written to a card that holds *fill* frames."""
        # The card moves in whole blocks, give or take a frame: to the nearest, not down.
        return max(0, ((self.target + 1) * block - fill + block // 2) // block)

    def adjust(self, trouble: bool, sounding: bool, now: float) -> None:
        """Raise the target at once after *trouble*; lower it after a calm time, unless *sounding*."""
        if trouble:
            if self.target == TARGET_MIN:
                self._calm_s = min(2 * self._calm_s, CALM_MAX_S)
            self.target, self._trouble_at = TARGET_MAX, now
            return
        calm = now - self._trouble_at > self._calm_s
        if self.target > TARGET_MIN and calm and not sounding:
            self.target = TARGET_MIN
