"""How long something took, each time: the count, the percentiles, the worst. Pure."""

from __future__ import annotations

from collections import deque

from rtvoiced.ipc.contract.replies import Latency

KEPT = 1000


class Samples:
    """The last 1,000 durations of one kind, in milliseconds."""

    def __init__(self) -> None:
        self._kept: deque[float] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, ms: float) -> None:
        """Book one more."""
        self._kept.append(ms)
        self._count += 1

    def latency(self) -> Latency:
        """Return how often it was measured so far, and of the last 1,000 the percentiles and the worst."""
        if not self._kept:
            return Latency(0, None, None, None)
        ordered = sorted(self._kept)
        # Nearest rank: each of them was really measured.
        p50, p95 = (ordered[-(-len(ordered) * share // 100) - 1] for share in (50, 95))
        return Latency(self._count, *(round(ms, 1) for ms in (p50, p95, ordered[-1])))
