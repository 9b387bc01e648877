"""One thing that we ask the server to answer, and how far it has come. Pure.

The records of `ResponseRequests`, which alone moves them from stage to stage.
They are immutable: a request in another stage is another value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar

from rtvoiced.realtime import events


class RequestStage(Enum):
    """How far a request has come."""

    NEW = auto()
    """Nobody knows of it but us."""
    TOLD = auto()
    """Subscribers have its text; the session that had its item is gone."""
    ADDED = auto()
    """All that it needs stands in the conversation; its response is to be asked for."""
    ASKED = auto()
    """Its response was asked for, and is not created yet."""
    UNWANTED = auto()
    """The same, but it was interrupted: its response is cancelled as soon as it has an id."""


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A text that is to be answered: the command `ask`."""

    key: str
    """Its name, and the id of its item."""
    request_id: str | None
    """The id that the client chose for the command; events that come of it carry it."""
    text: str
    stage: RequestStage = RequestStage.NEW
    event_id: str = ""
    """Of the ``response.create``, once it is sent."""
    tries: int = 0
    """How often it was asked."""

    kind: ClassVar[str | None] = None
    """What the metadata of its response says."""
    patient: ClassVar[bool] = False
    """It waits until nothing sounds."""


@dataclass(frozen=True, slots=True)
class SayRequest:
    """A text that is to be spoken: the command `say`."""

    key: str
    """Its name."""
    request_id: str | None
    """The id that the client chose for the command; events that come of it carry it."""
    text: str
    protected: bool
    """Nobody interrupts it by speaking."""
    stage: RequestStage = RequestStage.NEW
    event_id: str = ""
    """Of the ``response.create``, once it is sent."""
    tries: int = 0
    """How often it was asked."""

    kind: ClassVar[str] = events.SAY

    @property
    def patient(self) -> bool:
        """It waits until nothing sounds: what is protected begins when all else is silent."""
        return self.protected


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What the user said; its items stand in the conversation already."""

    key: str
    """Its name."""
    stage: RequestStage = RequestStage.ADDED
    event_id: str = ""
    """Of the ``response.create``, once it is sent."""
    tries: int = 0
    """How often it was asked."""

    kind: ClassVar[str] = events.TURN
    patient: ClassVar[bool] = True
    request_id: ClassVar[None] = None


ResponseRequest = AskRequest | SayRequest | TurnRequest


def about(request: ResponseRequest | None) -> dict[str, Any]:
    """Return the details of an error that concerns *request*."""
    return {"request": request.request_id} if request is not None and request.request_id else {}
