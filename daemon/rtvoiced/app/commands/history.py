"""The commands that tell what is past: `history` (what was said) and `replay` (what was published)."""

from __future__ import annotations

from dataclasses import dataclass

from rtvoiced.app.commands.calls import CommandCall, Handlers, handler
from rtvoiced.conversation.machine import Conversation
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract.replies import HistoryReply
from rtvoiced.ipc.server.publisher import Publisher


@dataclass(eq=False, repr=False)
class HistoryCommands:
    """The two memories: the conversation's messages and the publisher's events."""

    conversation: Conversation
    publisher: Publisher

    def handlers(self) -> Handlers:
        """Return the rows of the table."""
        return {**handler(commands.History, self.history), **handler(commands.Replay, self.replay)}

    def history(self, call: CommandCall[commands.History]) -> HistoryReply:
        """Return the newest messages, oldest first."""
        return self.conversation.history.newest(call.command.last)

    def replay(self, call: CommandCall[commands.Replay]) -> bytes:
        """Return the events past a number, as they were sent: a `ReplayReply` that is JSON already.

        Raises `CommandError` with ``gap_too_old`` where some of them are gone.
        """
        asked = call.command
        return self.publisher.replay(asked.run, asked.since, asked.events)
