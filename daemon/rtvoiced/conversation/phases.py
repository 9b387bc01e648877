"""The phases of a conversation, and which may follow which. Pure.

The phase is one field of `ConversationState`; each holds exactly what is true
in it. `word` is how subscribers see it. `ConversationState.enter` is its only
writer, and holds every change against `ALLOWED`: one that does not stand there
is a bug, and ends the daemon. The diagram in docs/architecture.md is made from
that table (`make generate`).
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
    """None while push-to-talk is pressed: the item gets its id when the key is released."""

    word: ClassVar[PhaseWord] = "hearing"


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Speech has ended or a response was asked for; `response.created` is not yet here."""

    word: ClassVar[PhaseWord] = "thinking"


@dataclass(frozen=True, slots=True)
class Thinking:
    """The server makes a response of which nothing can be played yet; an earlier one may still sound."""

    response_id: str

    word: ClassVar[PhaseWord] = "thinking"


@dataclass(frozen=True, slots=True)
class Speaking:
    """The speaker plays a response."""

    response_id: str
    generating: bool = True
    """False once the server has sent everything."""

    word: ClassVar[PhaseWord] = "speaking"


Phase = Idle | Listening | Hearing | Awaiting | Thinking | Speaking

ALLOWED: dict[type[Phase], frozenset[type[Phase]]] = {
    # A session is configured.
    Idle: frozenset({Listening}),
    # Somebody speaks; a response is asked for, or the server begins one; the session is gone.
    Listening: frozenset({Idle, Hearing, Awaiting, Thinking}),
    # The turn ends, or the next one begins; what was said over (``manual``, or a protected `say`) may go on.
    Hearing: frozenset({Idle, Listening, Hearing, Awaiting, Thinking, Speaking}),
    # The response begins, or none comes; what a protected `say` still plays goes on.
    Awaiting: frozenset({Idle, Listening, Hearing, Thinking, Speaking}),
    # Its first sound comes, or none; another response takes its place.
    Thinking: frozenset({Idle, Listening, Hearing, Thinking, Speaking}),
    # It ends or is cut; it sounds on while the next is asked for or made.
    Speaking: frozenset({Idle, Listening, Hearing, Awaiting, Thinking, Speaking}),
}
"""By phase: those that may follow it. One that follows itself does so with other fields."""


class TransitionError(Exception):
    """A bug: a phase was entered that can't follow the one of now."""


def check_transition(before: Phase, after: Phase) -> None:
    """Raise `TransitionError` unless *after* may follow *before*, or is the same."""
    if after != before and type(after) not in ALLOWED[type(before)]:
        raise TransitionError(f"{after} can't follow {before}")
