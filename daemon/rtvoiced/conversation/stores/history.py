"""What was said, as text: for the words heard, and to seed the next session. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtvoiced.conversation.stores.heard import WordArrival
from rtvoiced.ipc.contract import replies
from rtvoiced.vocabulary import Role

MOST_ITEMS = 500
SEEDED_ITEMS = 20


@dataclass(slots=True)
class ConversationItem:
    """One message of the conversation."""

    item_id: str
    role: Role
    text: str = ""
    """What was said; of an answer, what was generated."""
    heard: str | None = None
    """Of an answer: the words that were really played; None until it has drained or was cut."""
    shown_id: str = ""
    """The id by which the events told of it: sessions to come know it by another."""
    forgotten: bool = False
    """A fresh session was asked for while this was still to be heard."""
    arrival: WordArrival = field(default_factory=WordArrival)
    """Of an answer: how its words came beside its audio."""

    @property
    def known(self) -> str:
        """What the next session may know: of answers only what was heard."""
        if self.forgotten:
            return ""
        return self.text if self.role == "user" else self.heard or ""


class HistoryStore:
    """The conversation's messages in their order, the last `MOST_ITEMS` of them."""

    def __init__(self) -> None:
        self._items: list[ConversationItem] = []

    def add(self, item_id: str, role: Role, previous: str | None = None) -> ConversationItem:
        """Return the item of this id, which is put after *previous* (else last) when it is new."""
        known = self.get(item_id)
        if known is not None:
            return known
        item = ConversationItem(item_id, role, shown_id=item_id)
        self._items.insert(self._place(previous), item)
        del self._items[:-MOST_ITEMS]
        return item

    def get(self, item_id: str) -> ConversationItem | None:
        """Return the item of this id, or None."""
        return next((each for each in reversed(self._items) if each.item_id == item_id), None)

    def remove(self, item_id: str) -> None:
        """Forget an item that nobody heard."""
        self._items = [each for each in self._items if each.item_id != item_id]

    def forget(self) -> None:
        """The next session starts fresh; an answer that still sounds keeps its words, for its transcript."""
        self._items = [each for each in self._items if each.role == "assistant" and each.heard is None]
        for each in self._items:
            each.forgotten = True

    def before(self, item_id: str) -> str | None:
        """Return the id of the nearest earlier item that the server can know, or None."""
        earlier = None
        for each in self._items:
            if each.item_id == item_id:
                return earlier
            if each.known:
                earlier = each.item_id
        return earlier

    def is_last(self, item: ConversationItem) -> bool:
        """Return True when nothing was said after *item*."""
        return self._items[-1:] == [item]

    def seeds(self) -> list[ConversationItem]:
        """Return the items that a new session is told, oldest first."""
        return [each for each in self._items if each.known][-SEEDED_ITEMS:]

    def history(self, last: int | None) -> replies.HistoryReply:
        """Return the newest messages of which there are words, at most *last*."""
        told = [item for item in self._items if item.text and not item.forgotten]
        newest = told[-(last or MOST_ITEMS) :]
        items = [replies.HistoryItem(item.shown_id, item.role, item.text, item.heard) for item in newest]
        return replies.HistoryReply(items, more=len(newest) < len(told))

    def _place(self, previous: str | None) -> int:
        for index in range(len(self._items) - 1, -1, -1):
            if self._items[index].item_id == previous:
                return index + 1
        return len(self._items)
