"""Recognisers in processes of their own, started at the first need, and again when they died.

A process answers in order, one request at a time; a pool gives each request to the
process that has time. Requests and answers are those of
`rtvoiced_server.speech.recogniser_worker`. A caller may be cancelled: the answer that
it does not wait for is read and skipped at the next request.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence

import structlog

from rtvoiced_server.speech.recogniser import RecognisedSpeech, RecogniserTask

PROGRAM = (sys.executable, "-m", "rtvoiced_server.speech.recogniser_worker")
PATIENCE_S = 20.0
"""How long one recognition may take, loading included, on a stalled machine too."""
ATTEMPTS = 2
"""How often a request is made: a process that died between two of them is found dead at the second."""

log = structlog.get_logger()


class RecogniserProcess:
    """One process, which answers one request at a time."""

    def __init__(self, program: Sequence[str]) -> None:
        self._program = program
        self._process: list[asyncio.subprocess.Process] = []
        self._owed = 0
        """How many answers it has not given yet; those of requests that were cancelled are skipped."""

    @property
    def delay(self) -> tuple[bool, int]:
        """What a request would wait for: the start of the process, and older answers. Less is sooner."""
        return not self._process, self._owed

    async def ask(self, asked: dict[str, object], audio: bytes) -> RecognisedSpeech | None:
        """Return the answer; None when the process can't give one."""
        for _ in range(ATTEMPTS):
            try:
                async with asyncio.timeout(PATIENCE_S):
                    return await self._ask(asked, audio)
            except (OSError, TimeoutError, EOFError) as error:
                log.warning("recogniser.failed", ask=asked["ask"], error=type(error).__name__)
                await self.close()
        return None

    async def close(self) -> None:
        """End the process."""
        self._owed = 0
        while self._process:
            process = self._process.pop()
            if process.returncode is None:
                process.kill()
            assert process.stdin is not None
            process.stdin.close()
            # communicate() also drains and closes the other pipe, whose transport would warn else.
            await process.communicate()

    async def _ask(self, asked: dict[str, object], audio: bytes) -> RecognisedSpeech:
        if not self._process:
            self._process.append(
                await asyncio.create_subprocess_exec(
                    *self._program, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
        stdin, stdout = self._process[0].stdin, self._process[0].stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({**asked, "size": len(audio)}).encode() + b"\n" + audio)
        self._owed += 1
        await stdin.drain()
        line = b""
        while self._owed:
            line = await stdout.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            self._owed -= 1
        return RecognisedSpeech(**json.loads(line))


class ProcessPool:
    """Processes of one kind, of which one is taken for each request."""

    def __init__(self, size: int, program: Sequence[str] = PROGRAM) -> None:
        self._all = [RecogniserProcess(program) for _ in range(size)]
        self._idle = list(self._all)
        self._turn = asyncio.Semaphore(size)

    async def ask(self, asked: dict[str, object], audio: bytes) -> RecognisedSpeech | None:
        """Return the answer of the first process that has time; None when it can't give one."""
        async with self._turn:
            worker = min(self._idle, key=lambda one: one.delay)
            self._idle.remove(worker)
            try:
                return await worker.ask(asked, audio)
            finally:
                self._idle.insert(0, worker)

    async def start(self) -> None:
        """Start all processes before somebody waits for them."""
        await asyncio.gather(
            *(self.ask({"ask": RecogniserTask.COMMANDS, "phrases": []}, b"") for _ in self._all)
        )

    async def close(self) -> None:
        """End the processes, each when it has answered."""
        for _ in self._all:
            await self._turn.acquire()
        for worker in self._all:
            await worker.close()
            self._turn.release()
