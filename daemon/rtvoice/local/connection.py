"""One client's WebSocket: does what the session wants done; paces the speech, keeps the order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from rtvoice.audio.pcm import WIRE
from rtvoice.local import voices
from rtvoice.local.ears import Ears
from rtvoice.local.session import Session
from rtvoice.local.wire import Hear, Hush, Json, Output, Send, Speak

DELTA_MS = 200
"""Of audio in one delta; recorded: 100 to 400."""
BURST = 5.0
"""How many times faster than it plays the audio is sent; recorded: 4 to 10."""
MOST_QUEUED = 200
"""Events for a client that does not read; then nothing is said and nothing read until it does."""

log = structlog.get_logger()


class Connection:
    """Joins a socket, a session, the ears and the voice."""

    def __init__(self, websocket: ServerConnection, session: Session, ears: Ears) -> None:
        self._websocket = websocket
        self._session = session
        self._ears = ears
        self._outbox: asyncio.Queue[Json] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._speaking: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until the client is gone; leaves no task and no program behind."""
        async with self._tasks:
            self._start(self._write())
            self._do(self._session.open())
            try:
                await self._read()
            finally:
                for task in self._running:
                    task.cancel()

    async def _read(self) -> None:
        try:
            async for message in self._websocket:
                self._do(self._session.receive(message))
                while self._session.listening:
                    self._do(self._session.listen())
                    # A long append must not keep the other sessions waiting.
                    await asyncio.sleep(0)
                await self._room.wait()
        except ConnectionClosed as closed:
            log.debug("session.lost", reason=str(closed))

    async def _write(self) -> None:
        try:
            while True:
                event = await self._outbox.get()
                if self._outbox.qsize() < MOST_QUEUED // 2:
                    self._room.set()
                await self._websocket.send(json.dumps(event))
        except ConnectionClosed:
            # The reader learns of it too, and ends.
            self._room.set()

    def _do(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Send(event, delay_s) if delay_s:
                    self._start(self._later(event, delay_s))
                case Send(event):
                    self._put(event)
                case Hear(item_id, audio):
                    self._start(self._hear(item_id, audio))
                case Speak():
                    self._start(self._speak(output), output.response_id)
                case Hush(response_id):
                    self._hush(response_id)

    def _put(self, event: Json) -> None:
        self._outbox.put_nowait(event)
        if self._outbox.qsize() >= MOST_QUEUED:
            self._room.clear()

    def _start(self, work: Coroutine[object, object, None], response_id: str = "") -> None:
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if response_id:
            self._speaking[response_id] = task

    async def _later(self, event: Json, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self._put(event)

    async def _hear(self, item_id: str, audio: bytes) -> None:
        self._do(self._session.heard(item_id, await self._ears.hear(audio)))

    def _hush(self, response_id: str) -> None:
        task = self._speaking.pop(response_id, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _speak(self, order: Speak) -> None:
        loop = asyncio.get_running_loop()
        due = 0.0
        try:
            for sentence in voices.sentences(order.text):
                spoken = await voices.utter(sentence, order.voice, order.speed)
                # Time that the voice itself took is not made up for.
                due = max(due, loop.time())
                self._do(self._session.begin_sentence(order.response_id, spoken))
                for at in range(0, len(spoken.pcm), WIRE.size(DELTA_MS)):
                    pcm = spoken.pcm[at : at + WIRE.size(DELTA_MS)]
                    self._do(self._session.play(order.response_id, pcm))
                    due += WIRE.duration_ms(len(pcm)) / 1000 / BURST
                    await asyncio.sleep(max(0.0, due - loop.time()))
                    await self._room.wait()
            self._do(self._session.finish(order.response_id))
        except voices.VoiceError as failed:
            log.error("voice.failed", error=str(failed))
            self._do(self._session.fail(order.response_id, str(failed)))
        finally:
            self._speaking.pop(order.response_id, None)
