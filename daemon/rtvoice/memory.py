"""What was said, as text: for the words heard, and to seed the next session. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MOST_ITEMS = 500
SEEDED_ITEMS = 20


@dataclass(slots=True)
class Item:
    """One message of the conversation."""

    item_id: str
    role: str
    text: str = ""
    """What was said; of an answer, what was generated."""
    heard: str | None = None
    """Of an answer: the words that were really played; None until it has drained or was cut."""
    forgotten: bool = False
    """A fresh session was asked for while this was still to be heard."""

    @property
    def known(self) -> str:
        """What the next session may know: of answers only what was heard."""
        if self.forgotten:
            return ""
        return self.text if self.role == "user" else self.heard or ""


class Memory:
    """The conversation's messages in their order, the last `MOST_ITEMS` of them."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def add(self, item_id: str, role: str, previous: str | None = None) -> Item:
        """Return the item of this id, which is put after *previous* (else last) when it is new."""
        known = self.get(item_id)
        if known is not None:
            return known
        item = Item(item_id, role)
        self._items.insert(self._place(previous), item)
        del self._items[:-MOST_ITEMS]
        return item

    def get(self, item_id: str) -> Item | None:
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

    def seeds(self) -> list[Item]:
        """Return the items that a new session is told, oldest first."""
        return [each for each in self._items if each.known][-SEEDED_ITEMS:]

    def _place(self, previous: str | None) -> int:
        for index in range(len(self._items) - 1, -1, -1):
            if self._items[index].item_id == previous:
                return index + 1
        return len(self._items)


def words_heard(text: str, played_ms: int, received_ms: int) -> str:
    """Return the share played_ms / received_ms of *text*, cut back to the end of a word.

    An estimate: speech is not evenly spread over its letters.
    """
    if played_ms >= received_ms:
        return text.strip() if received_ms else ""
    end = len(text) * played_ms // received_ms
    while end and not _between_words(text[end - 1], text[end]):
        end -= 1
    return text[:end].strip()


def _between_words(before: str, after: str) -> bool:
    return before.isspace() or after.isspace() or _is_word(before) or _is_word(after)


def _is_word(letter: str) -> bool:
    """Return True for Chinese and Japanese characters and their punctuation, which stand without spaces."""
    code = ord(letter)
    return 0x3000 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0x20000 <= code <= 0x3FFFF


LETTERS_PER_S = 15
"""Of English read aloud."""


def words_of_part(text: str, played_ms: int, received_ms: int) -> str:
    """Return the words heard of an item whose audio has not all come.

    Its transcript runs ahead of the audio by a sentence or so: the audio of all of
    *text* is taken to last as long as it takes to say it, if that is longer than
    what has come.
    """
    return words_heard(text, played_ms, max(received_ms, len(text) * 1000 // LETTERS_PER_S))
