"""What was asked in writing: each `ask` from its command until its response has an id. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from rtvoice.effects import Effect, Publish, Send
from rtvoice.ipc import events as ipc
from rtvoice.memory import Memory
from rtvoice.realtime import events

MOST_WAITING = 100
MOST_TRIES = 30
"""So often is an `ask` tried again that meets another response: half a minute of one a second."""


@dataclass(frozen=True, slots=True)
class Question:
    """An `ask`."""

    request: str | None
    item_id: str
    text: str
    added: bool = False
    """Its item stands in the conversation already; only the answer is to be asked for."""
    told: bool = False
    """Subscribers have its text."""
    event_id: str = ""
    """Of the ``response.create``, once it is sent."""
    tries: int = 0
    wanted: bool = True
    """False once it was interrupted: its response is cancelled as soon as it has an id."""


class Questions:
    """The question whose response is asked for, and those that wait: one thing speaks at a time."""

    def __init__(self, memory: Memory) -> None:
        self.asking: Question | None = None
        """The question whose response was asked for and is not created yet."""
        self._waiting: deque[Question] = deque()
        self._memory = memory
        self._counter = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def new(self, request: str | None, text: str) -> Question:
        """Return a question with an id of its own."""
        self._counter += 1
        return Question(request, f"ask_{self._counter}", text.strip())

    def append(self, question: Question) -> None:
        """Let *question* wait for its turn."""
        self._waiting.append(question)

    def put(self, question: Question) -> list[Effect]:
        """Put *question* into the conversation without asking for an answer to it."""
        self._memory.add(question.item_id, "user").text = question.text
        told: list[Effect] = [Send(events.CreateItem(question.item_id, "user", question.text))]
        if not question.told:
            told.append(Publish(ipc.UserTranscript(question.item_id, question.text, True)))
        return told

    def ask(self) -> list[Effect]:
        """Put the question that waits longest; there must be one, and no active response."""
        question = self._waiting.popleft()
        told: list[Effect] = [] if question.added else self.put(question)
        self._counter += 1
        event_id = f"ask-{self._counter}"
        self.asking = replace(question, added=True, told=True, event_id=event_id, tries=question.tries + 1)
        return [*told, Send(events.CreateResponse(event_id, question.request))]

    def answered(self, event: events.ResponseCreated, *, turn_first: bool) -> Question | None:
        """Return the question that this response answers, if any; it waits no longer.

        Not every server gives metadata back; then *turn_first* tells whether
        the answer to an utterance is due before.
        """
        asked = self.asking
        if asked is None or (event.request != asked.request if event.request is not None else turn_first):
            return None
        self.asking = None
        return asked

    def interrupt(self) -> None:
        """The answer that was asked for is not wanted any more."""
        if self.asking is not None:
            self.asking = replace(self.asking, wanted=False)

    def again(self) -> bool:
        """The server had another response running: wait once more, unless that was tried too often."""
        asked = self.asking
        if asked is None or asked.tries >= MOST_TRIES:
            return False
        self.asking = None
        self._waiting.appendleft(asked)
        return True

    def given_up(self) -> Question | None:
        """Return the question that was asked, which will get no answer."""
        asked, self.asking = self.asking, None
        return asked

    def link_lost(self) -> list[Effect]:
        """All that was asked and not begun is asked again in the next session, unless it was interrupted."""
        asked = self.given_up()
        told: list[Effect] = []
        if asked is not None and asked.wanted:
            self._waiting.appendleft(asked)
        elif asked is not None:
            message = "the link was lost; the answer had been interrupted before it began"
            told.append(Publish(ipc.Error("not_connected", message, details=about(asked))))
        for question in [each for each in self._waiting if each.added]:
            self._memory.remove(question.item_id)
        self._waiting = deque(replace(each, added=False, tries=0) for each in self._waiting)
        return told

    def forget(self) -> None:
        """The daemon ends: nothing more is asked."""
        self._waiting.clear()


def about(question: Question | None) -> dict[str, Any]:
    """Return the details of an error that concerns *question*."""
    return {"request": question.request} if question is not None and question.request else {}
