"""The newest events as they were sent, for subscribers that missed some (docs/ipc.md, `replay`). Pure.

The publisher puts every counted event in, in the order of their numbers. The
ring is limited by the number of events and by their bytes; what falls out is
gone, and who asks for it is told so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

MOST_BYTES = 16 << 20
"""16 MiB of bodies: 5,000 events of 300 bytes are 1.5 MB, so only a flood of huge ones comes near it."""
PAGE_EVENTS = 500
PAGE_BYTES = 1 << 16
"""A page ends sooner with big events: a client that never reads its replies must not fill our memory."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the replay: some events as they were sent, oldest first."""

    bodies: list[bytes]
    more: bool
    """Whether there are newer ones."""


class Ring:
    """The last counted events, at most *most_events* and *most_bytes* of them."""

    def __init__(self, most_events: int, most_bytes: int = MOST_BYTES) -> None:
        self._most_events, self._most_bytes = most_events, most_bytes
        self._kept: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._newest = 0

    @property
    def oldest(self) -> int:
        """Number of the oldest event that is kept; while none is, of the next to come."""
        return self._newest - len(self._kept) + 1

    def keep(self, name: str, body: bytes) -> None:
        """Keep the next event: they are numbered from 1, without a gap."""
        self._newest += 1
        self._kept.append((name, body))
        self._bytes += len(body)
        while len(self._kept) > self._most_events or self._bytes > self._most_bytes:
            self._bytes -= len(self._kept.popleft()[1])

    def after(self, since: int, names: Collection[str] | None = None) -> Page | None:
        """Return the first events past number *since*, only those of *names*; None where some are gone."""
        if since + 1 < self.oldest:
            return None
        bodies: list[bytes] = []
        size = 0
        for name, body in islice(self._kept, since + 1 - self.oldest, None):
            if names is not None and name not in names:
                continue
            if len(bodies) == PAGE_EVENTS or (bodies and size + len(body) > PAGE_BYTES):
                return Page(bodies, more=True)
            bodies.append(body)
            size += len(body)
        return Page(bodies, more=False)
