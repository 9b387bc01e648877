"""A Realtime server on loopback that does what a test tells it: a real WebSocket, scripted.

A *script* is a coroutine function that gets each connection as a `Visit`. When
it returns, the connection stays open until the client leaves; what the client
sends is recorded all the time, and held against the types of the openai package.

    async def script(visit: Visit) -> None:
        await visit.configure()
        await visit.say(b"\\1\\2" * 2400, words="hello")
        await visit.sent("conversation.item.truncate")

    async with scripted_server(script) as server:
        ...  # point the link, or a daemon, at server.url
        visit = await server.visit(0)
        await visit.left()
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from websockets import ConnectionClosed
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from support.validation import Dialect, NotRealtimeError, check_wire, types

PATIENCE_S = 20.0
"""How long anything waits for what must come: only a failing test waits so long."""
DELTA_BYTES = 9_600
"""200 ms at 24 kHz: about what OpenAI sends at once."""

Wire = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Received:
    """An event of the client's."""

    at: float
    """CLOCK_MONOTONIC seconds."""
    event: Wire


@dataclass(frozen=True)
class Refusal:
    """An answer to the handshake in place of a session."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def error_body(code: str | None, message: str) -> str:
    """Return the JSON body of an HTTP refusal, as OpenAI writes it."""
    return json.dumps({"error": {"type": "invalid_request_error", "code": code, "message": message}})


class Visit:
    """One connection: what the client sent, and what can be done to it."""

    def __init__(self, number: int, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        self.number = number
        self.path = websocket.request.path
        self.headers = websocket.request.headers
        self.received: list[Received] = []
        self.came_at = time.monotonic()
        self.failure: NotRealtimeError | None = None
        """The first event of the client's that the protocol does not have."""
        self._dialect: Dialect = "ga"
        self._websocket = websocket
        self._news = asyncio.Condition()
        self._gone = False

    # ------------------------------------------------------------------ what was received

    @property
    def types(self) -> list[str]:
        """The types of all events so far, runs of audio as one."""
        found: list[str] = []
        for each in self.received:
            name = str(each.event["type"])
            if name != "input_audio_buffer.append" or found[-1:] != [name]:
                found.append(name)
        return found

    def events(self, kind: str) -> list[Wire]:
        """Return the events of type *kind* so far."""
        return [each.event for each in self.received if each.event["type"] == kind]

    @property
    def audio(self) -> bytes:
        """All microphone audio so far."""
        return b"".join(base64.b64decode(each["audio"]) for each in self.events("input_audio_buffer.append"))

    async def sent(self, kind: str, count: int = 1) -> Wire:
        """Wait until the client has sent *count* events of type *kind*; return the last of these."""
        await self._until(lambda: len(self.events(kind)) >= count, f"{count} {kind}")
        return self.events(kind)[count - 1]

    async def following(self) -> AsyncIterator[Received]:
        """Yield each event of the client's that comes from now on."""
        number = len(self.received)
        while True:
            await self._until(lambda: len(self.received) > number, "anything")  # noqa: B023
            yield self.received[number]
            number += 1

    async def left(self) -> tuple[int | None, str | None]:
        """Wait until the connection is gone; return the close code and reason as this side saw them."""
        await self._until(lambda: self._gone, "the client to leave")
        return self._websocket.close_code, self._websocket.close_reason

    # ------------------------------------------------------------------ what can be done

    async def send(self, *events: Wire | str | bytes) -> None:
        """Send events; text and bytes go as they are. A client that has left misses them."""
        with suppress(ConnectionClosed):
            for each in events:
                await self._websocket.send(json.dumps(each) if isinstance(each, dict) else each)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close as a server does: with a code and a reason."""
        await self._websocket.close(code, reason)

    def drop(self) -> None:
        """Drop the TCP connection without a close frame: the client sees 1006."""
        self._websocket.transport.abort()

    def stop_reading(self) -> None:
        """Read nothing more, not even a ping or a close frame."""
        self._websocket.transport.pause_reading()

    async def configure(self, **session: Any) -> Wire:
        """Send `session.created`, wait for `session.update` and accept it; return it."""
        created = {"id": f"sess_{self.number}", "type": "realtime", **session}
        await self.send({"type": "session.created", "session": created})
        update = await self.sent("session.update")
        # A beta update has no type, and names its formats by a word: both are given back as they are.
        wanted = update["session"]
        await self.send({"type": "session.updated", "session": {**wanted, "id": f"sess_{self.number}"}})
        return update

    async def begin(self, response: str, item: str) -> None:
        """Begin an answer with one item."""
        message = {"id": item, "type": "message", "role": "assistant"}
        await self.send(
            {"type": "response.created", "response": {"id": response, "status": "in_progress"}},
            {"type": "response.output_item.added", "response_id": response, "item": message},
            {"type": "conversation.item.added", "previous_item_id": None, "item": message},
        )

    async def delta(self, response: str, item: str, pcm: bytes, words: str = "") -> None:
        """Send a piece of an answer: its words, then its audio."""
        part = {"response_id": response, "item_id": item, "content_index": 0}
        if words:
            await self.send({"type": "response.output_audio_transcript.delta", **part, "delta": words})
        if pcm:
            audio = base64.b64encode(pcm).decode("ascii")
            await self.send({"type": "response.output_audio.delta", **part, "delta": audio})

    async def end(self, response: str, item: str, words: str = "", status: str = "completed") -> None:
        """End an answer; *status* ``cancelled`` is what server VAD does to it."""
        part = {"response_id": response, "item_id": item, "content_index": 0}
        done: Wire = {"id": response, "status": status}
        if status == "cancelled":
            done["status_details"] = {"type": "cancelled", "reason": "turn_detected"}
        await self.send(
            {"type": "response.output_audio.done", **part},
            {"type": "response.output_audio_transcript.done", **part, "transcript": words},
            {"type": "response.done", "response": done},
        )

    async def say(self, pcm: bytes, words: str = "", response: str = "resp_1", item: str = "item_1") -> None:
        """Send a whole answer, faster than it plays."""
        await self.begin(response, item)
        await self.delta(response, item, pcm[:DELTA_BYTES], words)
        for start in range(DELTA_BYTES, len(pcm), DELTA_BYTES):
            await self.delta(response, item, pcm[start : start + DELTA_BYTES])
        await self.end(response, item, words)

    async def speech_started(self, item: str, at_ms: int = 0) -> None:
        """Tell that server VAD hears the user."""
        started = "input_audio_buffer.speech_started"
        await self.send({"type": started, "item_id": item, "audio_start_ms": at_ms})

    async def barge_in(self, response: str, item: str, user_item: str, late: bytes, at_ms: int = 0) -> None:
        """Hear the user in the middle of an answer: two more deltas slip out, then it is cancelled."""
        await self.speech_started(user_item, at_ms)
        for _ in range(2):
            await self.delta(response, item, late, "late ")
        await self.end(response, item, status="cancelled")

    # ------------------------------------------------------------------ inside

    async def record(self) -> None:
        """Record everything until the client leaves."""
        try:
            async for message in self._websocket:
                at = time.monotonic()
                event = json.loads(message)
                async with self._news:
                    self.received.append(Received(at, event))
                    self._news.notify_all()
                self._hold_against_the_protocol(event)
        except ConnectionClosed:
            pass
        finally:
            async with self._news:
                self._gone = True
                self._news.notify_all()

    def _hold_against_the_protocol(self, event: Wire) -> None:
        if event.get("type") == "session.update":
            # The beta protocol's session has no type, and the GA protocol's must have one.
            self._dialect = "ga" if "type" in event["session"] else "beta"
        try:
            check_wire(event, "client", self._dialect)
        except NotRealtimeError as failure:
            self.failure = self.failure or failure

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                await self._news.wait_for(true)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}; came: {self.types}") from None


Script = Callable[[Visit], Awaitable[object]]


class ScriptedServer:
    """The server: its visits and its refusals, in order."""

    def __init__(self, script: Script) -> None:
        self.url = ""
        self.visits: list[Visit] = []
        self.refusals: list[Refusal] = []
        """What the next handshakes are answered with, before sessions are given again."""
        self.refused: list[float] = []
        """When handshakes were refused, CLOCK_MONOTONIC seconds."""
        self.failures: list[BaseException] = []
        """What scripts have raised, and what was no event; told again when the server closes."""
        self._script = script
        self._news = asyncio.Condition()

    async def visit(self, number: int) -> Visit:
        """Wait for a connection, counted from 0; return it."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: len(self.visits) > number)
        return self.visits[number]

    async def handle(self, websocket: ServerConnection) -> None:
        async with self._news:
            visit = Visit(len(self.visits), websocket)
            self.visits.append(visit)
            self._news.notify_all()
        script = asyncio.ensure_future(self._run(visit))
        try:
            await visit.record()
        finally:
            # What the script waits for will not come any more.
            script.cancel()
            await asyncio.wait((script,))
            if visit.failure is not None:
                self.failures.append(visit.failure)

    async def _run(self, visit: Visit) -> None:
        try:
            await self._script(visit)
        except Exception as error:
            self.failures.append(error)

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if not self.refusals:
            return None
        refusal = self.refusals.pop(0)
        self.refused.append(time.monotonic())
        response = connection.respond(HTTPStatus(refusal.status), refusal.body)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        response.headers.update(refusal.headers)
        return response


async def configure(visit: Visit) -> None:
    """The script of a server that gives a session and then only listens."""
    await visit.configure()


@asynccontextmanager
async def scripted_server(script: Script = configure, *refusals: Refusal) -> AsyncIterator[ScriptedServer]:
    """Serve in the running loop, on a free port."""
    types("client")  # Loading them takes half a second: not in the middle of what is tested.
    server = ScriptedServer(script)
    server.refusals += refusals
    options: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 0.2}
    async with serve(
        server.handle, "127.0.0.1", 0, process_request=server.answer, max_size=64 << 20, **options
    ) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        server.url = f"ws://127.0.0.1:{port}/v1/realtime?model=scripted"
        yield server
    for failure in server.failures:
        raise failure


class Beside:
    """A scripted server in a thread of its own, for tests that have no loop."""

    def __init__(self, server: ScriptedServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self._loop = loop

    def wait(self, waiting: Coroutine[Any, Any, Result]) -> Result:
        """Carry out a coroutine there, say ``visit.sent("response.cancel")``; return its result."""
        return asyncio.run_coroutine_threadsafe(waiting, self._loop).result(2 * PATIENCE_S)


@contextmanager
def scripted_server_beside(script: Script = configure, *refusals: Refusal) -> Iterator[Beside]:
    """Serve in a thread of its own."""
    ready, stop = threading.Event(), asyncio.Event()
    made: list[Beside] = []

    async def main() -> None:
        async with scripted_server(script, *refusals) as server:
            made.append(Beside(server, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield made[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
