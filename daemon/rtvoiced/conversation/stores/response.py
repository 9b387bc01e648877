"""One response of the server, and the messages that it consists of. Pure.

The records of `ResponseStore`, which alone writes them, by their methods.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class OutputItem:
    """One message of a response."""

    item_id: str
    audio: bool = False
    """Audio of it has come."""
    written: bool = False
    """It comes as text instead of audio."""
    text_done: bool = False
    """All its words are here."""
    played_ms: int = 0
    """How much was played of its parts that were heard to their end."""
    playing: set[int] = field(default_factory=set)
    """Content parts of which audio has come and is not heard to its end."""

    def on_audio(self, content_index: int) -> None:
        """Audio of a content part has come."""
        self.audio = True
        self.playing.add(content_index)

    def on_text(self, *, written: bool) -> None:
        """Words have come, *written* instead of spoken ones."""
        self.written = self.written or written

    def on_text_done(self, *, written: bool) -> None:
        """The last words have come."""
        self.text_done, self.written = True, self.written or written

    def on_drained(self, content_index: int, played_ms: int) -> None:
        """A content part was heard to its end."""
        self.playing.discard(content_index)
        self.played_ms += played_ms


@dataclass(slots=True)
class Response:
    """A response of the server, from ``response.created`` until it has drained or was cut."""

    response_id: str
    request_id: str | None
    """The id that a client chose for the command that it answers."""
    session: int
    """Number of the session that it belongs to."""
    cut: bool = False
    """It was cut, or never wanted: what it still announces is deleted."""
    done: bool = False
    """The server will send no more of it."""
    keys: tuple[str, ...] = ()
    """The requests that it answers."""
    ephemeral: bool = False
    """It is out of band: the conversation has no item of it but the words heard, which we put there."""
    protected: bool = False
    """Nobody interrupts it by speaking."""
    whole: bool = False
    """The server has sent all that it meant to say."""
    items: dict[str, OutputItem] = field(default_factory=dict)
    """Its messages that are not yet over, by item id."""

    @property
    def over(self) -> bool:
        """Nothing of it will come, and nothing of it is to be heard."""
        return self.done and not self.items

    def item(self, item_id: str) -> OutputItem:
        """Return its message of this id, which begins where there is none yet."""
        return self.items.setdefault(item_id, OutputItem(item_id))

    def drop_item(self, item_id: str) -> None:
        """Forget a message that is over."""
        del self.items[item_id]

    def drop_items(self) -> None:
        """Forget all messages: the response was cut."""
        self.items.clear()

    def on_done(self) -> None:
        """The server sends no more of it."""
        self.done = True

    def on_whole(self, *, whole: bool) -> None:
        """The server says whether it has sent all that it meant to say."""
        self.whole = whole

    def on_cut(self) -> None:
        """It was cut."""
        self.cut = True

    def unprotect(self) -> None:
        """Let it be interrupted by speaking."""
        self.protected = False
