"""The ids that one connection gives to its items, responses, calls and events.

An id is its prefix and 20 hexadecimal digits, such as
``item_5eca7702787e9177d7a9``. Where the digits come from is somebody else's
business: `rtvoiced_server.net.random_ids` draws them, from a seed or not. Each
connection sets its own generator in `IDS`; its tasks inherit it, and no others.
Whoever sets none, as tests do, gets ids that count upwards.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from contextvars import ContextVar

MOST_TAKEN = 1_000
"""How many ids of a client are remembered: a conversation has no more items."""


class IdGenerator:
    """Gives ids that nobody else in the session has."""

    def __init__(self, digits: Callable[[str], int], *, repeatable: bool = False) -> None:
        """*digits* returns the next number, below 2 ** 80, for a prefix.

        *repeatable* says that the same ids come in every run. Then a client may
        bring one out of an earlier session, and it must not be given again; ids
        that are random never meet.
        """
        self._digits = digits
        self._repeatable = repeatable
        self._taken: deque[str] = deque(maxlen=MOST_TAKEN)

    def take(self, taken: str) -> None:
        """Never give the id *taken*, which the client gave."""
        if self._repeatable:
            self._taken.append(taken)

    def new(self, prefix: str) -> str:
        """Return a fresh id: 26 characters at most."""
        while (made := f"{prefix}_{self._digits(prefix):020x}") in self._taken:
            pass
        return made


def counted() -> IdGenerator:
    """Return a generator that counts; each prefix counts for itself."""
    counts: Counter[str] = Counter()

    def digits(prefix: str) -> int:
        counts[prefix] += 1
        return counts[prefix]

    return IdGenerator(digits, repeatable=True)


IDS = ContextVar("IDS", default=counted())  # noqa: B039 - whoever sets none may share it
"""The generator of the connection whose task is running."""


def new_id(prefix: str) -> str:
    """Return a fresh id of the running connection, such as ``item_5eca7702787e9177d7a9``."""
    return IDS.get().new(prefix)
