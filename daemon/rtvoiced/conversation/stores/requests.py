"""What we ask the server to answer: each request from its command until its response has an id. Pure.

There are three kinds. An `AskRequest` puts a text into the conversation and has
it answered; a `SayRequest` has a text spoken, out of band; a `TurnRequest` has
the user's turn answered, where the server's VAD does not do that by itself:
after push-to-talk, and under the policies that leave responses to us.

How it works: one thing speaks at a time, so at most one request is with the
server (`asking`), and the others wait in a queue. `ConversationState.ask_next`
asks for the next one when nothing is in its way. The server's
``response.created`` takes it out again; which response belongs to which request
is told by the metadata, and by what was due where a server gives none back.

An ask that comes while the user speaks is *absorbed*: its item goes into the
conversation at once, and the answer to the user's turn answers it, too. Where
that answer does not come, it is readmitted to the queue.

Where a request stands is its `RequestStage`; only the methods here move it on:

    NEW ──► ADDED ──► ASKED ──► (its response has an id)
     ▲        │         ├─► UNWANTED: interrupted before it began
     │        ▼         │
     └──── TOLD ◄───────┘  the session is gone, and its conversation with it

A server that answers turns by itself makes responses that nobody here asked
for. Whether the next one of these is wanted stands here as well: it is the
other half of what is expected.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.conversation.stores.request import (
    AskRequest,
    RequestStage,
    ResponseRequest,
    SayRequest,
    TurnRequest,
    about,
)
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events

MOST_WAITING = 100
"""How many requests can wait."""
MOST_TRIES = 30
"""How often a request is asked that meets another response: half a minute of one a second."""


class ResponseRequests:
    """The request whose response is asked for, and those that wait."""

    def __init__(self, history: HistoryStore) -> None:
        self._asking: ResponseRequest | None = None
        self._waiting: deque[ResponseRequest] = deque()
        self._absorbed: list[AskRequest | TurnRequest] = []
        """In the conversation: the answer to what the user is saying will answer them too."""
        self._overtaken = False
        """The user has begun to speak since the response was asked for."""
        self._rejects_unasked = False
        self._history = history
        self._counter = 0
        self._given_back = False
        """This server gives metadata back."""

    # ---------------------------------------------------------------------- what is known

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def asking(self) -> ResponseRequest | None:
        """The request whose response was asked for and is not created yet."""
        return self._asking

    @property
    def overtaken(self) -> bool:
        """The user has begun to speak since a response was asked for last."""
        return self._overtaken

    @property
    def rejects_unasked(self) -> bool:
        """The response that the server makes by itself is cancelled as soon as it has an id."""
        return self._rejects_unasked

    @property
    def full(self) -> bool:
        """No further request can wait."""
        return len(self._waiting) + len(self._absorbed) >= MOST_WAITING

    @property
    def patient(self) -> bool:
        """The one that is next waits until nothing sounds."""
        return bool(self._waiting) and self._waiting[0].patient

    def holds(self, key: str) -> bool:
        """Return whether the request of this key is still to be answered."""
        known: list[ResponseRequest] = [*self._waiting, *self._absorbed]
        if self._asking is not None and self._asking.stage is RequestStage.ASKED:
            known.append(self._asking)
        return any(request.key == key for request in known)

    # ------------------------------------------------------------------------ they wait

    def new_ask(self, request_id: str | None, text: str) -> AskRequest:
        """Return a request to answer *text*, which waits nowhere yet."""
        return AskRequest(self._name("ask_"), request_id, text.strip())

    def new_say(self, request_id: str | None, text: str, *, protected: bool) -> SayRequest:
        """Return a request to speak *text*, which waits nowhere yet."""
        return SayRequest(self._name("say_"), request_id, text.strip(), protected)

    def enqueue(self, request: ResponseRequest) -> None:
        """Let *request* wait for its turn."""
        self._waiting.append(request)

    def enqueue_turn(self) -> None:
        """Let what the user said be answered next, when nothing sounds; one answer for all of it."""
        self._waiting = deque([TurnRequest(self._name("turn_")), *self._without_turns()])

    def withdraw(self, key: str) -> None:
        """Forget the request of this key, if it still waits: nobody wants it any more."""
        self._waiting = deque(each for each in self._waiting if each.key != key)

    def withdraw_turn(self) -> None:
        """Have what the user said not answered: it was nothing."""
        self._waiting = deque(self._without_turns())
        if isinstance(self._asking, TurnRequest):
            self._asking = replace(self._asking, stage=RequestStage.UNWANTED)

    def absorb(self, request: AskRequest) -> list[Effect]:
        """Put *request* into the conversation, beside what the user is saying."""
        self._absorbed.append(replace(request, stage=RequestStage.ADDED))
        return self._put(request)

    def take_absorbed(self) -> list[AskRequest | TurnRequest]:
        """Return the requests that the answer to the user's turn answers too: it is here."""
        absorbed, self._absorbed = self._absorbed, []
        return absorbed

    def readmit(self) -> None:
        """Have asked for by itself what the answer to the user's turn was to answer: none will come."""
        if not self._turn_waits:
            self._waiting.extendleft(reversed(self.take_absorbed()))

    # -------------------------------------------------------------------- one is asked for

    def ask_next(self) -> list[Effect]:
        """Ask for the response to the request that waits longest; there must be one, and none is asked."""
        request = self._waiting.popleft()
        unknown = request.stage in (RequestStage.NEW, RequestStage.TOLD)
        effects = self._put(request) if unknown and isinstance(request, AskRequest) else []
        event_id = self._name(f"{request.kind or 'ask'}-")
        self._asking = replace(request, stage=RequestStage.ASKED, event_id=event_id, tries=request.tries + 1)
        self._overtaken = False
        if isinstance(request, SayRequest):
            return [SendEvent(events.CreateSpeech(event_id, request.request_id, request.text))]
        return [*effects, SendEvent(events.CreateResponse(event_id, request.request_id, request.kind))]

    def on_response_created(self, event: events.ResponseCreated) -> ResponseRequest | None:
        """Return the request that this response answers, if any; it is asked for no longer.

        Not every server gives metadata back. Then the answer to an utterance
        comes before it, where one is due that nobody wants.
        """
        asked = self._asking
        bare = event.request is None and event.kind is None
        self._given_back = self._given_back or not bare
        if asked is None:
            return None
        if not bare:
            ours = (event.request, event.kind) == (asked.request_id, asked.kind)
        elif self._given_back and (asked.kind, asked.request_id) != (None, None):
            ours = False
        else:
            ours = not self._rejects_unasked and not (isinstance(asked, SayRequest) and self._overtaken)
        if not ours:
            return None
        self._asking = None
        return asked

    def overtake(self) -> None:
        """Know that the user begins to speak: a response that is not there yet comes too late."""
        self._overtaken = True

    def put_off(self, request: ResponseRequest) -> None:
        """Have *request*, whose response came while the user spoke, said or answered after that."""
        if isinstance(request, SayRequest):
            self._waiting.appendleft(replace(request, stage=RequestStage.NEW, tries=0))
        else:
            self._absorbed.insert(0, replace(request, stage=RequestStage.ADDED))

    def interrupt(self) -> None:
        """Have nothing come of the response that is expected, whoever asked for it."""
        self._absorbed.clear()
        if self._asking is not None:
            self._asking = replace(self._asking, stage=RequestStage.UNWANTED)
        self._rejects_unasked = self._asking is None

    def try_again(self) -> bool:
        """Let the request that met another response wait once more, unless that was tried too often."""
        asked = self._asking
        if asked is None or asked.tries >= MOST_TRIES:
            return False
        self._asking = None
        if not (isinstance(asked, TurnRequest) and self._turn_waits):
            # An ask keeps its item: it is put into the conversation once.
            self._waiting.appendleft(replace(asked, stage=RequestStage.ADDED))
        return True

    def give_up(self) -> ResponseRequest | None:
        """Return the request that was asked for, which will get no response."""
        asked, self._asking = self._asking, None
        return asked

    # ------------------------------------------------------------ what nobody here asked for

    def reject_unasked(self) -> None:
        """Have the response that the server makes by itself cancelled as soon as it has an id."""
        self._rejects_unasked = True

    def want_unasked(self) -> None:
        """Take the next response that the server makes by itself, or expect none."""
        self._rejects_unasked = False

    def take_rejection(self) -> bool:
        """Return whether the response that was expected is unwanted; the next one is wanted again."""
        rejected, self._rejects_unasked = self._rejects_unasked, False
        return rejected

    # ----------------------------------------------------------------------------- the end

    def on_session_gone(self) -> list[Effect]:
        """Have all that was asked and not begun asked in the next session, unless it was interrupted."""
        self._given_back, self._rejects_unasked = False, False
        asked = self.give_up()
        effects: list[Effect] = []
        # What the user said is gone with the session that heard it.
        self.withdraw_turn()
        self._absorbed = [request for request in self._absorbed if isinstance(request, AskRequest)]
        self.readmit()
        if asked is not None and not isinstance(asked, TurnRequest):
            if asked.stage is RequestStage.ASKED:
                self._waiting.appendleft(asked)
            else:
                message = "the link was lost; the answer had been interrupted before it began"
                effects.append(Publish(ipc.Error("not_connected", message, details=about(asked))))
        self._waiting = deque(self._in_no_session(each) for each in self._waiting)
        return effects

    def forget(self) -> None:
        """Ask nothing more: the daemon ends."""
        self._waiting.clear()
        self._absorbed.clear()

    # -------------------------------------------------------------------------- the pieces

    @property
    def _turn_waits(self) -> bool:
        """What the user said is still to be answered, or asked again."""
        return any(isinstance(request, TurnRequest) for request in self._waiting)

    def _without_turns(self) -> list[ResponseRequest]:
        return [request for request in self._waiting if not isinstance(request, TurnRequest)]

    def _in_no_session(self, request: ResponseRequest) -> ResponseRequest:
        """Return *request* as it waits for the next session: nothing of it stands in a conversation."""
        if request.stage is RequestStage.NEW:
            return replace(request, tries=0)
        self._history.remove(request.key)
        return replace(request, stage=RequestStage.TOLD, tries=0)

    def _put(self, request: AskRequest) -> list[Effect]:
        """Put *request* into the conversation without asking for an answer to it."""
        self._history.add(request.key, "user").write(request.text)
        effects: list[Effect] = [SendEvent(events.CreateItem(request.key, "user", request.text))]
        if request.stage is RequestStage.NEW:
            effects.append(Publish(ipc.UserTranscript(request.key, request.text, True)))
        return effects

    def _name(self, kind: str) -> str:
        self._counter += 1
        return f"{kind}{self._counter}"
