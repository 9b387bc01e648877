"""The embedded server as a child: started when asked for, again when it died, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from rtvoiced.app.embedded_server import EmbeddedServer
from rtvoiced.realtime.endpoint import is_loopback

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for children"),
]


def children() -> set[int]:
    """Return the pids of our own children."""
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_it_is_started_once_again_when_it_died_and_ended_with_us() -> None:
    async def main() -> None:
        server, before = EmbeddedServer("warning"), children()
        first = await server.endpoint()
        assert (is_loopback(first.url), first.dialect) == (True, "ga")
        assert await server.endpoint() == first
        (pid,) = children() - before
        os.kill(pid, signal.SIGKILL)
        while (second := await server.endpoint()) == first:  # noqa: ASYNC110 - the loop learns of it later
            await asyncio.sleep(0.005)
        assert is_loopback(second.url)
        await server.stop()
        assert children() == before
        await server.stop()

    asyncio.run(main())


def test_a_start_that_is_given_up_leaves_nobody_behind() -> None:
    async def main() -> None:
        server, before = EmbeddedServer("warning"), children()
        start = asyncio.create_task(server.endpoint())
        while children() == before:  # noqa: ASYNC110 - nobody tells of a child that is forked
            await asyncio.sleep(0)
        start.cancel()
        await asyncio.wait((start,))
        assert (start.cancelled(), children()) == (True, before)

    asyncio.run(main())
