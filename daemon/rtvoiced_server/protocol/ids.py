"""The ids that one connection gives: random, or of a seed and the same in every run."""

from __future__ import annotations

import random
from collections import deque
from contextvars import ContextVar

MOST_TAKEN = 1_000
"""Ids of a client's that are remembered: a conversation has no more items."""


class Ids:
    """Gives ids.

    Each prefix counts for itself: an item's id does not depend on how many events came before it.
    """

    def __init__(self, seed: str | None = None) -> None:
        self._seed = seed
        self._sources: dict[str, random.Random] = {}
        self._taken: deque[str] = deque(maxlen=MOST_TAKEN)

    def take(self, taken: str) -> None:
        """Never give the id *taken*: the client did, maybe out of a session before this one with its seed."""
        if self._seed is not None:
            # Random ids never meet.
            self._taken.append(taken)

    def new(self, prefix: str) -> str:
        """Return a fresh id, such as ``item_3f9c…``: 26 characters at most."""
        if prefix not in self._sources:
            # Not secrets: ids tell clients apart from nobody.
            seed = None if self._seed is None else f"{self._seed} {prefix}"
            self._sources[prefix] = random.Random(seed)  # noqa: S311
        while (made := f"{prefix}_{self._sources[prefix].getrandbits(80):020x}") in self._taken:
            pass
        return made


IDS = ContextVar("IDS", default=Ids())  # noqa: B039 - random ids may be shared by whoever sets none
"""Whose ids are given: a connection sets its own, and its tasks inherit them."""
