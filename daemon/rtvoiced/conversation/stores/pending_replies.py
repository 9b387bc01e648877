"""Commands whose reply waits until what they asked for is over (``wait``: true). Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from rtvoiced.conversation.effects import ClearTimer, Effect, Refuse, ReplyTo, SetTimer
from rtvoiced.ipc.contract import replies
from rtvoiced.ipc.contract.events import Error

MOST_WAITS = 200
TIMER = "wait-"
"""Each wait has a timer of its own: this and its ticket."""


@dataclass(slots=True)
class PendingReply:
    """Somebody waits for a reply."""

    ticket: int
    key: str | None
    """The question that has to be over; None: there has to be a new session."""
    left: bool = False
    """The session that was to be replaced is gone."""
    failure: Refuse | None = None
    """What will be answered once it is over, where it came to nothing."""


class PendingReplies:
    """All who wait, and until when."""

    def __init__(self) -> None:
        self._waits: dict[int, PendingReply] = {}

    @property
    def full(self) -> bool:
        """Nobody else can wait."""
        return len(self._waits) >= MOST_WAITS

    def add(self, ticket: int, key: str | None, expires: float | None) -> list[Effect]:
        """Answer *ticket* when the question *key* is over (None: a new session is up), or at *expires*."""
        self._waits[ticket] = PendingReply(ticket, key)
        return [] if expires is None else [SetTimer(f"{TIMER}{ticket}", expires)]

    def fail(self, keys: Collection[str], error: Error) -> None:
        """These questions came to nothing; what was said of them may still sound."""
        for wait in self._waits.values():
            if wait.key in keys and wait.failure is None:
                wait.failure = refusal(wait.ticket, error)

    def over(self, goes_on: Callable[[str], bool]) -> list[Effect]:
        """Answer all whose question does not go on any more."""
        told: list[Effect] = []
        for wait in [each for each in self._waits.values() if each.key is not None]:
            if wait.key is not None and not goes_on(wait.key):
                told += self._answer(wait, wait.failure or done(wait.ticket, queued=True))
        return told

    def session_left(self) -> None:
        """The session is gone: the next is the new one."""
        for wait in self._waits.values():
            wait.left = True

    def session_up(self) -> list[Effect]:
        """A new session is up."""
        told: list[Effect] = []
        for wait in [each for each in self._waits.values() if each.key is None and each.left]:
            told += self._answer(wait, done(wait.ticket))
        return told

    def session_failed(self, error: Error) -> tuple[list[str], list[Effect]]:
        """There will be no session until somebody acts; return also the questions that wait for one."""
        keys = [wait.key for wait in self._waits.values() if wait.key is not None]
        self.fail(keys, error)
        told: list[Effect] = []
        for wait in [each for each in self._waits.values() if each.key is None]:
            told += self._answer(wait, refusal(wait.ticket, error))
        return keys, told

    def expired(self, name: str) -> tuple[str | None, list[Effect]]:
        """The timer of a wait has run out; return also the question that nobody waits for any more."""
        wait = self._waits.pop(int(name.removeprefix(TIMER)), None)
        if wait is None:
            return None, []
        return wait.key, [
            Refuse(wait.ticket, "timeout", "it was not over before the request expired", retryable=True)
        ]

    def _answer(self, wait: PendingReply, answer: Effect) -> list[Effect]:
        del self._waits[wait.ticket]
        return [ClearTimer(f"{TIMER}{wait.ticket}"), answer]


def done(ticket: int, *, queued: bool = False) -> Effect:
    """Return the reply to a command that is over: nothing of it waits any more."""
    return ReplyTo(ticket, replies.QueuedReply(True, 0) if queued else replies.AcceptedReply(True))


def refusal(ticket: int, error: Error) -> Refuse:
    """Return the reply to a command that came to nothing."""
    return Refuse(ticket, error.code, error.message, error.retryable, error.details)


def too_many_wait(ticket: int) -> Refuse:
    """Return the reply to who wants to wait beside too many others."""
    return Refuse(ticket, "busy", f"{MOST_WAITS} requests wait already", retryable=True)
