"""A scripted server in a thread of its own, told step by step by a test what to do next."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from rtvoiced.dsp.pcm import WIRE
from support.running import eventually
from support.scripted_server import Refusal, Script, ScriptedServer, Visit, Wire, configure, scripted_server

PATIENCE_S = 40.0
APPEND = "input_audio_buffer.append"
CORRECTIONS = ("conversation.item.truncate", "conversation.item.delete", "response.cancel")

Given = TypeVar("Given")


def flat(ms: float, value: int) -> bytes:
    """Return *ms* of the one sample *value*: what of it was heard can be counted."""
    return np.full(WIRE.frames(ms), value, "<i2").tobytes()


class Stage:
    """The server, and the loop that it runs in."""

    def __init__(self, server: ScriptedServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self._loop = loop

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self.server.url

    def do(self, work: Coroutine[Any, Any, Given]) -> Given:
        """Do *work* in the server's loop and return what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def call(self, work: Callable[[], object]) -> None:
        """Call *work* in the server's loop."""
        self._loop.call_soon_threadsafe(work)

    def seat(self, number: int = 0) -> Seat:
        """Return the connection of this number, once its session is configured."""
        visit = self.do(self.server.visit(number))
        self.do(visit.sent(APPEND))
        return Seat(self, visit)


class Seat:
    """One connection, and a turn of a conversation in few words."""

    def __init__(self, stage: Stage, visit: Visit) -> None:
        self._stage = stage
        self.visit = visit

    def sent(self, kind: str, count: int = 1) -> Wire:
        """Wait for the *count*-th event of this type and return it."""
        return self._stage.do(self.visit.sent(kind, count))

    def send(self, *events: Wire | str) -> None:
        self._stage.do(self.visit.send(*events))

    def begin(self, response: str, item: str) -> None:
        self._stage.do(self.visit.begin(response, item))

    def delta(self, response: str, item: str, pcm: bytes, words: str = "") -> None:
        self._stage.do(self.visit.delta(response, item, pcm, words))

    def end(self, response: str, item: str, words: str = "", status: str = "completed") -> None:
        self._stage.do(self.visit.end(response, item, words, status))

    def say(self, pcm: bytes, words: str, response: str, item: str) -> None:
        self._stage.do(self.visit.say(pcm, words, response, item))

    def barge_in(self, response: str, item: str, user_item: str, late: bytes) -> None:
        self._stage.do(self.visit.barge_in(response, item, user_item, late))

    def speech_started(self, item: str) -> None:
        self._stage.do(self.visit.speech_started(item))

    def speech_stopped(self, item: str, words: str = "") -> None:
        """Hear the end of what the user says, and write it down."""
        transcribed = "conversation.item.input_audio_transcription.completed"
        self.send(
            {"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": 0},
            {"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": None},
            {"type": transcribed, "item_id": item, "content_index": 0, "transcript": words},
        )

    def close(self, code: int, reason: str) -> None:
        """Close as a server does."""
        self._stage.do(self.visit.close(code, reason))

    def drop(self) -> None:
        """Drop the TCP connection."""
        self._stage.call(self.visit.drop)

    def corrections(self) -> list[Wire]:
        """Return every truncate, delete and cancel, once what was sent by now has arrived."""
        # Audio comes all the time, behind whatever was sent before it.
        self.sent(APPEND, len(self.visit.events(APPEND)) + 5)
        received = [dict(each.event) for each in self.visit.received]
        return [each for each in received if each["type"] in CORRECTIONS]


@contextmanager
def stage(script: Script = configure, *refusals: Refusal) -> Iterator[Stage]:
    """Serve in a thread; a script that fails fails the test."""
    made: list[Stage] = []
    stopping: list[asyncio.Event] = []

    async def main() -> None:
        stop = asyncio.Event()
        stopping.append(stop)
        async with scripted_server(script, *refusals) as server:
            made.append(Stage(server, asyncio.get_running_loop()))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    eventually(lambda: made)
    try:
        yield made[0]
    finally:
        made[0].call(stopping[0].set)
        thread.join()
