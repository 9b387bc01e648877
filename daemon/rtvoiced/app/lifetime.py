"""How long the daemon lives: whoever ends it says so here, and the first reason holds.

The daemon ends because somebody asked for it (status 0), because of an expected
error that leaves it nothing to do (that error's status), or because of a bug
(status 70, after which the service manager starts a new process). Bugs come from
three places that Python keeps apart: the code that handles an input, a task of
the loop, and a callback of the loop. All three are reported here.

`build` makes the one `Lifetime`, in the running loop. The parts that can end the
daemon get it, and `Daemon.run` waits for it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import structlog

from rtvoiced import errors
from rtvoiced.errors import RtvoiceError
from rtvoiced.host.notify import ServiceNotifier

log = structlog.get_logger()


class Lifetime:
    """The end of one daemon: whether it has come, why, and with which exit status."""

    def __init__(self, notify: ServiceNotifier) -> None:
        self._loop = asyncio.get_running_loop()
        self._notify = notify
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self.reason = "stop"
        """Why it ends, as the event `bye` tells it."""

    @property
    def over(self) -> bool:
        """Whether the end has come; what happens after it changes nothing any more."""
        return self._ended.done()

    async def ended(self) -> int:
        """Wait for the end and return the exit status."""
        return await self._ended

    def end(self, exit_status: int, reason: str) -> None:
        """End the daemon, unless it ends already."""
        if not self.over:
            self.reason = reason
            self._notify.stopping(reason)
            self._ended.set_result(exit_status)

    def crash(self, where: str, error: BaseException) -> None:
        """End the daemon because of *error*, which nobody could handle."""
        if isinstance(error, RtvoiceError):
            # Expected after all: a script's voice is missing, say.
            log.critical("failed", where=where, reason=str(error))
            self.end(error.status, str(error))
            return
        log.critical("bug", where=where, exc_info=error)
        self.end(errors.INTERNAL, "bug")

    def watch_loop(self) -> None:
        """Let an exception in a callback of the loop end the daemon."""
        self._loop.set_exception_handler(self._loop_failed)

    def watch_task(self, name: str, task: asyncio.Task[None]) -> None:
        """Let an exception that ends *task* end the daemon."""
        task.add_done_callback(partial(self._task_ended, name))

    def _loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None:
            log.warning("loop", message=context.get("message"))
        elif not self.over:
            self.crash("loop", error)

    def _task_ended(self, name: str, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.over:
            self.crash(name, error)
