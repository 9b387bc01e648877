"""The link: one WebSocket to the server at a time, opened again for ever."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog
import websockets
from websockets.asyncio.client import ClientConnection, connect

from rtvoiced import __version__
from rtvoiced.durations import Durations
from rtvoiced.errors import RtvoiceError
from rtvoiced.realtime import events
from rtvoiced.realtime.decode import UnreadableEventError, decode
from rtvoiced.realtime.dialects import encode
from rtvoiced.realtime.ending import LinkEnding, closed, failure, refused
from rtvoiced.realtime.endpoint import Endpoint, is_loopback
from rtvoiced.realtime.events import ClientEvent, LinkConnecting, LinkFailed, LinkLost, ServerEvent
from rtvoiced.realtime.ids import SessionIds
from rtvoiced.realtime.outbox import LinkOutbox

OPEN_S = 10.0
"""The handshake, from the first packet to HTTP 101."""
CREATED_S = 10.0
"""From HTTP 101 to `session.created`."""
CLOSE_S = 1.0
"""How long the server may take to say goodbye."""
MAX_MESSAGE = 16 << 20
"""Servers send items with their audio in one message; websockets' own limit is 1 MiB."""
SEND_BUFFER = 65_536
"""Bytes the kernel may hold for us: 1 s of audio. Its own default would hide 40 s of a stalled line."""
RECONNECT = "reconnect"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between attempts; the very first retry is immediate."""

    first_s: float = 0.1
    max_s: float = 30.0
    failed_s: float = 600.0
    """Where only a person can mend it."""
    stable_s: float = 10.0
    """A session that lived this long after `session.updated` starts the backoff anew."""

    def wait_s(self, attempt: int) -> float:
        """Return a random wait (full jitter) before *attempt*, which counts from 0."""
        if attempt <= 1:
            return 0.0
        ceiling = min(self.max_s, self.first_s * 2 ** min(attempt - 2, 30))
        return random.uniform(0, ceiling)  # noqa: S311


class Link:
    """Keeps a session's socket open; what the server says goes to *post*, one event a call.

    *where* is asked for the endpoint at each attempt, so that an embedded
    server that died can be started again.
    """

    def __init__(
        self,
        where: Callable[[], Awaitable[Endpoint]],
        post: Callable[[ServerEvent | LinkConnecting | LinkLost | LinkFailed], None],
        backoff: Backoff,
        ping_s: float = 20.0,
    ) -> None:
        self._where = where
        self._post = post
        self._backoff = backoff
        self._ping_s = ping_s
        self._outbox = LinkOutbox()
        self._ids = SessionIds()
        self._told_dropped = 0
        """Dropped frames that the log knows of."""
        self._waiting = asyncio.Event()
        self._leave = asyncio.Event()
        self._asked: LinkEnding | None = None
        self._dialect = "ga"
        self._open = False
        self._configured_at: float | None = None
        self._trying = False
        """An attempt or a session is on: there is something to give up."""
        self._fatal: LinkEnding | None = None
        self._sending_at: float | None = None
        """Since when a message is being handed to the socket."""
        self._idle = asyncio.Event()
        self._idle.set()
        self.unreadable = 0
        """Events of the server that could not be read."""
        self.sessions = 0
        """Sessions that were configured since the start."""
        self.mic_to_wire = Durations()
        """From a microphone block's last frame until the socket had it."""

    @property
    def dropped_frames(self) -> int:
        """Microphone audio that a stalled or lost connection cost, in frames."""
        return self._outbox.dropped_frames

    def send(self, event: ClientEvent) -> None:
        """Queue *event* for the session; without a connection it is dropped."""
        if not self._open:
            return
        self._outbox.put(event)
        self._idle.clear()
        self._waiting.set()

    def reconnect(self) -> None:
        """Open a new session now, whatever the backoff says."""
        self._end(LinkEnding(RECONNECT))

    def drop(self, reason: str) -> None:
        """Give this session up and try again; without one there is nothing to give up."""
        if self._trying:
            self._end(LinkEnding(reason))

    def fail(self, reason: str) -> None:
        """Give this session up: somebody has to act before another can work."""
        if self._trying:
            self._end(LinkEnding(reason, failure(reason.partition(":")[0])))

    async def run(self) -> None:
        """Hold a session for ever; ends only by being cancelled."""
        attempt = 0
        while True:
            self._post(LinkConnecting(attempt))
            ended = await self._session()
            lost_before = self._told_dropped
            self._outbox.forget()
            self._told_dropped = self._outbox.dropped_frames
            if self._told_dropped > lost_before:
                log.warning("link.audio_dropped", frames=self._told_dropped - lost_before)
            self._idle.set()
            attempt = 0 if ended.reason == RECONNECT or self._stable() else attempt
            attempt += ended.reason != RECONNECT
            wait_s = self._backoff.failed_s if ended.fatal else self._backoff.wait_s(attempt)
            if ended.fatal:
                log.error("link.failed", reason=ended.reason, retry_in_s=wait_s)
                self._post(LinkFailed(ended.reason, wait_s, ended.fatal))
            else:
                log.warning("link.lost", reason=ended.reason, attempt=attempt, retry_in_s=round(wait_s, 2))
                self._post(LinkLost(ended.reason, attempt, round(wait_s, 3)))
            if await self._called_within(wait_s):
                attempt = 0

    async def flush(self, timeout_s: float) -> None:
        """Wait until everything queued was handed to the socket, at most *timeout_s*."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    def _end(self, ended: LinkEnding) -> None:
        # The first reason is the true one; but who asks for a new session now gets it now.
        if self._asked is None or ended.reason == RECONNECT:
            self._asked = ended
        self._leave.set()

    def _stable(self) -> bool:
        if self._configured_at is None:
            return False
        return time.monotonic() - self._configured_at >= self._backoff.stable_s

    async def _called_within(self, wait_s: float) -> bool:
        """Wait before the next attempt; return True when somebody can't wait."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._leave.wait()
        return self._leave.is_set()

    async def _session(self) -> LinkEnding:
        """Hold one session; return how it ended: as we were asked to, else as the other side wanted."""
        self._leave.clear()
        self._asked = self._configured_at = self._fatal = None
        self._trying = True
        work = asyncio.create_task(self._talk())
        leave = asyncio.create_task(self._leave.wait())
        try:
            await asyncio.wait((work, leave), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leave.cancel()
            work.cancel()
            await asyncio.wait((work, leave))
            self._trying = False
        self._leave.clear()
        return self._who_ended(LinkEnding("closed") if work.cancelled() else work.result())

    def _who_ended(self, ended: LinkEnding) -> LinkEnding:
        return self._asked or ended

    async def _talk(self) -> LinkEnding:
        endpoint = Endpoint("")
        try:
            endpoint = await self._where()
            self._dialect = endpoint.dialect or "ga"
            websocket = await self._connect(endpoint)
        except (OSError, websockets.WebSocketException, RtvoiceError, ImportError, UnicodeError) as error:
            # websockets lacks a package for SOCKS proxies; a host name can be none for IDNA.
            ended = refused(error, OPEN_S)
        else:
            ended = await self._converse(websocket, endpoint)
        return replace(ended, reason=endpoint.mask(ended.reason))

    async def _converse(self, websocket: ClientConnection, endpoint: Endpoint) -> LinkEnding:
        self._open, self._sending_at = True, None
        reader = asyncio.create_task(self._read(websocket, endpoint))
        writer = asyncio.create_task(self._write(websocket))
        watch = asyncio.create_task(self._watch())
        tasks = (reader, writer, watch)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self._open = False
            for task in tasks:
                task.cancel()
            await _close(websocket)
            await asyncio.wait(tasks)
        stalled = not watch.cancelled() and isinstance(watch.exception(), TimeoutError)
        if not writer.cancelled() and (error := writer.exception()):
            raise error
        if stalled:
            return LinkEnding("connection given up: the server takes nothing")
        try:
            reader.result()
        except TimeoutError:
            return LinkEnding(f"the server gave no session within {CREATED_S:.0f} s")
        except websockets.ConnectionClosed as error:
            return self._fatal or closed(error)
        raise AssertionError("reading ends with the connection")

    async def _connect(self, endpoint: Endpoint) -> ClientConnection:
        options: dict[str, Any] = {}
        if is_loopback(endpoint.url):
            # websockets would send even these through https_proxy.
            options["proxy"] = None
        opening = connect(
            endpoint.url,
            additional_headers=dict(endpoint.headers),
            user_agent_header=f"rtvoice/{__version__}",
            compression=None,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=self._ping_s,
            ping_timeout=self._ping_s,
            max_size=MAX_MESSAGE,
            **options,
        )
        # A redirect would take the key to another host: websockets holds back `Authorization` only.
        opening.process_redirect = _stay  # type: ignore[method-assign, assignment]
        websocket = await opening
        transport = websocket.transport.get_extra_info("socket")
        if transport is not None:
            transport.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return websocket

    async def _read(self, websocket: ClientConnection, endpoint: Endpoint) -> None:
        """Pass on what comes; raises TimeoutError where no session does."""
        async with asyncio.timeout(CREATED_S) as greeting:
            while True:
                event = self._event(await websocket.recv())
                if event is None:
                    continue
                if isinstance(event, events.SessionCreated):
                    greeting.reschedule(None)
                    self._ids.new_session()
                event = self._ids.incoming(event)
                self._note(event, endpoint)
                self._post(_masked(event, endpoint))

    def _event(self, message: str | bytes) -> ServerEvent | None:
        """Return the event in *message*, or None where it can't be read, which is counted."""
        try:
            return decode(message)
        except UnreadableEventError as error:
            self.unreadable += 1
            log.warning("link.unreadable_event", problem=str(error)[:200], count=self.unreadable)
            return None

    def _note(self, event: ServerEvent, endpoint: Endpoint) -> None:
        match event:
            case events.SessionCreated(_, _, shape) if endpoint.dialect is None:
                self._dialect = shape
            case events.SessionUpdated() if self._configured_at is None:
                self._configured_at = time.monotonic()
                self.sessions += 1
            case events.ServerError(code, message_text) if code in events.FATAL_CODES:
                self._fatal = LinkEnding(f"{code}: {message_text}", failure(code))
            case _:
                pass

    async def _write(self, websocket: ClientConnection) -> None:
        """Send what waits."""
        try:
            while True:
                while self._outbox:
                    event = self._outbox.take()
                    self._sending_at = time.monotonic()
                    await websocket.send(encode(self._ids.outgoing(event), self._dialect))
                    self._sending_at = None
                    if isinstance(event, events.AppendAudio) and event.read_at is not None:
                        self.mic_to_wire.add(1000 * (time.monotonic() - event.read_at))
                self._waiting.clear()
                self._idle.set()
                await self._waiting.wait()
        except websockets.ConnectionClosed:
            return  # the reader tells why

    async def _watch(self) -> None:
        """Raise TimeoutError when the line has taken nothing for too long.

        websockets can't tell that: while the socket is full, its pings wait as well. A timer for each
        message could, for half of the CPU that sending it costs.
        """
        while True:
            await asyncio.sleep(self._ping_s / 4)
            if self._sending_at is not None and time.monotonic() - self._sending_at > 2 * self._ping_s:
                raise TimeoutError


async def _close(websocket: ClientConnection) -> None:
    """Say goodbye, with 1000: left to the library, a cancelled link closes with 1011, internal error."""
    # On a full socket close() waits for ever: its own limit begins after the last byte.
    with contextlib.suppress(OSError, TimeoutError, websockets.WebSocketException):
        async with asyncio.timeout(CLOSE_S):
            await websocket.close()
    websocket.transport.abort()
    await websocket.wait_closed()


def _stay(error: Exception) -> Exception:
    return error


def _masked(event: ServerEvent, endpoint: Endpoint) -> ServerEvent:
    """Some servers repeat the key in their refusals; what they say is logged and published."""
    match event:
        case events.ServerError(message=text) | events.UserTranscriptFailed(message=text):
            return replace(event, message=endpoint.mask(text))
        case events.ResponseDone(error_message=str(text)):
            return replace(event, error_message=endpoint.mask(text))
        case _:
            return event
