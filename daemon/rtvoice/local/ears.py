"""Hearing: hands audio to the recogniser's process and gives back its words, in order."""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
import sys

import structlog

from rtvoice.audio.pcm import WIRE

LONGEST_MS = 30_000
"""What is said after that is not heard: recognition takes 1 % of it, and no command is so long."""
PATIENCE_S = 20.0
"""For one recognition, loading included: on a stalled machine too."""
ATTEMPTS = 2
"""A worker that died between two questions is found dead at the second."""

log = structlog.get_logger()


class Ears:
    """The recogniser that all sessions share; it starts at the first need, and again when it died."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._worker: list[asyncio.subprocess.Process] = []
        self._owed = 0
        """Answers that the worker has not given yet; those of questions that were cancelled are skipped."""

    async def warm_up(self) -> None:
        """Start the worker before somebody waits for it."""
        await self.hear(b"")

    async def hear(self, audio: bytes) -> str | None:
        """Return the words in *audio*, PCM at 24 kHz.

        Empty when they were none that it knows, None when the recogniser is broken.
        """
        heard = audio[: WIRE.size(LONGEST_MS)]
        async with self._turn:
            for _ in range(ATTEMPTS):
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        return await self._ask(heard)
                except (OSError, TimeoutError, EOFError) as error:
                    log.warning("ears.failed", error=type(error).__name__)
                    await self._discard()
        return None

    async def close(self) -> None:
        """End the worker."""
        async with self._turn:
            await self._discard()

    async def _ask(self, audio: bytes) -> str:
        if not self._worker:
            self._worker.append(await _start())
        stdin, stdout = self._worker[0].stdin, self._worker[0].stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(struct.pack("<I", len(audio)) + audio)
        self._owed += 1
        await stdin.drain()
        line = b""
        while self._owed:
            line = await stdout.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            self._owed -= 1
        return str(json.loads(line))

    async def _discard(self) -> None:
        self._owed = 0
        while self._worker:
            worker = self._worker.pop()
            if worker.returncode is None:
                worker.kill()
            assert worker.stdin is not None
            worker.stdin.close()
            # communicate() also drains and closes the other pipe, whose transport would warn else.
            await worker.communicate()


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rtvoice.local.ears_worker", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
