"""The link: one WebSocket to the server at a time, opened again for ever.

`Link.run` is a task of the loop. It holds one session after the other; in between it waits
(`Backoff`), and where only a person can mend what is wrong, it waits long. What the
server says goes to *post*, one event a call, and so does what becomes of the link: the
conversation decides everything else. What it answers comes back through `send`.

While a socket is open, three tasks work on it: one reads, one sends what is in the outbox, one
watches for a line that takes nothing. The first that ends, ends the session. How it ended is a
`LinkEnding`: as we were asked to, else as the server said, else as the socket broke.

Nothing is sent to a session that is gone: the outbox is emptied at its end. Ids that
an earlier session used are told apart by `SessionIds`, keys in the server's texts are masked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog
import websockets
from websockets.asyncio.client import ClientConnection

from rtvoiced.durations import Durations
from rtvoiced.errors import RtvoiceError
from rtvoiced.realtime import events
from rtvoiced.realtime.backoff import Backoff
from rtvoiced.realtime.decode import UnreadableEventError, decode
from rtvoiced.realtime.dialects import encode
from rtvoiced.realtime.ending import LinkEnding, closed, failure, refused
from rtvoiced.realtime.endpoint import Endpoint
from rtvoiced.realtime.events import ClientEvent, LinkConnecting, LinkFailed, LinkLost, ServerEvent
from rtvoiced.realtime.ids import SessionIds
from rtvoiced.realtime.outbox import LinkOutbox
from rtvoiced.realtime.websocket import OPEN_S, close_websocket, open_websocket
from rtvoiced.vocabulary import DialectName

CREATED_S = 10.0
"""Seconds from HTTP 101 to `session.created`."""
RECONNECT = "reconnect"
"""The reason of an ending that we were asked for, so that the next session follows at once."""

log = structlog.get_logger()


class Link:
    """Keeps a session open; what the server says goes to *post*, one event a call.

    *where* is asked for the endpoint at each attempt, so that an embedded server
    that died can be started again; it may raise RtvoiceError. The server is pinged
    every *ping_s* seconds, and given up when it takes nothing for twice as long.
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
        self._logged_dropped = 0
        """Dropped frames that the log knows of."""
        self._event_waits = asyncio.Event()
        """Set when the outbox has something to send."""
        self._end_wanted = asyncio.Event()
        """Set when the session, or the wait for one, is to end."""
        self._wanted_ending: LinkEnding | None = None
        """Why it is to end."""
        self._dialect: DialectName = "ga"
        self._open = False
        """Whether there is a socket that takes events."""
        self._configured_at: float | None = None
        """When the session was first configured, CLOCK_MONOTONIC seconds; None: not yet."""
        self._trying = False
        """Whether an attempt or a session is on: only then is there something to give up."""
        self._fatal: LinkEnding | None = None
        """What the server said that no retry mends, before it closed."""
        self._sending_at: float | None = None
        """Since when a message is being handed to the socket; None while none is."""
        self._idle = asyncio.Event()
        """Set while everything was handed to the socket."""
        self._idle.set()
        self.unreadable = 0
        """Events of the server that could not be read, since the start."""
        self.sessions = 0
        """Sessions that were configured since the start."""
        self.mic_to_wire = Durations()
        """Milliseconds from a microphone block's last frame until the socket had it."""

    @property
    def dropped_frames(self) -> int:
        """Microphone audio that a stalled or lost connection cost, in frames, since the start."""
        return self._outbox.dropped_frames

    def send(self, event: ClientEvent) -> None:
        """Queue *event* for the session; without a connection it is dropped."""
        if not self._open:
            return
        self._outbox.put(event)
        self._idle.clear()
        self._event_waits.set()

    def reconnect(self) -> None:
        """End this session, if there is one, and open a new one now, whatever the backoff says."""
        self._end(LinkEnding(RECONNECT))

    def drop(self, reason: str) -> None:
        """Give this session up and try again; without one, nothing happens."""
        if self._trying:
            self._end(LinkEnding(reason))

    def fail(self, reason: str) -> None:
        """Give this session up: somebody has to act before another can work.

        *reason* begins with the error code, and a colon.
        """
        if self._trying:
            self._end(LinkEnding(reason, failure(reason.partition(":")[0])))

    async def run(self) -> None:
        """Hold one session after the other, for ever; ends only by being cancelled."""
        attempt = 0
        while True:
            self._post(LinkConnecting(attempt))
            ended = await self._hold_session()
            self._forget_unsent()
            attempt = 0 if ended.reason == RECONNECT or self._stable() else attempt
            attempt += ended.reason != RECONNECT
            wait_s = self._backoff.failed_s if ended.fatal else self._backoff.wait_s(attempt)
            if ended.fatal:
                log.error("link.failed", reason=ended.reason, retry_in_s=wait_s)
                self._post(LinkFailed(ended.reason, wait_s, ended.fatal))
            else:
                log.warning("link.lost", reason=ended.reason, attempt=attempt, retry_in_s=round(wait_s, 2))
                self._post(LinkLost(ended.reason, attempt, round(wait_s, 3)))
            if await self._end_wanted_within(wait_s):
                attempt = 0

    async def flush(self, timeout_s: float) -> None:
        """Wait until everything queued was handed to the socket, at most *timeout_s*."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    def _end(self, ended: LinkEnding) -> None:
        # The first reason is the true one; but who asks for a new session now gets it now.
        if self._wanted_ending is None or ended.reason == RECONNECT:
            self._wanted_ending = ended
        self._end_wanted.set()

    def _forget_unsent(self) -> None:
        """Empty the outbox of a session that is gone, and log what of the microphone that cost."""
        before = self._logged_dropped
        self._outbox.forget()
        self._logged_dropped = self._outbox.dropped_frames
        if self._logged_dropped > before:
            log.warning("link.audio_dropped", frames=self._logged_dropped - before)
        self._idle.set()

    def _stable(self) -> bool:
        """Tell whether the session lived long enough for the waits to begin anew."""
        if self._configured_at is None:
            return False
        return time.monotonic() - self._configured_at >= self._backoff.stable_s

    async def _end_wanted_within(self, wait_s: float) -> bool:
        """Wait before the next attempt; return True as soon as somebody can't wait."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._end_wanted.wait()
        return self._end_wanted.is_set()

    async def _hold_session(self) -> LinkEnding:
        """Hold one session; return how it ended: as we were asked to, else as the other side wanted."""
        self._end_wanted.clear()
        self._wanted_ending = self._configured_at = self._fatal = None
        self._trying = True
        work = asyncio.create_task(self._attempt())
        end_wanted = asyncio.create_task(self._end_wanted.wait())
        try:
            await asyncio.wait((work, end_wanted), return_when=asyncio.FIRST_COMPLETED)
        finally:
            end_wanted.cancel()
            work.cancel()
            await asyncio.wait((work, end_wanted))
            self._trying = False
        self._end_wanted.clear()
        return self._true_ending(LinkEnding("closed") if work.cancelled() else work.result())

    def _true_ending(self, ended: LinkEnding) -> LinkEnding:
        return self._wanted_ending or ended

    async def _attempt(self) -> LinkEnding:
        """Connect and work the socket until it ends; return how it ended, without keys."""
        endpoint = Endpoint("")
        try:
            endpoint = await self._where()
            self._dialect = endpoint.dialect or "ga"
            websocket = await open_websocket(endpoint, self._ping_s)
        except (OSError, websockets.WebSocketException, RtvoiceError, ImportError, UnicodeError) as error:
            # websockets lacks a package for SOCKS proxies; a host name can be none for IDNA.
            ended = refused(error, OPEN_S)
        else:
            ended = await self._work(websocket, endpoint)
        return replace(ended, reason=endpoint.mask(ended.reason))

    async def _work(self, websocket: ClientConnection, endpoint: Endpoint) -> LinkEnding:
        """Read, write and watch until one of the three ends; close the socket and return how it ended."""
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
            await close_websocket(websocket)
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

    async def _read(self, websocket: ClientConnection, endpoint: Endpoint) -> None:
        """Pass on what comes, until the connection is closed. Raises TimeoutError where no session comes."""
        async with asyncio.timeout(CREATED_S) as greeting:
            while True:
                event = self._event(await websocket.recv())
                if event is None:
                    continue
                if isinstance(event, events.SessionCreated):
                    greeting.reschedule(None)
                    self._ids.new_session()
                event = self._ids.incoming(event)
                self._note_session(event, endpoint)
                self._post(_masked(event, endpoint))

    def _event(self, message: str | bytes) -> ServerEvent | None:
        """Return the event in *message*, or None where it can't be read, which is counted."""
        try:
            return decode(message)
        except UnreadableEventError as error:
            self.unreadable += 1
            log.warning("link.unreadable_event", problem=str(error)[:200], count=self.unreadable)
            return None

    def _note_session(self, event: ServerEvent, endpoint: Endpoint) -> None:
        """Keep what the link itself has to know: the dialect, whether it is configured, fatal errors."""
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
        """Send what is in the outbox, until the connection is closed."""
        try:
            while True:
                while self._outbox:
                    event = self._outbox.take()
                    self._sending_at = time.monotonic()
                    await websocket.send(encode(self._ids.outgoing(event), self._dialect))
                    self._sending_at = None
                    if isinstance(event, events.AppendAudio) and event.read_at is not None:
                        self.mic_to_wire.add(1000 * (time.monotonic() - event.read_at))
                self._event_waits.clear()
                self._idle.set()
                await self._event_waits.wait()
        except websockets.ConnectionClosed:
            return  # the reader tells why

    async def _watch(self) -> None:
        """Raise TimeoutError when the line has taken nothing for too long.

        websockets can't tell that: while the socket is full, its pings wait as well. A
        timer for each message could, for half of the CPU that sending it costs.
        """
        while True:
            await asyncio.sleep(self._ping_s / 4)
            if self._sending_at is not None and time.monotonic() - self._sending_at > 2 * self._ping_s:
                raise TimeoutError


def _masked(event: ServerEvent, endpoint: Endpoint) -> ServerEvent:
    """Return *event* without our keys, which some servers repeat in their refusals.

    What a server says is logged and published.
    """
    match event:
        case events.ServerError(message=text) | events.UserTranscriptFailed(message=text):
            return replace(event, message=endpoint.mask(text))
        case events.ResponseDone(error_message=str(text)):
            return replace(event, error_message=endpoint.mask(text))
        case _:
            return event
