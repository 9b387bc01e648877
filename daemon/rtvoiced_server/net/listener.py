"""The listening socket: takes connections, holds each against the door, gives each its session."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from itertools import count
from typing import Any
from weakref import WeakSet

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from rtvoiced_server.net.connection import Connection, Limits
from rtvoiced_server.net.dialects import dialect
from rtvoiced_server.net.handshake import PATH, SUBPROTOCOL, Door, Visit
from rtvoiced_server.net.recording import Recordings
from rtvoiced_server.net.refusals import BETA_DISABLED, Rejected
from rtvoiced_server.options import Options, Quirk
from rtvoiced_server.protocol.ids import IDS, Ids
from rtvoiced_server.protocol.input_buffer import Judges
from rtvoiced_server.protocol.session import Session
from rtvoiced_server.speech.recognisers import Ears

LARGEST_MESSAGE = 20 << 20
"""Bytes: an append of 15 MiB, and room for what is refused with an error event; above that, 1009."""
MOST_QUEUED = 2
"""Frames of a client that wait to be read, each as large as that."""
READ_SIZE = 4 << 10
"""Bytes that are read in one go: a flood of tiny frames must not keep the others waiting."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all connections."""

    door: Door = field(default_factory=Door)
    limits: Limits = field(default_factory=Limits)
    seed: str | None = None
    """Of the run: its nth connection is the same in every run, unless it has a seed of its own."""
    sessions: int = 100
    """At once; more are answered with HTTP 503."""
    open_s: float = 5.0
    """How long a handshake may take."""
    close_s: float = 5.0
    """How long a client may take to say goodbye."""
    exit_s: float = 0.5
    """How long all of them may take at the server's end; the whole exit has 1 s."""
    ping_s: float = 20.0
    pong_s: float = 60.0
    """For the answer to a ping: while minutes of audio are listened to, their client is not read."""


DEFAULT = Rules()


class Reception:
    """Receives connections, and knows them all, from the first byte on."""

    def __init__(self, ears: Ears, rules: Rules, recordings: Recordings | None) -> None:
        self._ears = ears
        self._rules = rules
        self._recordings = recordings
        self._judges = Judges()
        self._numbers = count(1)
        self._all: WeakSet[ServerConnection] = WeakSet()

    def connected(self, *args: Any, **kwargs: Any) -> ServerConnection:
        """Return a new connection, which has asked for nothing yet."""
        made = ServerConnection(*args, **kwargs)
        self._all.add(made)
        return made

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the HTTP error for a request, None when it is let in."""
        # asyncio has it, and no word about it.
        connection.transport.max_size = READ_SIZE  # type: ignore[attr-defined]
        try:
            if len(connection.server.connections) >= self._rules.sessions:
                message = f"There are {self._rules.sessions} sessions already; please try again later."
                raise Rejected(HTTPStatus.SERVICE_UNAVAILABLE, message)
            self._rules.door.admit(request.path, request.headers)
        except Rejected as rejected:
            log.info("session.rejected", status=rejected.status, reason=_printable(rejected.message))
            return _response(rejected)
        return None

    async def host(self, websocket: ServerConnection) -> None:
        """Hold one session, until its client is gone."""
        assert websocket.request is not None
        visit = self._rules.door.admit(websocket.request.path, websocket.request.headers)
        number = next(self._numbers)
        options = self._options(visit, number)
        # The tasks of this connection inherit it, and no others.
        IDS.set(Ids(options.seed))
        told = log.bind(session=number)
        told.info("session.opened", model=_printable(visit.model), dialect=visit.dialect, kind=visit.kind)
        recording = self._recordings.begin(visit.dialect) if self._recordings is not None else None
        with (
            contextlib.closing(recording) if recording is not None else contextlib.nullcontext(),
            self._judges.lent() as judge,
        ):
            session = Session(visit.model, _now, math.ceil(options.session_cap), visit.kind, judge)
            await Connection(
                websocket,
                session,
                self._ears,
                options,
                dialect(visit.dialect, visit.kind),
                recording,
                self._rules.limits,
            ).run()
        told.info("session.closed", code=int(websocket.close_code or 0))

    def _options(self, visit: Visit, number: int) -> Options:
        options = visit.options
        if options.seed is None and self._rules.seed is not None:
            options = replace(options, seed=f"{self._rules.seed} {number}")
        if visit.dialect == "beta" and Quirk.BETA_DISABLED in options.quirks and options.refuse is None:
            options = replace(options, refuse=BETA_DISABLED)
        return options

    def cut_off(self) -> None:
        """Lose all connections."""
        for connection in self._all:
            # One that was made in this very moment has none yet.
            transport: asyncio.Transport | None = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


@dataclass(frozen=True, slots=True)
class Listener:
    """The open server."""

    server: Server
    reception: Reception
    rules: Rules

    @property
    def url(self) -> str:
        """Where clients connect."""
        host, port = next(iter(self.server.sockets)).getsockname()[:2]
        return f"ws://[{host}]:{port}{PATH}" if ":" in host else f"ws://{host}:{port}{PATH}"

    async def close(self) -> None:
        """Tell all clients goodbye, with 1001; who does not take it in time is cut off."""
        self.server.close()
        try:
            async with asyncio.timeout(self.rules.exit_s):
                await self.server.wait_closed()
        except TimeoutError:
            self.reception.cut_off()
            await self.server.wait_closed()


async def listen(
    ears: Ears,
    host: str = "127.0.0.1",
    port: int = 0,
    rules: Rules = DEFAULT,
    recordings: Recordings | None = None,
) -> Listener:
    """Open the server; sessions share *ears*."""
    reception = Reception(ears, rules, recordings)
    server = await serve(
        reception.host,
        host,
        port,
        process_request=reception.admit,
        select_subprotocol=_subprotocol,
        compression=None,
        max_size=LARGEST_MESSAGE,
        max_queue=MOST_QUEUED,
        open_timeout=rules.open_s,
        close_timeout=rules.close_s,
        ping_interval=rules.ping_s,
        ping_timeout=rules.pong_s,
        server_header="rtvoice",
        # A function is what it says it may be.
        create_connection=reception.connected,  # type: ignore[arg-type]
    )
    return Listener(server, reception, rules)


def _subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Choose what a browser must be answered."""
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


def _response(rejected: Rejected) -> Response:
    body = rejected.body()
    headers = Headers(
        {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    )
    return Response(rejected.status, rejected.phrase, headers, body)


def _printable(text: str) -> str:
    """Return *text* as it may go to a terminal: it came from anywhere."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:200])


def _now() -> datetime:
    return datetime.now().astimezone()
