"""The commands that tell what is true now: `hello`, `status`, and `snapshot`, which is the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from rtvoiced.app import status
from rtvoiced.app.commands.calls import CommandCall, Handlers, handler
from rtvoiced.app.status import ShellStatus
from rtvoiced.audio.capture.front_end import FrontEnd
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.conversation.machine import Conversation
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract.replies import HelloReply, StatusReply
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.settings.runtime import RuntimeSettings


@dataclass(eq=False, repr=False)
class StatusCommands:
    """Everybody who knows a part of what is true."""

    conversation: Conversation
    shell_status: ShellStatus
    playback: PlaybackQueue
    front_end: FrontEnd
    runtime_settings: RuntimeSettings
    publisher: Publisher
    endpoints: Mapping[str, str]
    """The paths of the sockets, by what they are for."""

    def handlers(self) -> Handlers:
        """Return the rows of the table."""
        return {
            **handler(commands.Hello, self.hello),
            **handler(commands.Status, self.status),
            **handler(commands.Snapshot, self.status),
        }

    def hello(self, _call: CommandCall[commands.Hello]) -> HelloReply:
        """Return who is there."""
        return status.hello(self.endpoints, self.publisher.run)

    def status(self, _call: CommandCall[commands.Status] | CommandCall[commands.Snapshot]) -> StatusReply:
        """Return everything that is true now."""
        return status.status(
            self.conversation,
            self.shell_status,
            self.playback.progress(),
            self.front_end.echo,
            volume_percent=self.runtime_settings.now.audio.volume_percent,
            subscribers=self.publisher.subscribers,
            now=time.monotonic(),
            run=self.publisher.run,
            seq=self.publisher.seq,
        )
