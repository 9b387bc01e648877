"""A server in a process of its own that floods a daemon with words, or talks to it for long.

Started by `flooding`; told by a line on its stdin what to do, and says on
stdout when it is done.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.listening import signal
from support.scripted_server import Visit, scripted_server

BATCH_S = 0.01
"""How long the server waits between two batches of words."""


PATIENCE_S = 5.0


class Flood:
    """The server, told what to do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = self._line()

    def words(self, count: int, per_s: float) -> None:
        """Let *count* deltas begin to come; `done` waits until they have been sent."""
        self._tell({"words": count, "per_s": per_s})

    def speech(self, seconds: float, response: str) -> None:
        """Send an answer that lasts so long, at once; `done` waits until it was sent."""
        self._tell({"speech": seconds, "response": response})

    def done(self) -> float:
        """Wait until the last task is done; return how many seconds it took."""
        return float(self._line())

    def _tell(self, task: dict[str, object]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the flooding server has ended"
        return line.strip()


@contextmanager
def flooding() -> Iterator[Flood]:
    """Run the server; it ends with its stdin."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.flooding"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdin
    assert process.stdout
    try:
        yield Flood(process)
    finally:
        process.stdin.close()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            # It reads its stdin only once a daemon has come.
            process.kill()
            process.wait()
        process.stdout.close()


async def _serve(visit: Visit) -> None:
    await visit.configure()
    begun = False
    while line := await asyncio.to_thread(sys.stdin.readline):
        task, before = json.loads(line), time.monotonic()
        if "words" in task:
            if not begun:
                await visit.begin("resp_flood", "item_flood")
                begun = True
            await _words(visit, task["words"], task["per_s"])
        else:
            response = task["response"]
            await visit.say(signal(task["speech"], seed=3), "talk", response, f"item_{response}")
        print(time.monotonic() - before, flush=True)


async def _words(visit: Visit, count: int, per_s: float) -> None:
    part = {"response_id": "resp_flood", "item_id": "item_flood", "content_index": 0}
    delta = json.dumps({"type": "response.output_audio_transcript.delta", **part, "delta": "x"})
    begun, sent = time.monotonic(), 0
    while sent < count:
        due = min(count, int((time.monotonic() - begun) * per_s) + 1)
        await visit.send(*[delta] * (due - sent))
        sent = due
        await asyncio.sleep(BATCH_S)


async def main() -> None:
    """Serve until stdin ends."""
    ended = asyncio.Event()

    async def script(visit: Visit) -> None:
        try:
            await _serve(visit)
        finally:
            ended.set()

    async with scripted_server(script) as server:
        print(server.url, flush=True)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
