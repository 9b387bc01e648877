"""Runs the embedded Realtime server as a child process: ``rtvoiced serve``.

The server never runs in the daemon's own process, for its recogniser holds the GIL
for 100 ms and more, and the audio would stutter. The link asks for the endpoint at
each attempt, so that a server that died is started again. The child tells its URL
on its only line of stdout, and it lives as long as its stdin: a daemon that is
killed takes it along.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import structlog

from rtvoiced.errors import RtvoiceError
from rtvoiced.realtime.endpoint import Endpoint

START_S = 20.0
"""Seconds until the child listens: it loads the recogniser first, which a busy machine does slowly."""
STOP_S = 1.0
"""Seconds that the child gets to end by itself; then it is killed."""
GREETING = "listening "
"""What the server says on its only line of stdout, before the URL."""

log = structlog.get_logger()


class EmbeddedServer:
    """The child of one daemon: started when its endpoint is first asked for, and again when it has died."""

    def __init__(self, log_level: str) -> None:
        self._log_level = log_level
        self._child: asyncio.subprocess.Process | None = None
        self._endpoint = Endpoint("")

    async def endpoint(self) -> Endpoint:
        """Return where the server listens; raises `RtvoiceError` where it can't be started."""
        if self._child is None or self._child.returncode is not None:
            await self.stop()
            self._child = await self._start()
        return self._endpoint

    async def stop(self) -> None:
        """End the server, if there is one, and wait until it is gone."""
        child, self._child = self._child, None
        if child is None or child.stdin is None:
            return
        child.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "rtvoiced", "serve", "--port", "0", "--while-stdin"]
        child = await asyncio.create_subprocess_exec(
            *command,
            "--log-level",
            self._log_level,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # File descriptor 2 itself is left to the sound libraries.
            stderr=sys.stderr,
            # Its own session, so that a Ctrl-C in the terminal does not reach it before us.
            start_new_session=True,
        )
        assert child.stdout is not None
        line = b""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_S):
                    line = await child.stdout.readline()
        except asyncio.CancelledError:
            # Nobody knows of this child yet: left alone it would warm up for nobody.
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            raise
        text = line.decode("utf-8", "replace").strip()
        if not text.startswith(GREETING):
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            status = await child.wait()
            raise RtvoiceError(f"the embedded server did not start (status {status}); its log says why")
        self._endpoint = Endpoint(text.removeprefix(GREETING), dialect="ga")
        log.info("embedded.started", url=self._endpoint.url, pid=child.pid)
        return child
