"""One client's WebSocket: does what the session wants done; paces the speech, keeps the order."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.net.dialects import Dialect
from rtvoiced_server.net.faults import Faults
from rtvoiced_server.net.outbox import Outbox
from rtvoiced_server.net.recording import Recording
from rtvoiced_server.net.refusals import EXPIRY, LOST, Close, expired
from rtvoiced_server.options import Options, Quirk
from rtvoiced_server.protocol.messages import decoded
from rtvoiced_server.protocol.session import Session
from rtvoiced_server.protocol.wire import Hear, Hush, Json, Output, Refused, Send, Speak, error
from rtvoiced_server.speech import voices
from rtvoiced_server.speech.recognisers import Ears

PING_S = 10.0
"""Between the events of the quirk ``ping``."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a client may ask of the server."""

    speech: int = 4 << 20
    """Characters that wait for it; then nothing more is said until it reads: a minute of audio."""
    waiting: int = 8 << 20
    """Characters that wait for it; then nothing more is read of what it sends."""
    unread: int = 4 << 20
    """Bytes of answers to its pings that wait for it; then it is cut off."""
    stall_s: float = 60.0
    """How long it may read nothing; then it is cut off."""
    look_s: float = 1.0
    """How often that is looked at."""


class Connection:
    """Joins a socket, a session, the ears and the voice."""

    def __init__(
        self,
        websocket: ServerConnection,
        session: Session,
        ears: Ears,
        options: Options,
        dialect: Dialect,
        recording: Recording | None = None,
        limits: Limits = Limits(),
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._ears = ears
        self._options = options
        self._dialect = dialect
        self._recording = recording
        self._limits = limits
        self._faults = Faults(options)
        self._outbox = Outbox(options.latency / 1000)
        self._in_flight = 0
        """Characters of the message that is being written."""
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._speaking: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until the client is gone; leaves no task and no program behind."""
        async with self._tasks:
            self._start(self._write())
            self._start(self._watch())
            try:
                if isinstance(self._options.refuse, Close):
                    self._outbox.put(self._options.refuse)
                else:
                    self._open()
                await self._read()
            finally:
                for task in self._running:
                    task.cancel()

    def _open(self) -> None:
        self._do(self._session.open())
        if Quirk.MODEL_LOAD_ERROR in self._options.quirks:
            self._outbox.put(LOST)
            return
        self._start(self._expire())
        if self._options.drop_after is not None:
            self._start(self._drop(self._options.drop_after))
        if Quirk.PING in self._options.quirks:
            self._start(self._ping())

    # What comes in.

    async def _read(self) -> None:
        try:
            async for message in self._websocket:
                self._receive(message)
                # Neither many messages nor a long one may keep the other sessions waiting.
                await asyncio.sleep(0)
                while self._session.listening and self._websocket.state is State.OPEN:
                    self._do(self._session.listen())
                    await asyncio.sleep(0)
                await self._outbox.below(self._limits.waiting)
        except ConnectionClosed as closed:
            log.debug("session.lost", reason=str(closed))

    def _receive(self, message: str | bytes) -> None:
        if self._recording is not None:
            self._recording.client(message)
        try:
            told = self._dialect.read(message)
        except Refused as refused:
            # In the client's own words already.
            self._put(error(refused, decoded(message).get("event_id")))
        else:
            self._do(self._session.receive(told))

    # What goes out.

    def _do(self, outputs: Sequence[Output]) -> None:
        """Do what has one cause; its events go out together."""
        events: list[Json] = []
        for output in outputs:
            match output:
                case Send(event, delay_s) if delay_s:
                    self._start(self._later(event, delay_s))
                case Send(event):
                    events.append(event)
                case Hear():
                    self._start(self._hear(output))
                case Speak():
                    self._start(self._speak(output), output.response_id)
                case Hush(response_id):
                    self._hush(response_id)
        self._send(events)

    def _send(self, events: Sequence[Json]) -> None:
        for event in self._faults.apply(events):
            for told in self._dialect.write(event):
                self._put(told)

    def _put(self, event: Json) -> None:
        told = self._faults.finish(event)
        if self._recording is not None and self._outbox.open:
            self._recording.server(told)
        self._outbox.put(json.dumps(told))

    async def _write(self) -> None:
        try:
            while True:
                message = await self._outbox.get()
                async with asyncio.timeout(self._limits.stall_s):
                    if isinstance(message, Close):
                        return await self._close(message)
                    self._in_flight = len(message)
                    await self._websocket.send(message)
                    self._in_flight = 0
        except TimeoutError:
            self._cut_off("it reads nothing")
        except ConnectionClosed:
            # The reader learns of it too, and ends.
            log.debug("session.unwritten")
        finally:
            self._outbox.close()

    async def _close(self, close: Close) -> None:
        if close == LOST:
            self._websocket.transport.close()
        else:
            await self._websocket.close(close.code, close.reason)

    async def _watch(self) -> None:
        # The answers to pings are written by the library, and wait for nobody.
        transport = self._websocket.transport
        while transport.get_write_buffer_size() - self._in_flight < self._limits.unread:  # noqa: ASYNC110
            await asyncio.sleep(self._limits.look_s)
        self._cut_off("it reads no answers to its pings")

    def _cut_off(self, reason: str) -> None:
        log.warning("session.cut_off", reason=reason)
        self._websocket.transport.abort()

    # What comes with time.

    async def _expire(self) -> None:
        await asyncio.sleep(self._options.session_cap)
        self._send([error(expired())])
        self._outbox.put(EXPIRY)

    async def _drop(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._websocket.transport.abort()

    async def _ping(self) -> None:
        while True:
            self._put({"type": "ping", "timestamp": int(time.time() * 1000)})
            await asyncio.sleep(PING_S)

    # Work.

    def _start(self, work: Coroutine[object, object, None], response_id: str = "") -> None:
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if response_id:
            self._speaking[response_id] = task

    async def _later(self, event: Json, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self._send([event])

    async def _hear(self, order: Hear) -> None:
        self._do(self._session.heard(order.item_id, await self._ears.hear(order.audio, order.phrases)))

    def _hush(self, response_id: str) -> None:
        task = self._speaking.pop(response_id, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _speak(self, order: Speak) -> None:
        loop = asyncio.get_running_loop()
        size = self._options.delta_bytes
        due = 0.0
        try:
            # A delta is of one stretch: where it may be larger, all of a sentence is one.
            whole = size > WIRE.size(voices.STRETCH_MS)
            told = voices.recite(order.text, order.voice, order.speed, whole=whole)
            async with aclosing(told) as sentences:
                async for spoken in sentences:
                    # Time that the voice itself took is not made up for.
                    due = max(due, loop.time())
                    self._do(self._session.begin_sentence(order.response_id, spoken))
                    for at in range(0, len(spoken.pcm), size):
                        pcm = spoken.pcm[at : at + size]
                        self._do(self._session.play(order.response_id, pcm))
                        if order.response_id not in self._speaking:
                            # That was as much as it may say.
                            return
                        due += len(pcm) / WIRE.size(1000) / self._options.speed
                        await asyncio.sleep(max(0.0, due - loop.time()))
                        await self._outbox.below(self._limits.speech)
            self._do(self._session.finish(order.response_id))
        except voices.VoiceError as failed:
            log.error("voice.failed", error=str(failed))
            self._do(self._session.fail(order.response_id, str(failed)))
        finally:
            self._speaking.pop(order.response_id, None)
