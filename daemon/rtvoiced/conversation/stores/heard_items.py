"""What became of each item that the assistant said: its words heard, told to everybody. Pure.

An item of a response is over when it was heard to its end, or when a cut has
ended it. `ResponseStore` says which of the two, and here it is settled:

* the history keeps the words that were heard, or forgets the item;
* the subscribers get its transcript;
* the server's conversation is made to agree: a cut item is truncated to what
  was played, one that nobody heard is deleted, and words of which the server
  has no item are put there.
"""

from __future__ import annotations

from rtvoiced.audio.events import PartHeard
from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.stores.history import ConversationItem, HistoryStore
from rtvoiced.conversation.stores.response import OutputItem, Response
from rtvoiced.conversation.stores.session import Session
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events


class HeardItems:
    """Settles the items of responses, one by one."""

    def __init__(self, history: HistoryStore, session: Session) -> None:
        self._history = history
        self._session = session
        self._put = 0
        """How many items we have put into the server's conversation."""

    def whole(self, response: Response, said: OutputItem) -> list[Effect]:
        """Settle an item that was heard to its end."""
        item = self._history.add(said.item_id, "assistant")
        # A transcript runs ahead of its audio, and a response may end before all of that has come.
        torn = response.done and not response.whole and not said.written
        ms = said.played_ms
        item.was_heard(item.arrival.heard(item.text, ms, ms, whole=False) if torn else item.text.strip())
        effects: list[Effect] = []
        if item.text:
            effects.append(self._transcript(response.response_id, item, torn and said.audio, torn))
        if item.known:
            return effects + self._tell_server(response, item)
        self._history.remove(said.item_id)
        return effects

    def cut(self, response: Response | None, heard: PartHeard) -> list[Effect]:
        """Settle an item that was cut; *response* is None where it is over and known no more.

        One truncate or delete goes to the server; none where the item's session is gone.
        """
        part = heard.part
        here = response is not None and self._is_here(response)
        effects: list[Effect] = []
        if response is not None and here and not response.ephemeral:
            # Earlier parts of the item were heard: it can't be deleted.
            truncated = heard.played_ms or part.content_index
            effects.append(
                SendEvent(
                    events.TruncateItem(part.item_id, part.content_index, heard.played_ms)
                    if truncated
                    else events.DeleteItem(part.item_id)
                )
            )
        item = self._history.get(part.item_id)
        if item is None:
            return effects
        whole = not item.arrival.beside or response is None or (response.done and response.whole)
        item.was_heard(item.arrival.heard(item.text, heard.played_ms, heard.received_ms, whole=whole))
        if item.text:
            effects.append(self._transcript(part.response_id, item, heard.played_ms > 0, True))
        if not item.known:
            self._history.remove(part.item_id)
        elif response is not None:
            effects += self._tell_server(response, item)
        return effects

    def rest(self, response: Response) -> list[Effect]:
        """Settle the items of a cut response that the cut itself did not touch."""
        effects: list[Effect] = []
        for said in response.items.values():
            if said.audio or said.written:
                # Wholly handed to the card, or read: known to the last word.
                effects += self.whole(response, said)
            elif response.session == self._session.number and not response.done:
                self._history.remove(said.item_id)
                if not response.ephemeral:
                    effects.append(SendEvent(events.DeleteItem(said.item_id)))
        return effects

    def _is_here(self, response: Response) -> bool:
        """Return whether the session of now is up, and knows this response."""
        return self._session.up and response.session == self._session.number

    def _tell_server(self, response: Response, item: ConversationItem) -> list[Effect]:
        """Put words that were heard into the conversation, where the server has no item of them.

        So it is with what was out of band, and with a response of the last
        session that was heard out: only now is known what the new one may know.
        """
        same = response.session == self._session.number
        if not self._session.up or (same and not response.ephemeral):
            return []
        at_end = same and self._history.is_last(item)
        previous = None if at_end else self._history.before(item.item_id) or "root"
        self._put += 1
        item.rename(f"{'said' if same else 'late'}_{self._put}")
        return [SendEvent(events.CreateItem(item.item_id, "assistant", item.known, previous))]

    @staticmethod
    def _transcript(response_id: str, item: ConversationItem, estimated: bool, interrupted: bool) -> Effect:
        """Return the transcript of an item; *estimated*: its last words are known from its audio only."""
        heard = item.heard or ""
        return Publish(
            ipc.AssistantTranscript(response_id, item.item_id, item.text, heard, estimated, interrupted)
        )
