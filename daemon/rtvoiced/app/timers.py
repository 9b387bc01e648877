"""The conversation's timers, on the loop.

Every wait of the conversation has a timer. It asks for them by the effects
`SetTimer` and `ClearTimer`, and gets `TimerFired` when one has run out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """Timers by name; *fire* is called with the name of one that has run out."""

    def __init__(self, fire: Callable[[str], None]) -> None:
        self._fire = fire
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def set(self, name: str, at: float) -> None:
        """Let the timer run out at *at*, in CLOCK_MONOTONIC seconds, which the loop counts as well.

        A timer of that name which is set already is replaced.
        """
        self.clear(name)
        self._handles[name] = asyncio.get_running_loop().call_at(at, self._run_out, name)

    def clear(self, name: str) -> None:
        """Forget a timer, if it is set; it does not fire any more, even where it was due."""
        handle = self._handles.pop(name, None)
        if handle is not None:
            handle.cancel()

    def clear_all(self) -> None:
        """Forget all timers."""
        for name in list(self._handles):
            self.clear(name)

    def _run_out(self, name: str) -> None:
        del self._handles[name]
        self._fire(name)
