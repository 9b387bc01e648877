"""Answers each command once: it looks the handler up, calls it, and sends what comes of it.

The control socket posts the calls into a mailbox, from which the service takes
them in the same turn of the loop. The answer goes out through the same socket:
at once, when a slow handler is done, or when the conversation has decided
(`reply` and `refuse`, which the effects of those names call).

The service knows no single command. A command that no handler is for is a bug, and
the constructor raises for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from rtvoiced.app.commands.calls import CommandCall, Handlers, PassOn
from rtvoiced.app.lifetime import Lifetime
from rtvoiced.app.mailbox import Mailbox
from rtvoiced.conversation.effects import ConversationReply
from rtvoiced.conversation.inputs import Input
from rtvoiced.errors import CommandError
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.declaration import Reply
from rtvoiced.ipc.server.control import Control


class CommandService:
    """The table of handlers at work; raises TypeError where a command has none."""

    def __init__(
        self,
        calls: Mailbox[CommandCall[Any]],
        control: Control,
        handlers: Handlers,
        inputs: Mailbox[Input],
        lifetime: Lifetime,
    ) -> None:
        if missing := sorted(name for name, command in COMMANDS.items() if command not in handlers):
            raise TypeError(f"no handler for {', '.join(missing)}")
        self._calls = calls
        self._control = control
        self._handlers = handlers
        self._inputs = inputs
        self._lifetime = lifetime
        self._slow: set[asyncio.Task[None]] = set()
        """The handlers that still look for an answer."""
        self._passed_on: dict[int, Callable[[bool], None]] = {}
        """Who is told, by ticket, when the conversation has decided."""
        calls.taken_by(self._serve)

    def reply(self, ticket: int, reply: ConversationReply) -> None:
        """Answer for the conversation: the command was carried out."""
        self._decided(ticket, carried_out=True)
        self._control.reply(ticket, reply)

    def refuse(self, ticket: int, error: CommandError) -> None:
        """Answer for the conversation: the command was not carried out."""
        self._decided(ticket, carried_out=False)
        self._control.refuse(ticket, error)

    async def close(self) -> None:
        """End the handlers that still look for an answer, and wait until they are gone."""
        slow = list(self._slow)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    def _serve(self) -> None:
        call = self._calls.take()
        try:
            outcome = self._handlers[type(call.command)](call)
        except CommandError as error:
            self._control.refuse(call.ticket, error)
            return
        if isinstance(outcome, PassOn):
            if outcome.answered is not None:
                self._passed_on[call.ticket] = outcome.answered
            self._inputs.post(outcome.happened)
        elif isinstance(outcome, Coroutine):
            task = asyncio.create_task(self._answer(call.ticket, outcome))
            self._slow.add(task)
            task.add_done_callback(self._slow.discard)
            self._lifetime.watch_task("command", task)
        else:
            self._control.reply(call.ticket, outcome)

    async def _answer(self, ticket: int, work: Coroutine[Any, Any, Reply]) -> None:
        try:
            self._control.reply(ticket, await work)
        except CommandError as error:
            self._control.refuse(ticket, error)

    def _decided(self, ticket: int, *, carried_out: bool) -> None:
        if answered := self._passed_on.pop(ticket, None):
            answered(carried_out)
