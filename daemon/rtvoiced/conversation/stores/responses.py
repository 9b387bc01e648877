"""The assistant's answers, from `response.created` until they have drained or were cut. Pure.

Two ids, not one: `accepting` decides which deltas are queued; what is audible
is the ledger's business, and may be an earlier answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from rtvoiced.audio.events import Drained, PartHeard
from rtvoiced.conversation import effects
from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.inputs import Cut
from rtvoiced.conversation.reports import server_error
from rtvoiced.conversation.stores.history import ConversationItem, HistoryStore
from rtvoiced.conversation.stores.response import OutputItem, Response
from rtvoiced.conversation.stores.session import Session
from rtvoiced.dsp.pcm import FRAME_BYTES, Pcm
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events

REMEMBERED = 16
"""Answers that are over and whose stragglers are still recognised."""


class ResponseStore:
    """All answers that still matter."""

    def __init__(self, history: HistoryStore, session: Session) -> None:
        self.active: str | None = None
        """The response that the server is generating: the only one that is not done."""
        self.accepting: str | None = None
        """The active response, if its deltas are queued; None after a cut until the next one is created."""
        self._responses: dict[str, Response] = {}
        self._over: deque[tuple[str, bool]] = deque(maxlen=REMEMBERED)
        """Response ids, and whether each was ephemeral."""
        self._history = history
        self._session = session
        self._late = 0

    def created(
        self,
        response_id: str,
        request: str | None,
        keys: tuple[str, ...] = (),
        *,
        ephemeral: bool = False,
        protected: bool = False,
    ) -> list[Effect]:
        """An answer begins and is accepted from now on."""
        number = self._session.number
        answer = Response(response_id, request, number, keys=keys, ephemeral=ephemeral, protected=protected)
        told = self._begun(answer)
        self.accepting = response_id
        return told

    def rejected(self, response_id: str, request: str | None, *, ephemeral: bool = False) -> list[Effect]:
        """An answer begins that nobody wants: it is cancelled, and not one sample of it is queued."""
        answer = Response(response_id, request, self._session.number, cut=True, ephemeral=ephemeral)
        accepted = self._responses.get(self.accepting or "")
        if accepted is not None and (ephemeral or accepted.ephemeral):
            # What is out of band runs beside the answer that is wanted, and does not end it.
            self._over.append((response_id, ephemeral))
            done = ipc.ResponseDone(response_id, "cancelled", "superseded", None, request)
            told: list[Effect] = [Publish(ipc.ResponseCreated(response_id, request=request)), Publish(done)]
        else:
            told = self._begun(answer)
        return [*told, SendEvent(events.CancelResponse(response_id))]

    def is_new(self, response_id: str) -> bool:
        """Return True for a response that was never announced, or of which the last session knew."""
        answer = self._responses.get(response_id)
        over = any(response_id == each for each, _ in self._over)
        return not over and (answer is None or answer.session != self._session.number)

    def holds(self, key: str) -> bool:
        """Return whether the answer to this question is being made, or to be heard to its end."""
        return any(key in answer.keys and not answer.cut for answer in self._responses.values())

    def keys(self, response_id: str | None) -> tuple[str, ...]:
        """Return the questions that this response answers."""
        answer = self._responses.get(response_id or "")
        return answer.keys if answer is not None else ()

    @property
    def protected(self) -> bool:
        """Something is being made, or still to be heard, that nobody interrupts by speaking."""
        return any(answer.protected and not answer.cut for answer in self._responses.values())

    def unprotect(self) -> None:
        """What was protected may be interrupted by speaking now."""
        for answer in self._responses.values():
            answer.protected = False

    @property
    def request(self) -> str | None:
        """The request of the active response."""
        answer = self._responses.get(self.active or "")
        return answer.request if answer is not None else None

    def is_ephemeral(self, response_id: str | None) -> bool:
        """Return True for a response that is out of band."""
        answer = self._responses.get(response_id or "")
        return answer is not None and answer.ephemeral

    def announced(self, event: events.OutputItemAdded) -> list[Effect]:
        """An answer announces an item; an item of a cut answer will not be heard, so it goes."""
        answer = self._responses.get(event.response_id)
        if event.kind != "message":
            return []
        over = dict(self._over).get(event.response_id)
        if over is not None or (answer is not None and answer.cut):
            ephemeral = over or (answer is not None and answer.ephemeral)
            return [] if ephemeral else [SendEvent(events.DeleteItem(event.item_id))]
        if answer is None or answer.done:
            return []
        self._said(answer, event.item_id)
        return []

    def audio(self, event: events.AudioDelta, hz: int) -> list[Effect]:
        """Queue audio of the answer that is accepted; late audio of a cut one is not even counted."""
        part, size = event.part, len(event.pcm)
        if part.response_id != self.accepting or not size:
            return []
        if size >= FRAME_BYTES:
            said = self._said(self._responses[part.response_id], part.item_id)
            said.audio = True
            said.playing.add(part.content_index)
            self._history.add(part.item_id, "assistant").arrival.audio(size * 1000 / (FRAME_BYTES * hz))
        arrived = ipc.AudioArrived(part.response_id, part.item_id, size, Pcm(hz).duration_ms(size))
        return [effects.Play(part, event.pcm, hz), Publish(arrived)]

    def text(self, event: events.TextDelta) -> list[Effect]:
        """More words of the answer that is accepted."""
        if self.accepting is None or event.response_id not in ("", self.accepting):
            return []
        said = self._said(self._responses[self.accepting], event.item_id)
        said.written = said.written or event.written
        item = self._history.add(event.item_id, "assistant")
        item.arrival.words(item.text)
        item.text += event.text
        return [Publish(ipc.Delta(self.accepting, event.item_id, event.text))]

    def text_done(self, event: events.TextDone) -> list[Effect]:
        """All words of an item."""
        answer = self._responses.get(event.response_id or self.accepting or "")
        if answer is None or answer.cut or (answer.done and event.item_id not in answer.said):
            return []
        said = self._said(answer, event.item_id)
        said.text_done, said.written = True, said.written or event.written
        if event.text:
            self._history.add(event.item_id, "assistant").text = event.text
        return self._heard_all(answer, said)

    def done(self, event: events.ResponseDone) -> list[Effect]:
        """The server has generated all of an answer; it may sound for long yet."""
        answer = self._responses.get(event.response_id)
        told: list[Effect] = []
        if answer is not None and not answer.done:
            answer.whole = event.status == "completed"
            told = self._close(answer, event.status, event.reason or event.error_code, event.usage)
        if event.status == "failed":
            request = answer.request if answer else event.request
            details = {"request": request} if request else {}
            message = event.error_message or "the answer failed"
            told.append(Publish(server_error(event.error_code, message, details)))
        return told

    def drained(self, event: Drained) -> list[Effect]:
        """A part was heard to its end."""
        answer = self._responses.get(event.part.response_id)
        said = answer.said.get(event.part.item_id) if answer is not None else None
        if answer is None or said is None:
            return []
        said.playing.discard(event.part.content_index)
        said.played_ms += event.played_ms
        return self._heard_all(answer, said)

    def cut(self, cut: Cut) -> list[Effect]:
        """Tell the server what was heard of each item that was cut, and delete what was not."""
        first_of_item: dict[str, PartHeard] = {}
        for heard in cut.heard.parts:
            first_of_item.setdefault(heard.part.item_id, heard)
        told: list[Effect] = []
        for heard in first_of_item.values():
            told += self._correct(heard)
        ended = {heard.part.response_id for heard in cut.heard.parts} | {self.accepting}
        for answer in [each for each in self._responses.values() if each.response_id in ended]:
            for item_id in first_of_item.keys() & answer.said.keys():
                del answer.said[item_id]
            told += self._rest_of(answer)
            answer.cut = True
            self._forget_if_over(answer)
        self.accepting = None
        return told

    def give_up(self) -> tuple[bool, list[Effect]]:
        """The active response says nothing for too long: it is over as far as we are concerned.

        Return also whether it had been cut; then there was nothing left to come but its end.
        """
        answer = self._responses.get(self.active or "")
        if answer is None:
            return False, []
        if answer.cut:
            return True, self._close(answer, "cancelled", "timeout")
        cancel = SendEvent(events.CancelResponse(answer.response_id))
        return False, [*self._close(answer, "failed", "timeout"), cancel]

    def link_lost(self) -> list[Effect]:
        """What has arrived plays to its end; nothing more will come of it."""
        self._over.clear()
        answer = self._responses.get(self.active or "")
        return self._close(answer, "failed", "link_lost") if answer is not None else []

    # ------------------------------------------------------------------- the pieces

    def _begun(self, answer: Response) -> list[Effect]:
        """Make *answer* the active one; an older one that never ended is over."""
        older = self._responses.get(self.active or "")
        told: list[Effect] = []
        if older is not None:
            told = self._close(older, "cancelled" if older.cut else "incomplete", "superseded")
            if older.ephemeral and not older.cut:
                told.append(SendEvent(events.CancelResponse(older.response_id)))
        self._responses[answer.response_id] = answer
        self.active = answer.response_id
        return [*told, Publish(ipc.ResponseCreated(answer.response_id, request=answer.request))]

    def _said(self, answer: Response, item_id: str) -> OutputItem:
        self._history.add(item_id, "assistant")
        return answer.said.setdefault(item_id, OutputItem(item_id))

    def _close(
        self, answer: Response, status: str, reason: str | None, usage: dict[str, object] | None = None
    ) -> list[Effect]:
        """No more of the active answer will come."""
        answer.done, self.active, self.accepting = True, None, None
        self._over.append((answer.response_id, answer.ephemeral))
        told: list[Effect] = [] if answer.cut else [effects.FinishResponse(answer.response_id)]
        for said in list(answer.said.values()):
            told += self._heard_all(answer, said)
        self._forget_if_over(answer)
        done = ipc.ResponseDone(answer.response_id, status, reason, usage, answer.request)
        return [*told, Publish(done)]

    def _heard_all(self, answer: Response, said: OutputItem) -> list[Effect]:
        """Publish the words of an item once it was heard whole, and all its words are known."""
        sounded = said.audio or said.written or answer.done
        if not sounded or said.playing or not (said.text_done or answer.done):
            return []
        del answer.said[said.item_id]
        self._forget_if_over(answer)
        return list(self._told_whole(answer, said))

    def _told_whole(self, answer: Response, said: OutputItem) -> Iterator[Effect]:
        item = self._history.add(said.item_id, "assistant")
        # A transcript runs ahead of its audio, and an answer may end before all of that has come.
        torn = answer.done and not answer.whole and not said.written
        played_ms = said.played_ms
        item.heard = (
            item.arrival.heard(item.text, played_ms, played_ms, whole=False) if torn else item.text.strip()
        )
        if item.text:
            estimated = torn and said.audio
            yield Publish(
                ipc.AssistantTranscript(
                    answer.response_id, item.item_id, item.text, item.heard, estimated, torn
                )
            )
        if item.known:
            yield from self._tell_server(answer, item)
        else:
            self._history.remove(said.item_id)

    def _tell_server(self, answer: Response, item: ConversationItem) -> Iterator[Effect]:
        """Put words that were heard into the conversation, where the server has no item of them.

        So it is with what was out of band, and with an answer of the last
        session that was heard out: only now is known what the new one may know.
        """
        same = answer.session == self._session.number
        if not self._session.up or (same and not answer.ephemeral):
            return
        at_end = same and self._history.is_last(item)
        previous = None if at_end else self._history.before(item.item_id) or "root"
        self._late += 1
        item.item_id = f"{'said' if same else 'late'}_{self._late}"
        yield SendEvent(events.CreateItem(item.item_id, "assistant", item.known, previous))

    def _forget_if_over(self, answer: Response) -> None:
        if answer.done and not answer.said:
            self._responses.pop(answer.response_id, None)

    def _correct(self, heard: PartHeard) -> Iterator[Effect]:
        """One truncate or delete for an item that was cut; none where its session is gone."""
        part, answer = heard.part, self._responses.get(heard.part.response_id)
        here = answer is not None and answer.session == self._session.number and self._session.up
        if answer is not None and here and not answer.ephemeral:
            yield SendEvent(
                events.TruncateItem(part.item_id, part.content_index, heard.played_ms)
                if heard.played_ms or part.content_index
                else events.DeleteItem(part.item_id)
            )
        item = self._history.get(part.item_id)
        if item is None:
            return
        whole = not item.arrival.beside or answer is None or (answer.done and answer.whole)
        item.heard = item.arrival.heard(item.text, heard.played_ms, heard.received_ms, whole=whole)
        if item.text:
            estimated = heard.played_ms > 0
            yield Publish(
                ipc.AssistantTranscript(
                    part.response_id, part.item_id, item.text, item.heard, estimated, True
                )
            )
        if not item.known:
            self._history.remove(part.item_id)
        elif answer is not None:
            yield from self._tell_server(answer, item)

    def _rest_of(self, answer: Response) -> Iterator[Effect]:
        """The items of a cut answer that the cut itself did not touch."""
        for said in answer.said.values():
            if said.audio or said.written:
                # Wholly handed to the card, or read: known to the last word.
                yield from self._told_whole(answer, said)
            elif answer.session == self._session.number and not answer.done:
                self._history.remove(said.item_id)
                if not answer.ephemeral:
                    yield SendEvent(events.DeleteItem(said.item_id))
        answer.said.clear()
