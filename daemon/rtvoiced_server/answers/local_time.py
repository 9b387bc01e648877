"""The time of day, as the rules and a session need it; `datetime.datetime` has all of it.

The rules read no clock: whoever runs a session gives it one. Naming only what is
read keeps ``datetime``, and with it every clock, out of the pure folders.
"""

from __future__ import annotations

from typing import Protocol


class LocalTime(Protocol):
    """A moment on the local clock."""

    @property
    def year(self) -> int:
        """The year, such as 2026."""
        ...

    @property
    def day(self) -> int:
        """The day of the month, from 1."""
        ...

    @property
    def hour(self) -> int:
        """The hour, 0 to 23."""
        ...

    @property
    def minute(self) -> int:
        """The minute, 0 to 59."""
        ...

    def __format__(self, form: str, /) -> str:
        """Return the moment in words, by the codes of ``strftime``."""
        ...

    def timestamp(self) -> float:
        """Return seconds since 1970."""
        ...
