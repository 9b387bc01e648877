"""What the conformance clients share: a microphone, what is said into it, and how a run is told.

It runs in each client's own environment: nothing here but the standard library.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

BYTES_PER_S = 48_000
"""s16le mono at 24 kHz."""
BLOCK_S = 0.02
SCENARIO_S = 60.0
"""How long one may take; the slowest takes some 10 s."""

MODEL = "rtvoice-local"
QUESTION, ANSWER = "what is seven plus five", "7 plus 5 is 12."
INTERRUPTION, NEXT_ANSWER = "what is six times seven", "6 times 7 is 42."
SPOKEN = {"question": QUESTION, "interruption": INTERRUPTION}
"""What is said aloud, by the names of the files with it."""
CITY, WEATHER = "Paris", "sunny and 21 degrees"
CAP_S = 2
"""How long the session lasts whose end is waited for."""


class Unexpected(Exception):  # noqa: N818 - an error of the server's, a finding here
    """The server did what a Realtime server does not."""


def expect(found: object, wanted: object, what: str) -> None:
    """Raise `Unexpected` unless both are equal."""
    if found != wanted:
        raise Unexpected(f"{what}: {found!r}, not {wanted!r}")


@dataclass(frozen=True)
class Place:
    """Where the server is, and the folder with what is said."""

    url: str
    """``ws://HOST:PORT/v1/realtime``."""
    speech: Path

    def said(self, name: str) -> bytes:
        """Return the audio of one of `SPOKEN`."""
        return (self.speech / f"{name}.pcm").read_bytes()


class Microphone:
    """Sends what is said into it, and silence all the rest of the time, as fast as it sounds."""

    def __init__(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        self._send = send
        self._said = b""

    def say(self, pcm: bytes) -> None:
        """Say *pcm* now."""
        self._said += pcm

    async def run(self) -> None:
        """Send until cancelled."""
        size = int(BYTES_PER_S * BLOCK_S)
        due = time.monotonic()
        while True:
            block, self._said = self._said[:size], self._said[size:]
            await self._send(block.ljust(size, b"\0"))
            due += BLOCK_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))


@asynccontextmanager
async def microphone(send: Callable[[bytes], Awaitable[object]]) -> AsyncIterator[Microphone]:
    """Yield a microphone that is on."""
    made = Microphone(send)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])


Scenario = Callable[[Place], Awaitable[None]]


def main(client: str, scenarios: Mapping[str, Scenario]) -> int:
    """Run the scenarios against the server named in the arguments; a line each. Return the exit status."""
    place = Place(sys.argv[1], Path(sys.argv[2]))
    results = [_run(client, name, scenario, place) for name, scenario in scenarios.items()]
    return 0 if all(results) else 1


def _run(client: str, name: str, scenario: Scenario, place: Place) -> bool:
    async def limited() -> None:
        async with asyncio.timeout(SCENARIO_S):
            await scenario(place)

    began = time.monotonic()
    try:
        asyncio.run(limited())
        fault = ""
    except TimeoutError:
        fault = f"not over after {SCENARIO_S:.0f} s"
    except Exception as failed:
        # Whatever the client raises is the finding.
        fault = f"{type(failed).__name__}: {failed}"
    tell(client, name, time.monotonic() - began, fault)
    return not fault


def tell(client: str, name: str, took_s: float, fault: str) -> None:
    """Print the line of one scenario; no *fault*, and it has passed."""
    word = "FAIL" if fault else "pass"
    print(f"{word}  {client:<24} {name:<12} {took_s:5.1f} s  {fault}".rstrip(), flush=True)
