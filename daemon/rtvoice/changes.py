"""What was asked of the running session and the server has not answered yet. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rtvoice.effects import Effect, Refuse, Reply
from rtvoice.realtime.events import SessionConfig

MOST_CHANGES = 20


@dataclass(slots=True)
class Change:
    """Another voice, or another configuration; exactly one of the two."""

    ticket: int | None
    """None where nobody waits for a reply."""
    voice: str | None = None
    config: SessionConfig | None = None
    reply: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = ""
    """Of the ``session.update``, once it is sent."""

    def done(self, applied: str) -> list[Effect]:
        """The change holds: ``now``, or from the ``next_session`` on."""
        return [] if self.ticket is None else [Reply(self.ticket, {**self.reply, "applied": applied})]

    def refused(self, code: str, message: str, *, retryable: bool = False) -> list[Effect]:
        """Nothing came of the change."""
        if self.ticket is None:
            return []
        arg = "voice" if self.voice is not None else "value"
        details = {"arg": arg} if code == "bad_args" else {}
        return [Refuse(self.ticket, code, message, retryable, details)]


class Changes:
    """One change at a time is with the server: its answer does not say to which ``session.update``."""

    def __init__(self) -> None:
        self.current: Change | None = None
        self._waiting: deque[Change] = deque()

    def __len__(self) -> int:
        """Return how many are not answered."""
        return len(self._waiting) + (self.current is not None)

    @property
    def voice(self) -> bool:
        """Another voice is among them."""
        known = [*self._waiting, self.current]
        return any(change is not None and change.voice is not None for change in known)

    def append(self, change: Change) -> None:
        """Let *change* wait for its turn."""
        self._waiting.append(change)

    def begin(self) -> Change | None:
        """Return the next to be sent, unless one is under way."""
        if self.current is not None or not self._waiting:
            return None
        self.current = self._waiting.popleft()
        return self.current

    def end(self) -> Change | None:
        """Return the one that was under way, which is no longer."""
        change, self.current = self.current, None
        return change

    def end_all(self) -> list[Change]:
        """Return all, oldest first: the session is gone."""
        ended = [*([self.current] if self.current is not None else []), *self._waiting]
        self.current = None
        self._waiting.clear()
        return ended
