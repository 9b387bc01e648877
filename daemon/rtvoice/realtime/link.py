"""The link: one WebSocket to the server at a time, opened again for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog
import websockets
from websockets.asyncio.client import ClientConnection, connect

from rtvoice import __version__
from rtvoice.errors import RtvoiceError
from rtvoice.inputs import LinkConnecting, LinkFailed, LinkLost
from rtvoice.realtime import events
from rtvoice.realtime.decode import UnreadableEventError, decode
from rtvoice.realtime.dialects import encode
from rtvoice.realtime.endpoint import Endpoint, is_loopback
from rtvoice.realtime.events import ClientEvent, ServerEvent
from rtvoice.realtime.outbox import Outbox

OPEN_S = 10.0
"""The handshake, from the first packet to HTTP 101."""
STABLE_S = 10.0
"""A session that lived this long after `session.updated` starts the backoff anew."""
FAILED_RETRY_S = 600.0
MAX_MESSAGE = 16 << 20
"""Servers send items with their audio in one message; websockets' own limit is 1 MiB."""
SEND_BUFFER = 65_536
"""Bytes the kernel may hold for us: 1 s of audio. Its own default would hide 40 s of a stalled line."""
FATAL_STATUS = frozenset({400, 401, 403, 404})
RECONNECT = "reconnect"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between attempts; the very first retry is immediate."""

    first_s: float = 0.1
    max_s: float = 30.0

    def wait_s(self, attempt: int) -> float:
        """Return a random wait (full jitter) before *attempt*, which counts from 0."""
        if attempt <= 1:
            return 0.0
        ceiling = min(self.max_s, self.first_s * 2 ** min(attempt - 2, 30))
        return random.uniform(0, ceiling)  # noqa: S311


@dataclass(frozen=True, slots=True)
class _Ended:
    """How an attempt ended."""

    reason: str
    fatal: str | None = None
    """The error code for people, where no retry mends it."""


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
        self._outbox = Outbox()
        self._waiting = asyncio.Event()
        self._leave = asyncio.Event()
        self._asked: _Ended | None = None
        self._dialect = "ga"
        self._open = False
        self._configured_at: float | None = None
        self._fatal: str | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.unreadable = 0
        """Events of the server that could not be read."""
        self.sessions = 0
        """Sessions that were configured since the start."""

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
        self._end(_Ended(RECONNECT))

    def drop(self, reason: str) -> None:
        """Give this session up and try again."""
        self._end(_Ended(reason))

    def fail(self, reason: str) -> None:
        """Give this session up: somebody has to act before another can work."""
        code = "auth_failed" if "api_key" in reason else "not_connected"
        self._end(_Ended(reason, fatal=code))

    async def run(self) -> None:
        """Hold a session for ever; ends only by being cancelled."""
        attempt = 0
        while True:
            self._post(LinkConnecting(attempt))
            ended = await self._session()
            self._outbox.forget()
            self._idle.set()
            if ended.reason == RECONNECT or self._stable():
                attempt = 0
            attempt += ended.reason != RECONNECT
            wait_s = FAILED_RETRY_S if ended.fatal else self._backoff.wait_s(attempt)
            if ended.fatal:
                log.error("link.failed", reason=ended.reason, retry_in_s=wait_s)
                self._post(LinkFailed(ended.reason, wait_s, ended.fatal))
            else:
                log.warning("link.lost", reason=ended.reason, attempt=attempt, retry_in_s=round(wait_s, 2))
                self._post(LinkLost(ended.reason, attempt, round(wait_s, 3)))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leave.wait(), wait_s)
                attempt = 0

    async def flush(self, timeout_s: float) -> None:
        """Wait until everything queued was handed to the socket, at most *timeout_s*."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)

    def _end(self, ended: _Ended) -> None:
        self._asked = ended
        self._leave.set()

    def _stable(self) -> bool:
        return self._configured_at is not None and time.monotonic() - self._configured_at >= STABLE_S

    async def _session(self) -> _Ended:
        """Hold one session; return how it ended."""
        self._leave.clear()
        self._asked = self._configured_at = self._fatal = None
        work = asyncio.create_task(self._talk())
        leave = asyncio.create_task(self._leave.wait())
        try:
            await asyncio.wait((work, leave), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leave.cancel()
            work.cancel()
            await asyncio.wait((work, leave))
        self._leave.clear()
        return self._why(work)

    def _why(self, work: asyncio.Task[_Ended]) -> _Ended:
        """Return who ended a session: we, where we were asked to, else the other side."""
        return self._asked or (_Ended("closed") if work.cancelled() else work.result())

    async def _talk(self) -> _Ended:
        endpoint = Endpoint("")
        try:
            endpoint = await self._where()
            self._dialect = endpoint.dialect or "ga"
            websocket = await self._connect(endpoint)
        except (OSError, TimeoutError, websockets.WebSocketException, RtvoiceError) as error:
            return _without_key(_refused(error), endpoint)
        self._open = True
        writer = asyncio.create_task(self._write(websocket))
        try:
            await self._read(websocket, endpoint)
        except websockets.ConnectionClosed as closed:
            return _without_key(self._closed(closed), endpoint)
        finally:
            self._open = False
            writer.cancel()
            # Left to the library, a cancelled link closes with 1011, internal error.
            with contextlib.suppress(OSError, websockets.WebSocketException):
                await websocket.close()
            await asyncio.wait((writer,))
        raise AssertionError("reading ends with the connection")

    async def _connect(self, endpoint: Endpoint) -> ClientConnection:
        options: dict[str, Any] = {}
        if is_loopback(endpoint.url):
            # websockets would send even these through https_proxy.
            options["proxy"] = None
        websocket = await connect(
            endpoint.url,
            additional_headers=dict(endpoint.headers),
            user_agent_header=f"rtvoice/{__version__}",
            compression=None,
            open_timeout=OPEN_S,
            close_timeout=1,
            ping_interval=self._ping_s,
            ping_timeout=self._ping_s,
            max_size=MAX_MESSAGE,
            **options,
        )
        transport = websocket.transport.get_extra_info("socket")
        if transport is not None:
            transport.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return websocket

    async def _read(self, websocket: ClientConnection, endpoint: Endpoint) -> None:
        while True:
            message = await websocket.recv()
            try:
                event = decode(message)
            except UnreadableEventError as error:
                self.unreadable += 1
                log.warning("link.unreadable_event", problem=str(error)[:200], count=self.unreadable)
                continue
            match event:
                case events.SessionCreated(_, _, shape) if endpoint.dialect is None:
                    self._dialect = shape
                case events.SessionUpdated() if self._configured_at is None:
                    self._configured_at = time.monotonic()
                    self.sessions += 1
                case events.ServerError(code, message_text) if code in events.FATAL_CODES:
                    self._fatal = f"{code}: {message_text}"
                case _:
                    pass
            self._post(event)

    async def _write(self, websocket: ClientConnection) -> None:
        try:
            while True:
                while self._outbox:
                    await websocket.send(encode(self._outbox.take(), self._dialect))
                self._waiting.clear()
                self._idle.set()
                await self._waiting.wait()
        except websockets.ConnectionClosed:
            return  # the reader tells why

    def _closed(self, closed: websockets.ConnectionClosed) -> _Ended:
        if closed.rcvd is None:
            return _Ended(self._fatal or "connection lost", "not_connected" if self._fatal else None)
        code, text = closed.rcvd.code, closed.rcvd.reason
        reason = f"closed by the server: {code} {text}".strip()
        # OpenAI: 3000 or 4000, "invalid_request_error.invalid_api_key".
        kind = text.rpartition(".")[2]
        if kind in events.FATAL_CODES:
            return _Ended(reason, "auth_failed" if "api_key" in kind else "not_connected")
        return _Ended(self._fatal or reason, "not_connected" if self._fatal else None)


def _refused(error: Exception) -> _Ended:
    """Return what an attempt that led to no session means."""
    if isinstance(error, websockets.InvalidStatus):
        status = error.response.status_code
        reason = f"HTTP {status}{_said(error.response.body)}"
        fatal = "auth_failed" if status in (401, 403) else "not_connected"
        return _Ended(reason, fatal if status in FATAL_STATUS else None)
    if isinstance(error, TimeoutError):
        return _Ended(f"no connection within {OPEN_S:.0f} s")
    if isinstance(error, RtvoiceError):
        return _Ended(str(error))
    if isinstance(error, OSError):
        # asyncio's own text repeats the address, and says nothing of the reason.
        known = error.errno is not None and error.errno > 0
        return _Ended(f"cannot connect: {os.strerror(error.errno or 0) if known else error}")
    return _Ended(f"cannot connect: {error}")


def _without_key(ended: _Ended, endpoint: Endpoint) -> _Ended:
    """Some servers repeat the key in their refusal; reasons are logged and published."""
    reason = ended.reason
    for name, value in endpoint.headers.items():
        if name.lower() in ("authorization", "api-key"):
            reason = reason.replace(value.rpartition(" ")[2], "***")
    return replace(ended, reason=reason)


def _said(body: bytes | bytearray) -> str:
    """Return the message in an HTTP error's JSON body, as `: message`, or nothing."""
    try:
        error = json.loads(body)["error"]
        return f": {str(error['message'])[:200]}"
    except (ValueError, KeyError, TypeError):
        return ""
