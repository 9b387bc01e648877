"""Commands whose reply waits until what they asked for is over (``wait``: true). Pure.

Written by `CommandHandler`, `ConnectionHandler`, `ResponseHandler` and the
machine. A reply waits for one of two things: that a request is over (it was
answered and heard, cut, or came to nothing), or that a new session is up. The
machine looks after every input which requests are over; so nobody has to think
of replies where a request ends.

A client may give up at a moment that it names (``expires``): then it is
refused, and what it asked for is withdrawn, if it has not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from rtvoiced.clocks import Monotonic
from rtvoiced.conversation.effects import ClearTimer, Effect, Refuse, ReplyTo, SetTimer
from rtvoiced.conversation.timers import ReplyTimer
from rtvoiced.ipc.contract import replies
from rtvoiced.ipc.contract.events import Error

MOST_WAITS = 200
"""How many commands can wait at the same time."""


@dataclass(slots=True)
class PendingReply:
    """A command that waits for its reply."""

    ticket: int
    key: str | None
    """The request that has to be over; None: there has to be a new session."""
    left: bool = False
    """The session that was to be replaced is gone."""
    failure: Refuse | None = None
    """What it will be answered once it is over, where it came to nothing."""

    def leave(self) -> None:
        """Know that the session that was to be replaced is gone."""
        self.left = True

    def fail(self, error: Error) -> None:
        """Know that it came to nothing; the first reason counts."""
        if self.failure is None:
            self.failure = refusal(self.ticket, error)


class PendingReplies:
    """All commands that wait, and until when."""

    def __init__(self) -> None:
        self._pending: dict[int, PendingReply] = {}

    @property
    def full(self) -> bool:
        """Nobody else can wait."""
        return len(self._pending) >= MOST_WAITS

    def add(self, ticket: int, key: str | None, expires: Monotonic | None) -> list[Effect]:
        """Answer *ticket* when the request *key* is over (None: a new session is up), or at *expires*."""
        self._pending[ticket] = PendingReply(ticket, key)
        return [] if expires is None else [SetTimer(ReplyTimer(ticket), expires)]

    def fail(self, keys: Collection[str], error: Error) -> None:
        """Know that these requests came to nothing; what was said of them may still sound."""
        for pending in self._pending.values():
            if pending.key in keys:
                pending.fail(error)

    def answer_what_is_over(self, goes_on: Callable[[str], bool]) -> list[Effect]:
        """Answer all whose request does not go on any more."""
        effects: list[Effect] = []
        for pending in [each for each in self._pending.values() if each.key is not None]:
            if pending.key is not None and not goes_on(pending.key):
                effects += self._answer(pending, pending.failure or done(pending.ticket, queued=True))
        return effects

    def on_session_left(self) -> None:
        """Know that the session is gone: the next is the new one."""
        for pending in self._pending.values():
            pending.leave()

    def on_session_up(self) -> list[Effect]:
        """Answer all who waited for a new session."""
        effects: list[Effect] = []
        for pending in [each for each in self._pending.values() if each.key is None and each.left]:
            effects += self._answer(pending, done(pending.ticket))
        return effects

    def on_link_failed(self, error: Error) -> tuple[list[str], list[Effect]]:
        """Refuse all who wait for a session: there will be none until somebody acts.

        Return also the requests that wait for one: they come to nothing.
        """
        keys = [pending.key for pending in self._pending.values() if pending.key is not None]
        self.fail(keys, error)
        effects: list[Effect] = []
        for pending in [each for each in self._pending.values() if each.key is None]:
            effects += self._answer(pending, refusal(pending.ticket, error))
        return keys, effects

    def on_expired(self, ticket: int) -> tuple[str | None, list[Effect]]:
        """Refuse a command whose client gives up; return also the request that nobody waits for any more."""
        pending = self._pending.pop(ticket, None)
        if pending is None:
            return None, []
        message = "it was not over before the request expired"
        return pending.key, [Refuse(ticket, "timeout", message, retryable=True)]

    def _answer(self, pending: PendingReply, answer: Effect) -> list[Effect]:
        del self._pending[pending.ticket]
        return [ClearTimer(ReplyTimer(pending.ticket)), answer]


def done(ticket: int, *, queued: bool = False) -> Effect:
    """Return the reply to a command that is over: nothing of it waits any more."""
    return ReplyTo(ticket, replies.QueuedReply(True, 0) if queued else replies.AcceptedReply(True))


def refusal(ticket: int, error: Error) -> Refuse:
    """Return the reply to a command that came to nothing."""
    return Refuse(ticket, error.code, error.message, error.retryable, error.details)


def too_many_wait(ticket: int) -> Refuse:
    """Return the reply to who wants to wait beside too many others."""
    return Refuse(ticket, "busy", f"{MOST_WAITS} requests wait already", retryable=True)
