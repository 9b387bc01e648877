"""What a handler of a command is given, and what it may return."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rtvoiced.conversation.inputs import Input
from rtvoiced.ipc.contract.declaration import Reply
from rtvoiced.ipc.contract.protocol import Request

Command_ = TypeVar("Command_")


@dataclass(frozen=True, slots=True)
class CommandCall(Generic[Command_]):
    """One command that arrived and waits for its answer."""

    ticket: int
    """Where the answer goes (`Control.reply`, `Control.refuse`)."""
    command: Command_
    request_id: str | None = None
    """The id that the client chose; events that come of the command carry it."""
    expires: float | None = None
    """CLOCK_MONOTONIC seconds at which the client gives up waiting, or None."""


@dataclass(frozen=True, slots=True)
class PassOn:
    """The conversation decides: it gets *happened* and answers the ticket of the call."""

    happened: Input
    answered: Callable[[bool], None] | None = None
    """Called just before the answer goes out: True where the command was carried out."""


Outcome = Reply | bytes | Coroutine[Any, Any, Reply] | PassOn
"""What a handler returns; bytes are the data of a reply, as JSON already."""
Handler = Callable[[CommandCall[Any]], Outcome]
Handlers = dict[type[Any], Handler]
"""The handler by the class of the command."""


def call_of(ticket: int, request: Request) -> CommandCall[Any]:
    """Return the call that *request* stands for."""
    return CommandCall(ticket, request.command, request.id, request.expires)


def handler(
    command: type[Command_], handle: Callable[[CommandCall[Command_]], Outcome]
) -> dict[type[Any], Handler]:
    """Return one row of the table; the type checker holds *handle* to *command*."""
    return {command: handle}
