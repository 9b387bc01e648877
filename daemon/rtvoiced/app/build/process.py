"""Runs one daemon in this process: it claims the directory of the sockets, builds, and cleans up.

`rtvoiced.__main__` calls `run` when it is asked for nothing else. Only one daemon may
have a directory, and whoever comes second is to learn so at once: everything that
takes long to import is imported after the claim.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from rtvoiced.app.build.launch import REAL, Launch, Parts
from rtvoiced.audio.cards.portaudio import quiet_stderr
from rtvoiced.host import logs, paths
from rtvoiced.ipc.server.runtime import claim
from rtvoiced.realtime.providers import Provider, choose


def run(launch: Launch, parts: Parts = REAL) -> int:
    """Run one daemon until it is asked to stop; return its exit status.

    Raises `RtvoiceError` where it can't begin: `ConfigError` for the configuration,
    and an error with status 75 where another daemon has the directory.
    """
    provider = choose(launch.settings, launch.environ)
    directory = paths.runtime_dir(launch.runtime_dir, launch.environ, daemon=True, system=launch.system)
    lock = claim(directory, for_group=launch.system)
    try:
        quiet_stderr()
        logs.configure(launch.settings.log.level, launch.settings.log.format)
        return asyncio.run(_live(launch, provider, directory, parts))
    finally:
        lock.release()


async def _live(launch: Launch, provider: Provider, directory: Path, parts: Parts) -> int:
    import zmq

    from rtvoiced.app.build.daemon import build

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    daemon = build(launch, provider, directory, context, parts)
    try:
        return await daemon.run()
    finally:
        context.term()
