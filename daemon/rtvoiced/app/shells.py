"""The parts that talk to the outside: begun together, and ended in an order that loses nothing.

The order of the end is the point of this module:

1. the timers, so that nothing new happens,
2. the commands that are still open: each is refused with ``shutting_down``,
3. the event `bye`, the last that subscribers get,
4. the last words to the server (`FLUSH_S`): what was heard of the answer that was cut,
5. everything else at once, within `CLOSE_S`. What hangs is left behind: the process ends
   within 2 s, whatever a driver or a server does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from rtvoiced.app.commands.service import CommandService
from rtvoiced.app.embedded_server import EmbeddedServer
from rtvoiced.app.lifetime import Lifetime
from rtvoiced.app.timers import Timers
from rtvoiced.audio.cards.device_list import DeviceList
from rtvoiced.audio.cards.device_watch import DeviceWatch
from rtvoiced.audio.thread.duplex import Duplex
from rtvoiced.conversation.timers import TimerKey
from rtvoiced.host.heartbeat import HeartbeatLoop
from rtvoiced.ipc.server.control import Control
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.realtime.link import Link

FLUSH_S = 0.2
"""Seconds that the last words to the server may take."""
CLOSE_S = 1.5
"""Seconds that everything may take to close; with `FLUSH_S`, and 0.2 s for `bye`, it stays below 2 s."""

log = structlog.get_logger()


@dataclass(eq=False, repr=False)
class Shells:
    """All that is begun when the daemon runs and has to be closed when it ends."""

    timers: Timers[TimerKey]
    control: Control
    publisher: Publisher
    link: Link
    audio: Duplex
    embedded_server: EmbeddedServer
    commands: CommandService
    heartbeat: HeartbeatLoop
    device_watch: DeviceWatch
    device_list: DeviceList
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """The tasks that run for the daemon's life, by the name in the log."""

    def start(self, lifetime: Lifetime) -> None:
        """Begin; a bug in one of the tasks ends *lifetime*."""
        self.audio.start()
        for name, work in (
            ("link", self.link.run()),
            ("heartbeat", self.heartbeat.run()),
            ("devices", self.device_watch.run(self.audio.available)),
        ):
            self._tasks[name] = asyncio.create_task(work)
            lifetime.watch_task(name, self._tasks[name])

    async def close(self, reason: str) -> None:
        """Close everything; *reason* is what `bye` tells."""
        self._tasks["heartbeat"].cancel()
        log.info("stopping", reason=reason)
        self.timers.clear_all()
        self.control.close()
        self.publisher.close(reason)
        await self.link.flush(FLUSH_S)
        link, device_watch = self._tasks["link"], self._tasks["devices"]
        link.cancel()
        device_watch.cancel()
        try:
            async with asyncio.timeout(CLOSE_S):
                stopped = asyncio.to_thread(self.audio.stop)
                children = (self.embedded_server.stop(), self.commands.close(), self.device_list.close())
                await asyncio.gather(link, device_watch, stopped, *children, return_exceptions=True)
        except TimeoutError:
            log.warning("stopping.left_behind")
