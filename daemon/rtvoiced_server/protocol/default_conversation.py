"""The default conversation: its items in their order, and bounds on what they hold.

Items come in at the end, at the beginning or behind another item; the oldest go
when there are too many. Responses out of band leave no trace in it. Who takes an
item out or shortens it lets go of its audio, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from rtvoiced_server.protocol.items import ConversationEntry, FunctionCallItem, MessageItem
from rtvoiced_server.protocol.wire import Refused

MOST_ITEMS = 500
"""Above that the oldest items go, as the real server's context does with truncation "auto"."""
MOST_CHARACTERS = 32 << 20
"""Characters of texts and pictures in all items: 32 Mi; above that the oldest go, too."""
MOST_AUDIO = 32 << 20
"""Bytes of audio that are kept for retrieval: 32 MiB, 11 minutes; of older items only the words stay."""


class DefaultConversation:
    """The items of one session, oldest first."""

    def __init__(self) -> None:
        self._items: list[ConversationEntry] = []

    def __iter__(self) -> Iterator[ConversationEntry]:
        return iter(self._items)

    def find(self, item_id: object) -> ConversationEntry | None:
        """Return the item of this id, if there is one."""
        return next((item for item in self._items if item.id == item_id), None)

    def called(self, call_id: str) -> bool:
        """Tell whether a function's call has this id."""
        return any(isinstance(item, FunctionCallItem) and item.call_id == call_id for item in self._items)

    def add(self, item: ConversationEntry, after: object = None) -> str | None:
        """Put *item* at the end, first (after "root") or behind the item *after*; return the id before it.

        Raises `Refused` where its id is taken, or *after* is no item.
        """
        if self.find(item.id) is not None:
            raise Refused(
                "item_create_duplicate_item_id",
                f"Error adding item: an item with id '{item.id}' already exists.",
                "item.id",
            )
        at = len(self._items)
        if after == "root":
            at = 0
        elif after is not None:
            at = self._place(after)
        previous = self._items[at - 1].id if at else None
        self._items.insert(at, item)
        self._bound()
        return previous

    def remove(self, item: ConversationEntry) -> None:
        """Take *item* out, and let go of its audio."""
        self._items.remove(item)
        if isinstance(item, MessageItem):
            item.drop_audio()

    def _place(self, after: object) -> int:
        for n, item in enumerate(self._items):
            if item.id == after:
                return n + 1
        raise Refused(
            "item_create_invalid_previous_item_id",
            f"Error adding item: the previous item with id '{after}' does not exist.",
            "previous_item_id",
        )

    def _bound(self) -> None:
        """Let the oldest items go; at least the newest stays whole."""
        kept: list[ConversationEntry] = []
        characters = audio = 0
        for item in reversed(self._items):
            characters += item.size
            audio += item.audio_size if isinstance(item, MessageItem) else 0
            full = len(kept) == MOST_ITEMS or (characters > MOST_CHARACTERS and bool(kept))
            if isinstance(item, MessageItem) and (full or (audio > MOST_AUDIO and kept)):
                item.drop_audio()
            if full:
                break
            kept.append(item)
        for gone in self._items[: -len(kept)]:
            if isinstance(gone, MessageItem):
                gone.drop_audio()
        del self._items[: -len(kept)]
