"""One client's WebSocket: it carries out what the session wants done, paces the speech, keeps the order.

A connection has a task for each thing that takes time: one writes what is queued,
one looks whether the client reads at all, one speaks for each response that is
spoken, one waits for each recognition, and some wait for the end of the session.
All of them work on the session in the same loop, one after the other, so that the
session needs no lock. When the client is gone, all tasks and programs are.
"""

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
from rtvoiced_server.json_text import Json
from rtvoiced_server.net.dialects import WireDialect
from rtvoiced_server.net.faults import FaultInjection
from rtvoiced_server.net.options import ConnectionOptions, Quirk
from rtvoiced_server.net.recording import SessionRecording
from rtvoiced_server.net.refusals import EXPIRY, LOST, SocketClose, expired
from rtvoiced_server.net.send_queue import SendQueue
from rtvoiced_server.protocol.outputs import (
    RecogniseAudio,
    SendToClient,
    SessionOutput,
    SpeakText,
    StopSpeaking,
)
from rtvoiced_server.protocol.session import ServerSession
from rtvoiced_server.protocol.wire import Refused, decoded_event, error_event
from rtvoiced_server.speech.recogniser_pool import RecogniserPool
from rtvoiced_server.speech.sentences import STRETCH_MS
from rtvoiced_server.speech.synthesis import speak_sentences
from rtvoiced_server.speech.voices import VoiceError

PING_S = 10.0
"""Between two events of the quirk ``ping``."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How much a client may ask of the server."""

    speech: int = 4 << 20
    """Characters that wait to be read, a minute of audio; above that nothing more is said until it reads."""
    waiting: int = 8 << 20
    """Characters that wait to be read; above that nothing more is read of what it sends."""
    unread: int = 4 << 20
    """Bytes of answers to its pings that wait to be read; above that it is cut off."""
    stall_s: float = 60.0
    """How long it may read nothing before it is cut off."""
    look_s: float = 1.0
    """How often the answers to its pings are looked at."""


class ClientConnection:
    """Joins a socket, a session, the recognisers and the voice."""

    def __init__(
        self,
        websocket: ServerConnection,
        session: ServerSession,
        recognisers: RecogniserPool,
        options: ConnectionOptions,
        dialect: WireDialect,
        recording: SessionRecording | None = None,
        limits: ClientLimits = ClientLimits(),
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._recognisers = recognisers
        self._options = options
        self._dialect = dialect
        self._recording = recording
        self._limits = limits
        self._faults = FaultInjection(options)
        self._queue = SendQueue(options.latency / 1000)
        self._in_flight = 0
        """Characters of the message that is being written."""
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._speaking: dict[str, asyncio.Task[None]] = {}
        """The tasks that speak, by their responses."""

    async def run(self) -> None:
        """Serve until the client is gone; leave no task and no program behind."""
        async with self._tasks:
            self._start(self._write())
            self._start(self._watch())
            try:
                if isinstance(self._options.refuse, SocketClose):
                    self._queue.put(self._options.refuse)
                else:
                    self._open()
                await self._read()
            finally:
                for task in self._running:
                    task.cancel()

    def _open(self) -> None:
        self._do(self._session.open())
        if Quirk.MODEL_LOAD_ERROR in self._options.quirks:
            self._queue.put(LOST)
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
                while self._session.has_work and self._websocket.state is State.OPEN:
                    self._do(self._session.work())
                    await asyncio.sleep(0)
                await self._queue.below(self._limits.waiting)
        except ConnectionClosed as closed:
            log.debug("session.lost", reason=str(closed))

    def _receive(self, message: str | bytes) -> None:
        if self._recording is not None:
            self._recording.client(message)
        try:
            in_ga = self._dialect.read(message)
        except Refused as refused:
            # In the client's own words already.
            self._put(error_event(refused, decoded_event(message).get("event_id")))
        else:
            self._do(self._session.receive(in_ga))

    # What goes out.

    def _do(self, outputs: Sequence[SessionOutput]) -> None:
        """Carry out *outputs*, which have one cause; their events go out together."""
        events: list[Json] = []
        for output in outputs:
            match output:
                case SendToClient(event, delay_s) if delay_s:
                    self._start(self._send_later(event, delay_s))
                case SendToClient(event):
                    events.append(event)
                case RecogniseAudio():
                    self._start(self._recognise(output))
                case SpeakText():
                    self._start(self._speak(output), output.response_id)
                case StopSpeaking(response_id):
                    self._stop_speaking(response_id)
        self._send(events)

    def _send(self, events: Sequence[Json]) -> None:
        for event in self._faults.apply(events):
            for translated in self._dialect.write(event):
                self._put(translated)

    def _put(self, event: Json) -> None:
        finished = self._faults.finish(event)
        if self._recording is not None and self._queue.open:
            self._recording.server(finished)
        self._queue.put(json.dumps(finished))

    async def _write(self) -> None:
        try:
            while True:
                message = await self._queue.get()
                async with asyncio.timeout(self._limits.stall_s):
                    if isinstance(message, SocketClose):
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
            self._queue.close()

    async def _close(self, close: SocketClose) -> None:
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
        self._send([error_event(expired())])
        self._queue.put(EXPIRY)

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

    async def _send_later(self, event: Json, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self._send([event])

    async def _recognise(self, order: RecogniseAudio) -> None:
        text = await self._recognisers.recognise(order.audio, order.phrases)
        self._do(self._session.on_recognised(order.key, text))

    def _stop_speaking(self, response_id: str) -> None:
        task = self._speaking.pop(response_id, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _speak(self, order: SpeakText) -> None:
        loop = asyncio.get_running_loop()
        size = self._options.delta_bytes
        due = 0.0
        try:
            # A delta is of one stretch: where it may be larger, all of a sentence is one.
            whole = size > WIRE.size(STRETCH_MS)
            speech = speak_sentences(order.text, order.voice, order.speed, whole=whole)
            async with aclosing(speech) as stretches:
                async for stretch in stretches:
                    # Time that the voice itself took is not made up for.
                    due = max(due, loop.time())
                    self._do(self._session.on_sentence(order.response_id, stretch.text, stretch.word_ends))
                    for at in range(0, len(stretch.pcm), size):
                        pcm = stretch.pcm[at : at + size]
                        self._do(self._session.on_speech_audio(order.response_id, pcm))
                        if order.response_id not in self._speaking:
                            # That was as much as it may say.
                            return
                        due += len(pcm) / WIRE.size(1000) / self._options.speed
                        await asyncio.sleep(max(0.0, due - loop.time()))
                        await self._queue.below(self._limits.speech)
            self._do(self._session.on_speech_finished(order.response_id))
        except VoiceError as failed:
            log.error("voice.failed", error=str(failed))
            self._do(self._session.on_speech_failed(order.response_id, str(failed)))
        finally:
            self._speaking.pop(order.response_id, None)
