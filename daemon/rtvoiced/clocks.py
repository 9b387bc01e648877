"""The two clocks, as types: a time of one is never taken for a time of the other. Pure.

`Monotonic` is for everything that waits or is measured: it never jumps, and it
says nothing about the time of day. `WallClock` is for what people and other
programs are told, and for what outlives the process. A plain ``float`` of
seconds is a duration.

Nothing here reads a clock. The shells do, once for each input, and hand it in:

>>> now = Monotonic(12.0)
>>> later(now, 0.5)
12.5
"""

from __future__ import annotations

from typing import NewType

Monotonic = NewType("Monotonic", float)
"""A moment, in seconds of CLOCK_MONOTONIC."""

WallClock = NewType("WallClock", float)
"""A moment, in seconds since 1970 (Unix time)."""


def later(moment: Monotonic, seconds: float) -> Monotonic:
    """Return the moment that is so many *seconds* after *moment*; negative ones are before it."""
    return Monotonic(moment + seconds)
