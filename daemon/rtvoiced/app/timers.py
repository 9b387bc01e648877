"""The conversation's timers, on the event loop.

The daemon sets and clears them as the conversation's effects say, and hands
what has run out back to it. A timer is known by a key; there is at most one of
each, and one that was cleared never fires, even where it was due already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Timers(Generic[Key]):
    """Timers by key: setting one that is set replaces it."""

    def __init__(self, fire: Callable[[Key], None]) -> None:
        self._fire = fire
        self._handles: dict[Key, asyncio.TimerHandle] = {}

    def set(self, key: Key, at: float) -> None:
        """Call *fire* with *key* at *at*, in the loop's own time: CLOCK_MONOTONIC seconds."""
        self.clear(key)
        self._handles[key] = asyncio.get_running_loop().call_at(at, self._run_out, key)

    def clear(self, key: Key) -> None:
        """Forget a timer, if it is set."""
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
