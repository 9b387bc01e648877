"""The assistant's responses, from ``response.created`` until they have drained or were cut. Pure.

Written by `ResponseHandler`, and by `ConnectionHandler` when the session is
gone. What is here decides which deltas are queued for the speaker, and what
becomes of each item once it was heard (`HeardItems`).

Two ids, not one. `accepting` decides which deltas are queued; what is *audible*
is the ledger's business, and may be an earlier response. After a cut nothing is
accepted until the next ``response.created``: so late deltas need no list of
dead ids.

Two clocks, too. A response that is `done` at the server sounds on for a while;
it stays here until its last item has drained.
"""

from __future__ import annotations

from collections import deque

from rtvoiced.audio.events import Drained, PartHeard
from rtvoiced.conversation.effects import Effect, FinishResponse, Play, Publish, SendEvent
from rtvoiced.conversation.inputs import Cut
from rtvoiced.conversation.reports import server_error
from rtvoiced.conversation.stores.heard_items import HeardItems
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.conversation.stores.response import OutputItem, Response
from rtvoiced.conversation.stores.session import Session
from rtvoiced.dsp.pcm import FRAME_BYTES, Part, Pcm
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events

REMEMBERED = 16
"""How many responses are remembered that are over: their stragglers are still recognised."""


class ResponseStore:
    """All responses that still matter."""

    def __init__(self, history: HistoryStore, session: Session) -> None:
        self.active: str | None = None
        """The response that the server is generating: the only one that is not done."""
        self.accepting: str | None = None
        """The active response, if its deltas are queued; None after a cut until the next one is created."""
        self.sounding: Part | None = None
        """The part last queued, while anything is queued or in the card."""
        self._responses: dict[str, Response] = {}
        self._over: deque[tuple[str, bool]] = deque(maxlen=REMEMBERED)
        """Response ids, and whether each was ephemeral."""
        self._history = history
        self._session = session
        self._heard = HeardItems(history, session)

    # ------------------------------------------------------------------ what is known of them

    def is_new(self, response_id: str) -> bool:
        """Return whether a response was never announced, or only to a session that is gone."""
        response = self._responses.get(response_id)
        over = any(response_id == each for each, _ in self._over)
        return not over and (response is None or response.session != self._session.number)

    def holds(self, key: str) -> bool:
        """Return whether the response to this request is being made, or to be heard to its end."""
        return any(key in each.keys and not each.cut for each in self._responses.values())

    def keys(self, response_id: str | None) -> tuple[str, ...]:
        """Return the requests that this response answers."""
        response = self._responses.get(response_id or "")
        return response.keys if response is not None else ()

    @property
    def protected(self) -> bool:
        """Something is being made, or still to be heard, that nobody interrupts by speaking."""
        return any(each.protected and not each.cut for each in self._responses.values())

    @property
    def request_id(self) -> str | None:
        """The id of the command that the active response answers."""
        response = self._responses.get(self.active or "")
        return response.request_id if response is not None else None

    def is_ephemeral(self, response_id: str | None) -> bool:
        """Return whether this response is out of band."""
        response = self._responses.get(response_id or "")
        return response is not None and response.ephemeral

    # -------------------------------------------------------------------------- it begins

    def accept(
        self,
        response_id: str,
        request_id: str | None,
        keys: tuple[str, ...] = (),
        *,
        ephemeral: bool = False,
        protected: bool = False,
    ) -> list[Effect]:
        """Take up a response that begins: from now on its deltas are queued."""
        number = self._session.number
        response = Response(
            response_id, request_id, number, keys=keys, ephemeral=ephemeral, protected=protected
        )
        effects = self._begin(response)
        self.accepting = response_id
        return effects

    def reject(self, response_id: str, request_id: str | None, *, ephemeral: bool = False) -> list[Effect]:
        """Cancel a response that begins and that nobody wants: not one sample of it is queued."""
        response = Response(response_id, request_id, self._session.number, cut=True, ephemeral=ephemeral)
        accepted = self._responses.get(self.accepting or "")
        if accepted is not None and (ephemeral or accepted.ephemeral):
            # What is out of band runs beside the response that is wanted, and does not end it.
            self._over.append((response_id, ephemeral))
            done = ipc.ResponseDone(response_id, "cancelled", "superseded", None, request_id)
            effects: list[Effect] = [
                Publish(ipc.ResponseCreated(response_id, request=request_id)),
                Publish(done),
            ]
        else:
            effects = self._begin(response)
        return [*effects, SendEvent(events.CancelResponse(response_id))]

    # ---------------------------------------------------------------------------- it comes

    def on_output_item_added(self, event: events.OutputItemAdded) -> list[Effect]:
        """Know an item that a response announces; one of a cut response will not be heard, so it goes."""
        response = self._responses.get(event.response_id)
        if event.kind != "message":
            return []
        over = dict(self._over).get(event.response_id)
        if over is not None or (response is not None and response.cut):
            ephemeral = over or (response is not None and response.ephemeral)
            return [] if ephemeral else [SendEvent(events.DeleteItem(event.item_id))]
        if response is None or response.done:
            return []
        self._item(response, event.item_id)
        return []

    def on_audio_delta(self, event: events.AudioDelta, hz: int) -> list[Effect]:
        """Queue audio of the accepted response, which comes at *hz*; of a cut one it is not even counted."""
        part, size = event.part, len(event.pcm)
        if part.response_id != self.accepting or not size:
            return []
        if size >= FRAME_BYTES:
            self.sounding = part
            self._item(self._responses[part.response_id], part.item_id).on_audio(part.content_index)
            self._history.add(part.item_id, "assistant").arrival.audio(size * 1000 / (FRAME_BYTES * hz))
        arrived = ipc.AudioArrived(part.response_id, part.item_id, size, Pcm(hz).duration_ms(size))
        return [Play(part, event.pcm, hz), Publish(arrived)]

    def on_text_delta(self, event: events.TextDelta) -> list[Effect]:
        """Keep more words of the accepted response."""
        if self.accepting is None or event.response_id not in ("", self.accepting):
            return []
        self._item(self._responses[self.accepting], event.item_id).on_text(written=event.written)
        item = self._history.add(event.item_id, "assistant")
        item.arrival.words(item.text)
        item.append(event.text)
        return [Publish(ipc.Delta(self.accepting, event.item_id, event.text))]

    def on_text_done(self, event: events.TextDone) -> list[Effect]:
        """Keep all words of an item; it is settled if its audio was heard already."""
        response = self._responses.get(event.response_id or self.accepting or "")
        if response is None or response.cut or (response.done and event.item_id not in response.items):
            return []
        said = self._item(response, event.item_id)
        said.on_text_done(written=event.written)
        if event.text:
            self._history.add(event.item_id, "assistant").write(event.text)
        return self._settle_item(response, said)

    # ---------------------------------------------------------------------------- it ends

    def on_response_done(self, event: events.ResponseDone) -> list[Effect]:
        """End a response of which the server has generated all; it may sound for long yet."""
        response = self._responses.get(event.response_id)
        effects: list[Effect] = []
        if response is not None and not response.done:
            response.on_whole(whole=event.status == "completed")
            effects = self._close(response, event.status, event.reason or event.error_code, event.usage)
        if event.status == "failed":
            request_id = response.request_id if response else event.request
            details = {"request": request_id} if request_id else {}
            message = event.error_message or "the answer failed"
            effects.append(Publish(server_error(event.error_code, message, details)))
        return effects

    def on_drained(self, event: Drained) -> list[Effect]:
        """Settle the item of a part that was heard to its end, if that was its last."""
        if event.part == self.sounding:
            self.sounding = None
        response = self._responses.get(event.part.response_id)
        said = response.items.get(event.part.item_id) if response is not None else None
        if response is None or said is None:
            return []
        said.on_drained(event.part.content_index, event.played_ms)
        return self._settle_item(response, said)

    def on_cut(self, cut: Cut) -> list[Effect]:
        """Settle what was cut: tell the server what was heard of each item, and delete what was not."""
        self.sounding = None
        first_of_item: dict[str, PartHeard] = {}
        for heard in cut.heard.parts:
            first_of_item.setdefault(heard.part.item_id, heard)
        effects: list[Effect] = []
        for heard in first_of_item.values():
            effects += self._heard.cut(self._responses.get(heard.part.response_id), heard)
        ended = {heard.part.response_id for heard in cut.heard.parts} | {self.accepting}
        for response in [each for each in self._responses.values() if each.response_id in ended]:
            for item_id in first_of_item.keys() & response.items.keys():
                response.drop_item(item_id)
            effects += self._heard.rest(response)
            response.drop_items()
            response.on_cut()
            self._forget_if_over(response)
        self.accepting = None
        return effects

    def give_up(self) -> tuple[bool, list[Effect]]:
        """End the active response, which says nothing for too long.

        Return also whether it had been cut: then there was nothing left to come but its end.
        """
        response = self._responses.get(self.active or "")
        if response is None:
            return False, []
        if response.cut:
            return True, self._close(response, "cancelled", "timeout")
        cancel = SendEvent(events.CancelResponse(response.response_id))
        return False, [*self._close(response, "failed", "timeout"), cancel]

    def on_session_gone(self) -> list[Effect]:
        """End the active response: what has arrived plays to its end, and nothing more will come."""
        self._over.clear()
        response = self._responses.get(self.active or "")
        return self._close(response, "failed", "link_lost") if response is not None else []

    def unprotect(self) -> None:
        """Let everything be interrupted by speaking."""
        for response in self._responses.values():
            response.unprotect()

    # ------------------------------------------------------------------------- the pieces

    def _begin(self, response: Response) -> list[Effect]:
        """Make *response* the active one; an older one that never ended is over."""
        older = self._responses.get(self.active or "")
        effects: list[Effect] = []
        if older is not None:
            effects = self._close(older, "cancelled" if older.cut else "incomplete", "superseded")
            if older.ephemeral and not older.cut:
                effects.append(SendEvent(events.CancelResponse(older.response_id)))
        self._responses[response.response_id] = response
        self.active = response.response_id
        return [*effects, Publish(ipc.ResponseCreated(response.response_id, request=response.request_id))]

    def _item(self, response: Response, item_id: str) -> OutputItem:
        """Return a message of the response, which has its place in the history from its first sign."""
        self._history.add(item_id, "assistant")
        return response.item(item_id)

    def _close(
        self, response: Response, status: str, reason: str | None, usage: dict[str, object] | None = None
    ) -> list[Effect]:
        """End the active response: no more of it will come."""
        response.on_done()
        self.active, self.accepting = None, None
        self._over.append((response.response_id, response.ephemeral))
        effects: list[Effect] = [] if response.cut else [FinishResponse(response.response_id)]
        for said in list(response.items.values()):
            effects += self._settle_item(response, said)
        self._forget_if_over(response)
        done = ipc.ResponseDone(response.response_id, status, reason, usage, response.request_id)
        return [*effects, Publish(done)]

    def _settle_item(self, response: Response, said: OutputItem) -> list[Effect]:
        """Settle an item once it was heard whole, and all its words are known."""
        sounded = said.audio or said.written or response.done
        if not sounded or said.playing or not (said.text_done or response.done):
            return []
        response.drop_item(said.item_id)
        self._forget_if_over(response)
        return self._heard.whole(response, said)

    def _forget_if_over(self, response: Response) -> None:
        if response.over:
            self._responses.pop(response.response_id, None)
