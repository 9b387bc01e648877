"""The conversation's timers, on the loop.

Every wait of the conversation has a timer. It asks for them by the effects
`SetTimer` and `ClearTimer`, and gets `TimerFired` when one has run out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Timers(Generic[Key]):
    """Timers by key; *fire* is called with the key of one that has run out."""

    def __init__(self, fire: Callable[[Key], None]) -> None:
        self._fire = fire
        self._handles: dict[Key, asyncio.TimerHandle] = {}

    def set(self, key: Key, at: float) -> None:
        """Let the timer run out at *at*, in CLOCK_MONOTONIC seconds, which the loop counts as well.

        A timer of that key which is set already is replaced.
        """
        self.clear(key)
        self._handles[key] = asyncio.get_running_loop().call_at(at, self._run_out, key)

    def clear(self, key: Key) -> None:
        """Forget a timer, if it is set; it does not fire any more, even where it was due."""
        handle = self._handles.pop(key, None)
        if handle is not None:
            handle.cancel()

    def clear_all(self) -> None:
        """Forget all timers."""
        for key in list(self._handles):
            self.clear(key)

    def _run_out(self, key: Key) -> None:
        del self._handles[key]
        self._fire(key)
