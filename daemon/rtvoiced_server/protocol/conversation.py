"""The default conversation: its items in their order, bounded."""

from __future__ import annotations

from collections.abc import Iterator

from rtvoiced_server.protocol.items import Call, Item, Message
from rtvoiced_server.protocol.wire import Refused

MOST_ITEMS = 500
"""The oldest go then, as the real server's context does with truncation "auto"."""
MOST_CHARACTERS = 32 << 20
"""Of texts and pictures, of all items: the oldest go then, too."""
MOST_AUDIO = 32 << 20
"""Bytes of audio that are kept for retrieval: 11 minutes; of older items only the words stay."""


class Conversation:
    """The items in their order."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def find(self, item_id: object) -> Item | None:
        """Return the item of this id, if there is one."""
        return next((item for item in self._items if item.id == item_id), None)

    def called(self, call_id: str) -> bool:
        """Whether a tool's call has this id."""
        return any(isinstance(item, Call) and item.call_id == call_id for item in self._items)

    def add(self, item: Item, after: object = None) -> str | None:
        """Put *item* at the end, first (after "root") or after an id; return the id before it."""
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

    def remove(self, item: Item) -> None:
        """Take *item* out, and let go of its audio."""
        self._items.remove(item)
        if isinstance(item, Message):
            item.silence()

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
        """Let the oldest go; of what stays at least the newest stays whole."""
        kept: list[Item] = []
        characters = audio = 0
        for item in reversed(self._items):
            characters += item.size
            audio += item.audio_size if isinstance(item, Message) else 0
            full = len(kept) == MOST_ITEMS or (characters > MOST_CHARACTERS and bool(kept))
            if isinstance(item, Message) and (full or (audio > MOST_AUDIO and kept)):
                item.silence()
            if full:
                break
            kept.append(item)
        for gone in self._items[: -len(kept)]:
            if isinstance(gone, Message):
                gone.silence()
        del self._items[: -len(kept)]
