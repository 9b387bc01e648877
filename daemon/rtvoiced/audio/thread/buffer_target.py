"""How much the card is to hold: the fill target's rule. Pure.

What the card holds is what a cut can't take back, so little is wanted; too
little is a gap. One block, two where the machine needs it.
"""

from __future__ import annotations

CALM_S, CALM_MAX_S = 60.0, 3600.0
"""So long without trouble before the card holds less again; after 5 s it goes up and down all the time.
Twice as long each time that less was too little: every such time costs a gap."""
TARGET_MIN, TARGET_MAX = 1, 2
"""Blocks that the card holds just before it is topped up by one more."""


class BufferTarget:
    """The target, in blocks that the card holds before it is topped up by one more."""

    def __init__(self, now: float) -> None:
        self.target = TARGET_MIN
        self._calm_s = CALM_S / 2
        """How long a calm time is; the first trouble doubles it already."""
        self._trouble_at = now

    def lacking(self, fill: int, block: int) -> int:
        """Return how many blocks of *block* frames a card lacks that holds *fill* frames."""
        # The card moves in whole blocks, give or take a frame: to the nearest, not down.
        return max(0, ((self.target + 1) * block - fill + block // 2) // block)

    def aim(self, trouble: bool, sounding: bool, now: float) -> None:
        """Raise the target at once after *trouble*; lower it after a calm time, while not *sounding*."""
        if trouble:
            if self.target == TARGET_MIN:
                self._calm_s = min(2 * self._calm_s, CALM_MAX_S)
            self.target, self._trouble_at = TARGET_MAX, now
            return
        calm = now - self._trouble_at > self._calm_s
        if self.target > TARGET_MIN and calm and not sounding:
            self.target = TARGET_MIN
