"""How long something took, each time: the count, the percentiles, the worst. Pure.

The daemon's `stats` and the link keep one `Durations` for each thing that they
time; what they show of it is a `DurationSummary`.

>>> durations = Durations()
>>> durations.add(1.0); durations.add(3.0)
>>> durations.summary()
DurationSummary(n=2, p50=1.0, p95=3.0, max=3.0)
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

KEPT = 1000
"""How many of the newest durations the percentiles are of."""


class DurationSummary(NamedTuple):
    """How often something was timed, and how long it took, in milliseconds; None while nothing was."""

    n: int
    """How often, since the start."""
    p50: float | None
    """The median of the last 1,000."""
    p95: float | None
    """The 95th percentile of the last 1,000."""
    max: float | None
    """The longest of the last 1,000."""


class Durations:
    """The last 1,000 durations of one kind, in milliseconds."""

    def __init__(self) -> None:
        self._kept: deque[float] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, ms: float) -> None:
        """Keep one more duration, in milliseconds."""
        self._kept.append(ms)
        self._count += 1

    def summary(self) -> DurationSummary:
        """Return how often it was timed so far, and of the last 1,000 the percentiles and the worst."""
        if not self._kept:
            return DurationSummary(0, None, None, None)
        ordered = sorted(self._kept)
        # Nearest rank: each of them was really measured.
        p50, p95 = (ordered[-(-len(ordered) * share // 100) - 1] for share in (50, 95))
        return DurationSummary(self._count, *(round(ms, 1) for ms in (p50, p95, ordered[-1])))
