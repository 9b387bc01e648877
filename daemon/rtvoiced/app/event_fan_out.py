"""Tells every published event to everybody in the daemon who wants to know of it.

The subscribers get it from the `Publisher`. The counters of `stats`, what
`status` remembers of the shells, and the transcript on the terminal are kept from
the same events, so that none of them can say something else than the subscribers
were told.

The conversation publishes through the effect `Publish`. The shells publish only
what no input can stand for: that a reload failed, or that the sound system
hangs. The events `level`, `heartbeat` and `bye` do not come this way: the
`Publisher` sends them uncounted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from rtvoiced.app.stats import StatsRecorder
from rtvoiced.app.status import ShellStatus
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.events import IpcEvent
from rtvoiced.ipc.server.publisher import Publisher

log = structlog.get_logger()


class EventFanOut:
    """Everybody who is told of an event; *show* is the transcript, or does nothing."""

    def __init__(
        self,
        publisher: Publisher,
        stats: StatsRecorder,
        shell_status: ShellStatus,
        show: Callable[[IpcEvent], None],
    ) -> None:
        self._publisher = publisher
        self._stats = stats
        self._shell_status = shell_status
        self._show = show

    def publish(self, event: IpcEvent) -> None:
        """Tell everybody of *event*; an `error` is logged as well."""
        if isinstance(event, ipc.Error):
            log.warning("error", code=event.code, message=event.message)
        self._shell_status.published(event, time.time())
        self._stats.published(event, time.monotonic())
        self._publisher.publish(event)
        self._show(event)
