"""Named timers on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """Timers by name: setting one that is set replaces it."""

    def __init__(self, fire: Callable[[str], None]) -> None:
        self._fire = fire
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def set(self, name: str, at: float) -> None:
        """Call *fire* with *name* at *at*, in the loop's own time: CLOCK_MONOTONIC seconds."""
        self.clear(name)
        self._handles[name] = asyncio.get_running_loop().call_at(at, self._run_out, name)

    def clear(self, name: str) -> None:
        """Forget a timer, if it is set."""
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
