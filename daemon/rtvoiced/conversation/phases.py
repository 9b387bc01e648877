"""The states of a conversation: each holds exactly what is true in it. Pure.

`word` is how subscribers see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rtvoiced.vocabulary import PhaseWord


@dataclass(frozen=True, slots=True)
class Idle:
    """No session is configured, and nothing plays."""

    word: ClassVar[PhaseWord] = "idle"


@dataclass(frozen=True, slots=True)
class Listening:
    """Nobody speaks."""

    word: ClassVar[PhaseWord] = "listening"


@dataclass(frozen=True, slots=True)
class Hearing:
    """The user speaks."""

    item_id: str | None
    """None while push-to-talk is pressed: the item gets its id when it is released."""

    word: ClassVar[PhaseWord] = "hearing"


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Speech has ended or a response was asked for; `response.created` is not yet here."""

    word: ClassVar[PhaseWord] = "thinking"


@dataclass(frozen=True, slots=True)
class Thinking:
    """The server makes an answer of which nothing can be played yet; an earlier one may still sound."""

    response_id: str

    word: ClassVar[PhaseWord] = "thinking"


@dataclass(frozen=True, slots=True)
class Speaking:
    """The speaker plays an answer."""

    response_id: str
    generating: bool = True
    """False once the server has sent everything."""

    word: ClassVar[PhaseWord] = "speaking"


Phase = Idle | Listening | Hearing | Awaiting | Thinking | Speaking
