"""What was asked of the running session and the server has not answered yet. Pure.

A queue of changes, written by `ConfigurationStore`. One change at a time is
with the server, beside any switches of turn detection, which wait for nothing.
The server answers in the order of what it got; its answer does not say to which
``session.update`` it belongs, so the order is all that we have.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from rtvoiced.conversation.effects import Effect, Refuse, ReplyTo
from rtvoiced.conversation.inputs import SettingRequest
from rtvoiced.conversation.policy import InterruptionRules
from rtvoiced.ipc.contract import replies
from rtvoiced.realtime.events import SessionConfig
from rtvoiced.vocabulary import Applied

MOST_CHANGES = 20
"""How many changes can wait."""


@dataclass(slots=True)
class SessionChange:
    """Another voice, or another configuration; with neither, turn detection switched for a while."""

    ticket: int | None
    """Where the reply goes; None where nobody waits for one."""
    voice: str | None = None
    config: SessionConfig | None = None
    rules: InterruptionRules | None = None
    """Go with the configuration."""
    setting: SettingRequest | None = None
    """The `set` that asked for the configuration."""
    event_id: str = ""
    """Of the ``session.update``, once it is sent."""

    @property
    def switch(self) -> bool:
        """It changes for a while what is configured: nobody waits for it, and it waits for nothing."""
        return self.voice is None and self.config is None

    def send_as(self, event_id: str) -> str:
        """Know the event that it is sent with; return its id."""
        self.event_id = event_id
        return event_id

    def done(self, applied: Applied) -> list[Effect]:
        """Reply that the change holds: ``now``, or from the ``next_session`` on."""
        if self.ticket is None:
            return []
        if self.voice is not None:
            return [ReplyTo(self.ticket, replies.SetVoiceReply(self.voice, applied))]
        assert self.setting is not None, "nobody else waits for a reply"
        return [ReplyTo(self.ticket, replies.SetReply(self.setting.key, self.setting.value, applied))]

    def refused(self, code: str, message: str, *, retryable: bool = False) -> list[Effect]:
        """Reply that nothing came of the change; nothing where nobody waits for it."""
        if self.ticket is None:
            return []
        arg = "voice" if self.voice is not None else "value"
        details = {"arg": arg} if code == "bad_args" else {}
        return [Refuse(self.ticket, code, message, retryable, details)]


class SessionChanges:
    """The changes that are with the server, and those that wait for them."""

    def __init__(self) -> None:
        self._sent: deque[SessionChange] = deque()
        self._waiting: deque[SessionChange] = deque()
        self._at_once = False
        """The next does not wait for the one that is under way."""

    def __len__(self) -> int:
        """Return how many are not answered, without switches."""
        return sum(not change.switch for change in [*self._sent, *self._waiting])

    @property
    def current(self) -> SessionChange | None:
        """The change that is with the server."""
        return next((change for change in self._sent if not change.switch), None)

    @property
    def unanswered(self) -> bool:
        """The server owes an answer, be it to a switch."""
        return bool(self._sent)

    @property
    def voice(self) -> bool:
        """Another voice is among them."""
        return any(change.voice is not None for change in [*self._waiting, *self._sent])

    def append(self, change: SessionChange) -> None:
        """Let *change* wait for its turn."""
        self._waiting.append(change)

    def append_switch(self, *, at_once: bool) -> None:
        """Let a switch be sent next, or even beside the change that is under way."""
        self._at_once = at_once
        self._waiting.appendleft(SessionChange(None))

    def begin(self) -> SessionChange | None:
        """Take the next to be sent, unless it has to wait for the one that is under way."""
        if not self._waiting or (self.current is not None and not self._at_once):
            return None
        self._at_once = False
        self._sent.append(self._waiting.popleft())
        return self._sent[-1]

    def answered(self) -> SessionChange | None:
        """Take the one that the server has answered now, which is no longer under way."""
        return self._sent.popleft() if self._sent else None

    def refused(self, event_id: str | None) -> SessionChange | None:
        """Take the one whose event the server refused, which is no longer under way."""
        found = next((change for change in self._sent if change.event_id == event_id), None)
        if found is not None:
            self._sent.remove(found)
        return found

    def end(self) -> SessionChange | None:
        """Take the change that was under way; nothing is any longer."""
        change = self.current
        self._sent.clear()
        return change

    def end_all(self) -> list[SessionChange]:
        """Take all but switches, oldest first: the session is gone."""
        ended = [change for change in [*self._sent, *self._waiting] if not change.switch]
        self._sent.clear()
        self._waiting.clear()
        self._at_once = False
        return ended
