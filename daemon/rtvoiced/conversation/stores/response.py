"""One answer of the assistant, and the messages that it consists of. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class OutputItem:
    """One message of an answer."""

    item_id: str
    audio: bool = False
    """Audio of it has come."""
    written: bool = False
    """It comes as text instead of audio."""
    text_done: bool = False
    played_ms: int = 0
    """Of the parts that were heard to their end."""
    playing: set[int] = field(default_factory=set)
    """Content parts of which audio has come and is not heard to its end."""


@dataclass(slots=True)
class Response:
    """A response of the server."""

    response_id: str
    request: str | None
    session: int
    """Number of the session that it belongs to."""
    cut: bool = False
    """It was cut, or never wanted: what it still announces is deleted."""
    done: bool = False
    """The server will send no more of it."""
    keys: tuple[str, ...] = ()
    """The questions that it answers, by item id."""
    ephemeral: bool = False
    """It is out of band: the conversation has no item of it but the words heard, which we put there."""
    protected: bool = False
    """Nobody interrupts it by speaking."""
    whole: bool = False
    """The server has sent all that it meant to say."""
    said: dict[str, OutputItem] = field(default_factory=dict)
