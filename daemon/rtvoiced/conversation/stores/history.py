"""What was said, as text: for `history`, for the words heard, and to seed the next session. Pure.

The items of both sides stand here in the order of the conversation. The user's
come from `UtteranceStore` and `ResponseRequests`, the assistant's from
`ResponseStore`. Of what the assistant said there are two texts: what was
generated, and what of it was heard; only the latter is ever told to a server.

A new session knows nothing. It is told the last `SEEDED_ITEMS` items, unless a
fresh one was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtvoiced.conversation.stores.heard import WordArrival
from rtvoiced.ipc.contract import replies
from rtvoiced.vocabulary import Role

MOST_ITEMS = 500
"""How many items are kept; `history` shows no more."""
SEEDED_ITEMS = 20
"""How many of them a new session is told."""


@dataclass(slots=True)
class ConversationItem:
    """One message of the conversation."""

    item_id: str
    """As the session of now knows it."""
    role: Role
    text: str = ""
    """What was said; of the assistant, what was generated."""
    heard: str | None = None
    """Of the assistant: the words that were really played; None until that is known."""
    shown_id: str = ""
    """The id by which the events told of it: sessions to come know it by another."""
    forgotten: bool = False
    """A fresh session was asked for while this was still to be heard."""
    arrival: WordArrival = field(default_factory=WordArrival)
    """Of the assistant: how its words came beside its audio."""

    @property
    def known(self) -> str:
        """What a new session may know: of the assistant only what was heard."""
        if self.forgotten:
            return ""
        return self.text if self.role == "user" else self.heard or ""

    def write(self, text: str) -> None:
        """Take *text* for all that was said."""
        self.text = text

    def append(self, text: str) -> None:
        """Take *text* for the next words."""
        self.text += text

    def was_heard(self, words: str) -> None:
        """Take *words* for all that was played of it."""
        self.heard = words

    def rename(self, item_id: str) -> None:
        """Let it have the id by which a server knows it from now on."""
        self.item_id = item_id

    def forget(self) -> None:
        """Tell no session of it: it is kept only until it has been heard."""
        self.forgotten = True


class HistoryStore:
    """The conversation's items in their order, the last `MOST_ITEMS` of them."""

    def __init__(self) -> None:
        self._items: list[ConversationItem] = []
        self._fresh = False
        """The session to come is told nothing of what was said."""

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

    def start_fresh(self) -> None:
        """Somebody asked for a fresh session: the next one is told nothing of what was said until then."""
        self._fresh = True
        self.forget()

    def on_session_gone(self) -> None:
        """The session is over: what was said since a fresh one was asked for is forgotten, too."""
        if self._fresh:
            self.forget()

    def on_session_up(self) -> None:
        """A session is up; what is said from now on, the one after it is told."""
        self._fresh = False

    def forget(self) -> None:
        """Forget all; only what still sounds keeps its words, for its transcript."""
        self._items = [each for each in self._items if each.role == "assistant" and each.heard is None]
        for each in self._items:
            each.forget()

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
        """Return whether nothing was said after *item*."""
        return self._items[-1:] == [item]

    def seeds(self) -> list[ConversationItem]:
        """Return the items that a new session is told, oldest first."""
        return [each for each in self._items if each.known][-SEEDED_ITEMS:]

    def newest(self, last: int | None) -> replies.HistoryReply:
        """Return the newest messages of which there are words, at most *last* (None: all that are kept)."""
        worded = [item for item in self._items if item.text and not item.forgotten]
        newest = worded[-(last or MOST_ITEMS) :]
        items = [replies.HistoryItem(item.shown_id, item.role, item.text, item.heard) for item in newest]
        return replies.HistoryReply(items, more=len(newest) < len(worded))

    def _place(self, previous: str | None) -> int:
        for index in range(len(self._items) - 1, -1, -1):
            if self._items[index].item_id == previous:
                return index + 1
        return len(self._items)
