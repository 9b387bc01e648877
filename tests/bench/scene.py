"""What the server does in each measurement: answers, interruptions in their phases, a VAD of its own."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.hearing import LATE_HZ, Append, ServerVad
from support.listening import signal, tone
from support.scripted_server import DELTA_BYTES, Visit
from support.stage import APPEND, Stage, stage

ANSWER, LONG = signal(6.0, seed=1), signal(30.0, seed=2)
LATE = tone(0.2, LATE_HZ)
DELTA_S = 0.1
"""Deltas of 200 ms come twice as fast as they play."""
SECOND_S = 0.045
"""After so long the user is heard again: twice within 50 ms."""

counted = itertools.count(1)


@dataclass
class Turn:
    """One answer, and when it was interrupted; CLOCK_MONOTONIC seconds."""

    moment_s: float = 0.0
    """Since its first delta."""
    number: int = field(default_factory=lambda: next(counted))
    begun_at: float = 0.0
    """When the first delta was sent."""
    sent_at: float = 0.0
    """When `speech_started` was sent."""

    @property
    def response(self) -> str:
        """Return the response's id."""
        return f"resp_{self.number}"

    @property
    def item(self) -> str:
        """Return the item's id."""
        return f"item_{self.number}"


async def _begin(visit: Visit, turn: Turn) -> None:
    await visit.begin(turn.response, turn.item)
    turn.begun_at = time.monotonic()


async def _flow(visit: Visit, turn: Turn, over: Coroutine[Any, Any, object]) -> None:
    """Send deltas until *over* is."""
    ending = asyncio.ensure_future(over)
    await _begin(visit, turn)
    for start in range(0, len(ANSWER), DELTA_BYTES):
        await visit.delta(turn.response, turn.item, ANSWER[start : start + DELTA_BYTES])
        await asyncio.wait((ending,), timeout=DELTA_S)
        if ending.done():
            break
    await ending


async def _late(visit: Visit, turn: Turn) -> None:
    await visit.delta(turn.response, turn.item, LATE)


async def _hear(visit: Visit, turn: Turn) -> None:
    turn.sent_at = time.monotonic()
    await visit.speech_started(f"user_{turn.number}")


async def _cut_off(visit: Visit, turn: Turn) -> None:
    await _hear(visit, turn)
    await _late(visit, turn)
    await _late(visit, turn)
    await visit.end(turn.response, turn.item, status="cancelled")


async def flowing(visit: Visit, turn: Turn) -> None:
    """Interrupt while deltas flow; two more slip out."""
    await _flow(visit, turn, asyncio.sleep(turn.moment_s))
    await _cut_off(visit, turn)


async def generated(visit: Visit, turn: Turn) -> None:
    """Interrupt what still plays after everything was sent."""
    await _begin(visit, turn)
    for start in range(0, len(ANSWER), DELTA_BYTES):
        await visit.delta(turn.response, turn.item, ANSWER[start : start + DELTA_BYTES])
    await visit.end(turn.response, turn.item)
    await asyncio.sleep(turn.moment_s)
    await _hear(visit, turn)


async def twice(visit: Visit, turn: Turn) -> None:
    """Interrupt, take it back and interrupt again within 50 ms; a delta slips out after each."""
    await _flow(visit, turn, asyncio.sleep(turn.moment_s))
    await _hear(visit, turn)
    await _late(visit, turn)
    await over(visit, turn)
    await asyncio.sleep(turn.sent_at + SECOND_S - time.monotonic())
    await visit.speech_started(f"user_{turn.number}_again")
    await _late(visit, turn)
    await visit.end(turn.response, turn.item, status="cancelled")


async def over(visit: Visit, turn: Turn, again: str = "") -> None:
    """Hear the end of what the user says."""
    item = f"user_{turn.number}{again}"
    await visit.send(
        {"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": 0},
        {"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": turn.item},
    )


async def long(visit: Visit, turn: Turn) -> None:
    """Give an answer of 30 s; returns when all was sent, after half of it."""
    await _begin(visit, turn)
    for start in range(0, len(LONG), DELTA_BYTES):
        await visit.delta(turn.response, turn.item, LONG[start : start + DELTA_BYTES])
        await asyncio.sleep(turn.begun_at + DELTA_S * (start // DELTA_BYTES + 1) - time.monotonic())
    await visit.end(turn.response, turn.item)


PHASES: dict[str, Callable[[Visit, Turn], Awaitable[None]]] = {
    "while deltas flow": flowing,
    "after generation ended": generated,
    "twice within 50 ms": twice,
}


class Scene:
    """The server beside the measurement, and the one program that has come to it."""

    def __init__(self, beside: Stage, ears: asyncio.Event) -> None:
        self._stage = beside
        self._ears = ears
        self.url = beside.url

    def visit(self) -> Visit:
        """Return the newest connection."""
        return self._stage.server.visits[-1]

    def come(self, number: int) -> Visit:
        """Wait for the connection of that number and its first append; return it."""
        visit = self._stage.do(self._stage.server.visit(number))
        self._stage.do(visit.sent(APPEND))
        return visit

    @property
    def visits(self) -> int:
        """How many have come so far."""
        return len(self._stage.server.visits)

    def do(self, phase: Callable[[Visit, Turn], Awaitable[None]], turn: Turn) -> None:
        """Do this to the newest connection."""

        async def done() -> None:
            await phase(self.visit(), turn)

        self._stage.do(done())

    def talk_over(self, turn: Turn, speak: Callable[[], object]) -> None:
        """Interrupt an answer when the voice that *speak* makes is heard; two deltas slip out."""
        visit, ears = self.visit(), self._ears

        async def spoken() -> None:
            await asyncio.sleep(turn.moment_s)
            ears.clear()
            await asyncio.to_thread(speak)
            await ears.wait()

        async def done() -> None:
            await _flow(visit, turn, spoken())
            await _cut_off(visit, turn)

        self._stage.do(done())

    def drop(self) -> float:
        """Drop the connection; return when."""
        at = time.monotonic()
        self._stage.call(self.visit().drop)
        return at


def appends(visit: Visit, since: float, until: float) -> list[Append]:
    """Return what came of the microphone between these times."""
    return [
        Append(each.at, base64.b64decode(each.event["audio"]))
        for each in visit.received
        if since <= each.at <= until and each.event["type"] == APPEND
    ]


def truncates(visit: Visit, turn: Turn) -> list[int]:
    """Return to how many ms the program has had this answer truncated, each time."""
    found = visit.events("conversation.item.truncate")
    return [each["audio_end_ms"] for each in found if each["item_id"] == turn.item]


@contextmanager
def scene() -> Iterator[Scene]:
    """Serve in a thread."""
    ears = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.configure()
        vad = ServerVad()
        async for each in visit.following():
            if each.event["type"] == APPEND and vad.hears(base64.b64decode(each.event["audio"])):
                ears.set()

    with stage(script) as beside:
        yield Scene(beside, ears)
