"""The assistant's answers, from `response.created` until they have drained or were cut. Pure.

Two ids, not one: `accepting` decides which deltas are queued; what is audible
is the ledger's business, and may be an earlier answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from rtvoice import effects
from rtvoice.audio.ledger import Drained, PartHeard
from rtvoice.audio.pcm import Pcm
from rtvoice.effects import Effect, Publish, Send
from rtvoice.inputs import Cut
from rtvoice.ipc import events as ipc
from rtvoice.memory import Item, Memory, words_heard
from rtvoice.realtime import events
from rtvoice.session import Session


@dataclass(slots=True)
class Said:
    """One message of an answer."""

    item_id: str
    audio: bool = False
    """Audio of it has come."""
    written: bool = False
    """It comes as text instead of audio."""
    text_done: bool = False
    drained: bool = False
    """Its audio was heard to the end."""


@dataclass(slots=True)
class Answer:
    """A response of the server."""

    response_id: str
    request: str | None
    session: int
    """Number of the session that it belongs to."""
    done: bool = False
    """The server will send no more of it."""
    said: dict[str, Said] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """An `ask` that waits for its turn."""

    request: str | None
    item_id: str
    text: str
    added: bool = False
    """Its item stands in the conversation already; only the answer is to be asked for."""


class Answers:
    """All answers that still matter, and the questions that wait."""

    def __init__(self, memory: Memory, session: Session) -> None:
        self.active: str | None = None
        """The response that the server is generating."""
        self.accepting: str | None = None
        """The response whose deltas are queued; none after a cut until the next one is created."""
        self.asking: Question | None = None
        """The question whose response was asked for and is not created yet."""
        self.questions: deque[Question] = deque()
        self._answers: dict[str, Answer] = {}
        self._cut: dict[str, Answer] = {}
        """Responses that were cut and are not done: what they still announce is deleted."""
        self._memory = memory
        self._session = session
        self._late = 0

    def created(self, event: events.ResponseCreated) -> list[Effect]:
        """An answer begins and is accepted from now on; an older one that never ended is over."""
        closed = self._close(self.active) if self.active is not None else []
        request, self.asking = self.request_of(event), None
        self._cut.clear()
        self._answers[event.response_id] = Answer(event.response_id, request, self._session.number)
        self.active = self.accepting = event.response_id
        return [*closed, Publish(ipc.ResponseCreated(event.response_id, request=request))]

    def rejected(self, event: events.ResponseCreated) -> list[Effect]:
        """An answer begins that nobody wants: it is cancelled, and not one sample of it is queued."""
        request, self.asking = self.request_of(event), None
        self._cut[event.response_id] = Answer(event.response_id, request, self._session.number)
        self.active = event.response_id
        return [
            Send(events.CancelResponse(event.response_id)),
            Publish(ipc.ResponseCreated(event.response_id, request=request)),
        ]

    def request_of(self, event: events.ResponseCreated) -> str | None:
        """Return the request that this response answers; not every server gives metadata back."""
        return event.request or (self.asking.request if self.asking else None)

    def announced(self, event: events.OutputItemAdded) -> list[Effect]:
        """An answer announces an item; an item of a cut answer will not be heard, so it goes."""
        if event.kind != "message":
            return []
        if event.response_id in self._cut:
            return [Send(events.DeleteItem(event.item_id))]
        if event.response_id in self._answers:
            self._said(event.response_id, event.item_id)
        return []

    def audio(self, event: events.AudioDelta, hz: int) -> list[Effect]:
        """Queue audio of the answer that is accepted; late audio of a cut one is not even counted."""
        part = event.part
        if part.response_id != self.accepting or not event.pcm:
            return []
        self._said(part.response_id, part.item_id).audio = True
        size = len(event.pcm)
        arrived = ipc.AudioArrived(part.response_id, part.item_id, size, Pcm(hz).duration_ms(size))
        return [effects.Play(part, event.pcm, hz), Publish(arrived)]

    def text(self, event: events.TextDelta) -> list[Effect]:
        """More words of the answer that is accepted."""
        if event.response_id != self.accepting:
            return []
        said = self._said(event.response_id, event.item_id)
        said.written = said.written or event.written
        self._memory.add(event.item_id, "assistant").text += event.text
        return [Publish(ipc.Delta(event.response_id, event.item_id, event.text))]

    def text_done(self, event: events.TextDone) -> list[Effect]:
        """All words of an item."""
        answer = self._answers.get(event.response_id)
        if answer is None:
            return []
        said = self._said(event.response_id, event.item_id)
        said.text_done, said.written = True, said.written or event.written
        if event.text:
            self._memory.add(event.item_id, "assistant").text = event.text
        return self._heard_all(answer, said)

    def done(self, event: events.ResponseDone) -> list[Effect]:
        """The server has generated all of an answer; it may sound for long yet."""
        answer = self._answers.get(event.response_id) or self._cut.pop(event.response_id, None)
        request = (answer.request if answer else None) or event.request
        if event.response_id == self.active:
            self.active = None
        reason = event.reason or event.error_code
        done = ipc.ResponseDone(event.response_id, event.status, reason, event.usage, request)
        told: list[Effect] = [*self._close(event.response_id), Publish(done)]
        if event.status == "failed":
            details = {"request": request} if request else {}
            message = event.error_message or "the answer failed"
            told.append(Publish(ipc.Error(event.error_code or "internal", message, details=details)))
        return told

    def drained(self, event: Drained) -> list[Effect]:
        """A part was heard to its end."""
        answer = self._answers.get(event.part.response_id)
        if answer is None:
            return []
        said = self._said(event.part.response_id, event.part.item_id)
        said.drained = True
        return self._heard_all(answer, said)

    def cut(self, cut: Cut) -> list[Effect]:
        """Tell the server what was heard of each item that was cut, and delete what was not."""
        first_of_item: dict[str, PartHeard] = {}
        for heard in cut.heard.parts:
            first_of_item.setdefault(heard.part.item_id, heard)
        told: list[Effect] = []
        for heard in first_of_item.values():
            told += self._correct(heard)
        ended = {heard.part.response_id for heard in cut.heard.parts}
        if self.active in self._answers:
            ended.add(self.active)
        for response_id in sorted(ended & self._answers.keys()):
            answer = self._answers[response_id]
            for item_id in first_of_item.keys() & answer.said.keys():
                del answer.said[item_id]
            told += self._rest_of(answer)
            if not answer.done:
                self._cut[response_id] = answer
            self._answers.pop(response_id, None)
        self.accepting = None
        return told

    def give_up(self) -> list[Effect]:
        """The active response says nothing for too long: it is over as far as we are concerned."""
        response_id, self.active = self.active, None
        if response_id is None:
            return []
        answer = self._cut.pop(response_id, None) or self._answers.get(response_id)
        request = answer.request if answer else None
        self.accepting = None
        done = ipc.ResponseDone(response_id, "failed", "timeout", None, request)
        return [*self._close(response_id), Send(events.CancelResponse(response_id)), Publish(done)]

    def link_lost(self) -> list[Effect]:
        """What has arrived plays to its end; nothing more will come of it."""
        told: list[Effect] = []
        for response_id, answer in list((self._answers | self._cut).items()):
            if not answer.done:
                told += self._close(response_id)
                told.append(
                    Publish(ipc.ResponseDone(response_id, "failed", "link_lost", None, answer.request))
                )
        self._cut.clear()
        self.active = self.accepting = None
        if self.asking is not None:
            self.questions.appendleft(self.asking)
            self.asking = None
        return told

    # ------------------------------------------------------------------ questions

    def next_question(self, event_id: str) -> list[Effect]:
        """Put the question that waits longest; there must be one, and no active response."""
        question = self.asking = self.questions.popleft()
        told: list[Effect] = [] if question.added else self.put(question)
        return [*told, Send(events.CreateResponse(event_id, question.request))]

    def put(self, question: Question) -> list[Effect]:
        """Put a question into the conversation without asking for an answer to it."""
        self._memory.add(question.item_id, "user").text = question.text
        return [
            Send(events.CreateItem(question.item_id, "user", question.text)),
            Publish(ipc.UserTranscript(question.item_id, question.text, True)),
        ]

    def ask_again(self) -> None:
        """The server had another response running: ask once more when that is done."""
        if self.asking is not None:
            question, self.asking = self.asking, None
            self.questions.appendleft(Question(question.request, question.item_id, question.text, True))

    # ------------------------------------------------------------------- the pieces

    def _said(self, response_id: str, item_id: str) -> Said:
        answer = self._answers[response_id]
        self._memory.add(item_id, "assistant")
        return answer.said.setdefault(item_id, Said(item_id))

    def _close(self, response_id: str) -> list[Effect]:
        """No more of this answer will come."""
        answer = self._answers.get(response_id)
        if answer is None or answer.done:
            return []
        answer.done = True
        told: list[Effect] = [effects.FinishResponse(response_id)]
        for said in list(answer.said.values()):
            told += self._heard_all(answer, said)
        self._forget_if_over(answer)
        return told

    def _heard_all(self, answer: Answer, said: Said) -> list[Effect]:
        """Publish the words of an item once it was heard whole, and all its words are known."""
        sounded = said.drained or (not said.audio and (said.written or answer.done))
        if not sounded or not (said.text_done or answer.done):
            return []
        del answer.said[said.item_id]
        self._forget_if_over(answer)
        return list(self._told_whole(answer, said))

    def _told_whole(self, answer: Answer, said: Said) -> Iterator[Effect]:
        item = self._memory.add(said.item_id, "assistant")
        item.heard = item.text.strip()
        if not item.text:
            self._memory.remove(said.item_id)
            return
        yield Publish(
            ipc.AssistantTranscript(answer.response_id, item.item_id, item.text, item.heard, False, False)
        )
        yield from self._seed_late(answer, item)

    def _seed_late(self, answer: Answer, item: Item) -> Iterator[Effect]:
        """An answer of the last session was heard out: only now is known what the new one may know."""
        if answer.session == self._session.number or not self._session.up or not item.heard:
            return
        previous = self._memory.before(item.item_id) or "root"
        self._late += 1
        item.item_id = f"late_{self._late}"
        yield Send(events.CreateItem(item.item_id, "assistant", item.heard, previous))

    def _forget_if_over(self, answer: Answer) -> None:
        if answer.done and not answer.said:
            self._answers.pop(answer.response_id, None)

    def _correct(self, heard: PartHeard) -> Iterator[Effect]:
        """One truncate or delete for an item that was cut; none where its session is gone."""
        part, answer = heard.part, self._answers.get(heard.part.response_id)
        if answer is not None and answer.session == self._session.number and self._session.up:
            yield Send(
                events.TruncateItem(part.item_id, part.content_index, heard.played_ms)
                if heard.played_ms or part.content_index
                else events.DeleteItem(part.item_id)
            )
        item = self._memory.get(part.item_id)
        if item is None:
            return
        item.heard = words_heard(item.text, heard.played_ms, heard.received_ms)
        if item.text:
            estimated = heard.played_ms > 0
            yield Publish(
                ipc.AssistantTranscript(
                    part.response_id, part.item_id, item.text, item.heard, estimated, True
                )
            )
        if not item.heard:
            self._memory.remove(part.item_id)
        elif answer is not None:
            yield from self._seed_late(answer, item)

    def _rest_of(self, answer: Answer) -> Iterator[Effect]:
        """The items of a cut answer that the cut itself did not touch."""
        for said in answer.said.values():
            if said.audio or said.written:
                # Wholly handed to the card, or read: known to the last word.
                yield from self._told_whole(answer, said)
            elif answer.session == self._session.number and not answer.done:
                self._memory.remove(said.item_id)
                yield Send(events.DeleteItem(said.item_id))
        answer.said.clear()
