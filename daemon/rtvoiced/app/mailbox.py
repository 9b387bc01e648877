"""The place where parts of the daemon leave messages for a part that is built later.

Two circles run through the daemon. The link, the timers and the audio side make
inputs, and the daemon, which takes them, carries out effects with the link and
the timers. The command socket brings commands, and the service that takes them
answers through that socket. A `Mailbox` stands in each circle: it is built
first, everybody gets it complete, and nobody is handed a part that does not
exist yet.

    inputs: Mailbox[Input] = Mailbox()
    link = Link(where, inputs.post, backoff)      # posts, whoever takes it
    inputs.taken_by(daemon.dispatch)              # from now on, at once

All of it runs in the loop's thread. `post` calls the taker in the same turn, so
that a command and the events that it causes need no task between them. What
is posted before there is a taker waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Message = TypeVar("Message")


class Mailbox(Generic[Message]):
    """Messages in the order in which they were posted, for one taker."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._wake: Callable[[], None] | None = None

    def __bool__(self) -> bool:
        """Return whether a message waits."""
        return bool(self._messages)

    def post(self, message: Message) -> None:
        """Leave *message* and wake the taker, whose exceptions come out here."""
        self._messages.append(message)
        if self._wake is not None:
            self._wake()

    def take(self) -> Message:
        """Return the oldest message, which is gone from here; raises IndexError where none waits."""
        return self._messages.popleft()

    def taken_by(self, wake: Callable[[], None]) -> None:
        """Call *wake* after every message from now on, and now if one waits already.

        *wake* takes what it wants of the messages. It is called again, inside its
        own call, where its work posts a message.
        """
        self._wake = wake
        if self._messages:
            wake()
