"""How long the link waits between attempts to connect."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """The waits between attempts: doubling, with full jitter; the very first retry is immediate."""

    first_s: float = 0.1
    """The longest wait before the second retry."""
    max_s: float = 30.0
    """The longest wait of all."""
    failed_s: float = 600.0
    """The wait where only a person can mend it."""
    stable_s: float = 10.0
    """How long a session must have lived after `session.updated` for the waits to begin anew."""

    def wait_s(self, attempt: int) -> float:
        """Return a random wait before *attempt*, which counts from 0.

        Full jitter: anything from 0 to the ceiling, so that many clients of a
        server that comes back do not come all at once.
        """
        if attempt <= 1:
            return 0.0
        ceiling = min(self.max_s, self.first_s * 2 ** min(attempt - 2, 30))
        return random.uniform(0, ceiling)  # noqa: S311
