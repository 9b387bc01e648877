"""What we ask the server to answer, each from its command until its response has an id. Pure.

That is every `ask` and `say`; and the user's turn, where the server's VAD does
not answer it by itself: after push-to-talk, and under the policies that leave
responses to us.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events

MOST_WAITING = 100
MOST_TRIES = 30
"""So often is an `ask` tried again that meets another response: half a minute of one a second."""


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """An `ask`, a `say`, or the user's turn."""

    request: str | None
    item_id: str
    """Of the item that an `ask` puts into the conversation; of the others only a name."""
    text: str
    kind: str | None = None
    """``say``: to be said, out of band, not answered; ``turn``: what the user said; None: an `ask`."""
    protected: bool = False
    """A `say` that nobody interrupts by speaking."""
    patient: bool = False
    """It waits until nothing sounds."""
    added: bool = False
    """Its item stands in the conversation already; only the answer is to be asked for."""
    told: bool = False
    """Subscribers have its text."""
    event_id: str = ""
    """Of the ``response.create``, once it is sent."""
    tries: int = 0
    wanted: bool = True
    """False once it was interrupted: its response is cancelled as soon as it has an id."""
    overtaken: bool = False
    """The user has begun to speak since its response was asked for."""

    @property
    def say(self) -> bool:
        """It is to be said, and not to be answered."""
        return self.kind == events.SAY

    @property
    def turn(self) -> bool:
        """It is what the user said."""
        return self.kind == events.TURN


class ResponseRequests:
    """The question whose response is asked for, and those that wait: one thing speaks at a time."""

    def __init__(self, history: HistoryStore) -> None:
        self.asking: ResponseRequest | None = None
        """The question whose response was asked for and is not created yet."""
        self._waiting: deque[ResponseRequest] = deque()
        self._absorbed: list[ResponseRequest] = []
        """In the conversation: the answer to what the user is saying will answer them too."""
        self._history = history
        self._counter = 0
        self._given_back = False
        """This server gives metadata back."""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """No further one can wait."""
        return len(self._waiting) + len(self._absorbed) >= MOST_WAITING

    def holds(self, key: str) -> bool:
        """Return whether the question of this item id is still to be answered."""
        known = [*self._waiting, *self._absorbed]
        if self.asking is not None and self.asking.wanted:
            known.append(self.asking)
        return any(question.item_id == key for question in known)

    @property
    def patient(self) -> bool:
        """The one that is next waits until nothing sounds."""
        return bool(self._waiting) and self._waiting[0].patient

    @property
    def turn_waits(self) -> bool:
        """What the user said is still to be answered, or asked again."""
        return any(question.turn for question in self._waiting)

    def new(self, request: str | None, text: str) -> ResponseRequest:
        """Return an `ask` with an id of its own."""
        return ResponseRequest(request, self._name("ask_"), text.strip())

    def new_say(self, request: str | None, text: str, *, protected: bool) -> ResponseRequest:
        """Return a `say` with a name of its own; a protected one begins when all else is silent."""
        name = self._name("say_")
        return ResponseRequest(
            request, name, text.strip(), events.SAY, protected=protected, patient=protected
        )

    def append(self, question: ResponseRequest) -> None:
        """Let *question* wait for its turn."""
        self._waiting.append(question)

    def append_turn(self) -> None:
        """Let what the user said be answered next, when nothing sounds; one answer for all of it."""
        waiting = [question for question in self._waiting if not question.turn]
        turn = ResponseRequest(
            None, self._name("turn_"), "", events.TURN, patient=True, added=True, told=True
        )
        self._waiting = deque([turn, *waiting])

    def withdraw_turn(self) -> None:
        """What the user said was nothing: it is not answered."""
        self._waiting = deque(question for question in self._waiting if not question.turn)
        if self.asking is not None and self.asking.turn:
            self.asking = replace(self.asking, wanted=False)

    def withdraw(self, key: str) -> None:
        """Forget the question of this item id, if it still waits: nobody wants it any more."""
        self._waiting = deque(each for each in self._waiting if each.item_id != key)

    def _name(self, kind: str) -> str:
        self._counter += 1
        return f"{kind}{self._counter}"

    def absorb(self, question: ResponseRequest) -> list[Effect]:
        """Put *question* into the conversation, beside what the user is saying."""
        self._absorbed.append(replace(question, added=True, told=True))
        return self._put(question)

    def taken_up(self) -> list[ResponseRequest]:
        """Return the questions that the answer to the user's turn answers too."""
        absorbed, self._absorbed = self._absorbed, []
        return absorbed

    def readmit(self) -> None:
        """No answer to the user's turn will come: what it was to answer too is asked for by itself."""
        if not self.turn_waits:
            self._waiting.extendleft(reversed(self.taken_up()))

    def ask(self) -> list[Effect]:
        """Put the question that waits longest; there must be one, and no active response."""
        question = self._waiting.popleft()
        told: list[Effect] = [] if question.added or question.say else self._put(question)
        event_id = self._name(f"{question.kind or 'ask'}-")
        self.asking = replace(question, added=True, told=True, event_id=event_id, tries=question.tries + 1)
        if question.say:
            return [SendEvent(events.CreateSpeech(event_id, question.request, question.text))]
        return [*told, SendEvent(events.CreateResponse(event_id, question.request, question.kind))]

    def answered(self, event: events.ResponseCreated, *, turn_first: bool) -> ResponseRequest | None:
        """Return the question that this response answers, if any; it waits no longer.

        Not every server gives metadata back; then *turn_first* tells whether
        the answer to an utterance is due before.
        """
        asked = self.asking
        bare = event.request is None and event.kind is None
        self._given_back = self._given_back or not bare
        if asked is None:
            return None
        if not bare:
            ours = (event.request, event.kind) == (asked.request, asked.kind)
        elif self._given_back and (asked.kind, asked.request) != (None, None):
            ours = False
        else:
            ours = not turn_first and not (asked.say and asked.overtaken)
        if not ours:
            return None
        self.asking = None
        return asked

    def overtake(self) -> None:
        """The user begins to speak: a response that is not there yet comes too late."""
        if self.asking is not None:
            self.asking = replace(self.asking, overtaken=True)

    def put_off(self, question: ResponseRequest) -> None:
        """The response to *question* came while the user spoke: it is said, or answered, after that."""
        if question.say:
            self._waiting.appendleft(replace(question, overtaken=False, tries=0))
        else:
            self._absorbed.insert(0, question)

    def interrupt(self) -> None:
        """The answer that was asked for is not wanted any more."""
        self._absorbed.clear()
        if self.asking is not None:
            self.asking = replace(self.asking, wanted=False)

    def again(self) -> bool:
        """The server had another response running: wait once more, unless that was tried too often."""
        asked = self.asking
        if asked is None or asked.tries >= MOST_TRIES:
            return False
        self.asking = None
        if not (asked.turn and self.turn_waits):
            self._waiting.appendleft(replace(asked, overtaken=False))
        return True

    def given_up(self) -> ResponseRequest | None:
        """Return the question that was asked, which will get no answer."""
        asked, self.asking = self.asking, None
        return asked

    def link_lost(self) -> list[Effect]:
        """All that was asked and not begun is asked again in the next session, unless it was interrupted."""
        self._given_back = False
        asked = self.given_up()
        told: list[Effect] = []
        # What the user said is gone with the session that heard it.
        self.withdraw_turn()
        self._absorbed = [question for question in self._absorbed if not question.turn]
        self.readmit()
        if asked is not None and asked.turn:
            asked = None
        if asked is not None and asked.wanted:
            self._waiting.appendleft(asked)
        elif asked is not None:
            message = "the link was lost; the answer had been interrupted before it began"
            told.append(Publish(ipc.Error("not_connected", message, details=about(asked))))
        for question in [each for each in self._waiting if each.added]:
            self._history.remove(question.item_id)
        self._waiting = deque(replace(each, added=False, tries=0, overtaken=False) for each in self._waiting)
        return told

    def forget(self) -> None:
        """The daemon ends: nothing more is asked."""
        self._waiting.clear()
        self._absorbed.clear()

    def _put(self, question: ResponseRequest) -> list[Effect]:
        """Put *question* into the conversation without asking for an answer to it."""
        self._history.add(question.item_id, "user").text = question.text
        told: list[Effect] = [SendEvent(events.CreateItem(question.item_id, "user", question.text))]
        if not question.told:
            told.append(Publish(ipc.UserTranscript(question.item_id, question.text, True)))
        return told


def about(question: ResponseRequest | None) -> dict[str, Any]:
    """Return the details of an error that concerns *question*."""
    return {"request": question.request} if question is not None and question.request else {}
