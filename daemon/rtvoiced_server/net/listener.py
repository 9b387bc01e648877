"""The listening socket: it takes connections, lets them in or not, and gives each its session.

`listen` opens the server for `rtvoiced_server.serve` and for tests. The handshake
(`rtvoiced_server.net.handshake`) says who comes in; each client gets ids, audio
processing and a session of its own, and shares the recognisers and the VAD models.
What holds for all connections stands in `ListenerSettings`.
"""

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

from rtvoiced_server.audio.processing import SessionAudio
from rtvoiced_server.audio.voice_activity import VadModelPool
from rtvoiced_server.net.connection import ClientConnection, ClientLimits
from rtvoiced_server.net.dialects import dialect
from rtvoiced_server.net.handshake import PATH, SUBPROTOCOL, Admission, AdmittedClient
from rtvoiced_server.net.options import ConnectionOptions, Quirk
from rtvoiced_server.net.random_ids import random_ids
from rtvoiced_server.net.recording import SessionRecordings
from rtvoiced_server.net.refusals import BETA_DISABLED, HandshakeError
from rtvoiced_server.protocol.ids import IDS
from rtvoiced_server.protocol.session import ServerSession
from rtvoiced_server.speech.recogniser_pool import RecogniserPool
from rtvoiced_server.vocabulary import DialectName

LARGEST_MESSAGE = 20 << 20
"""Bytes: an append of 15 MiB, and room for what is refused with an error event; above 20 MiB it is 1009."""
MOST_QUEUED = 2
"""How many frames of a client wait to be read, each as large as that."""
READ_SIZE = 4 << 10
"""Bytes that are read in one go: a flood of tiny frames must not keep the others waiting."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """What holds for all connections."""

    admission: Admission = field(default_factory=Admission)
    limits: ClientLimits = field(default_factory=ClientLimits)
    seed: str | None = None
    """The seed of the run: its nth connection is the same in every run, unless it has a seed of its own."""
    sessions: int = 100
    """How many sessions there may be at once; more are answered with HTTP 503."""
    open_s: float = 5.0
    """How long a handshake may take."""
    close_s: float = 5.0
    """How long a client may take to say goodbye."""
    exit_s: float = 0.5
    """How long all clients may take at the server's end; the whole exit has 1 s."""
    ping_s: float = 20.0
    """How often a client is pinged."""
    pong_s: float = 60.0
    """How long it may take to answer: while minutes of its audio are listened to, it is not read."""


DEFAULT = ListenerSettings()


class SessionHost:
    """Hosts the sessions, and knows all connections from their first byte on."""

    def __init__(
        self, recognisers: RecogniserPool, settings: ListenerSettings, recordings: SessionRecordings | None
    ) -> None:
        self._recognisers = recognisers
        self._settings = settings
        self._recordings = recordings
        self._vad_models = VadModelPool()
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
            if len(connection.server.connections) >= self._settings.sessions:
                message = f"There are {self._settings.sessions} sessions already; please try again later."
                raise HandshakeError(HTTPStatus.SERVICE_UNAVAILABLE, message)
            self._settings.admission.admit(request.path, request.headers)
        except HandshakeError as rejected:
            log.info("session.rejected", status=rejected.status, reason=_printable(rejected.message))
            return _response(rejected)
        return None

    async def host(self, websocket: ServerConnection) -> None:
        """Hold one session, until its client is gone."""
        assert websocket.request is not None
        client = self._settings.admission.admit(websocket.request.path, websocket.request.headers)
        number = next(self._numbers)
        options = self._options(client, number)
        # The tasks of this connection inherit it, and no others.
        IDS.set(random_ids(options.seed))
        session_log = log.bind(session=number)
        session_log.info(
            "session.opened", model=_printable(client.model), dialect=client.dialect, kind=client.kind
        )
        recording = self._recordings.begin(client.dialect) if self._recordings is not None else None
        with (
            contextlib.closing(recording) if recording is not None else contextlib.nullcontext(),
            self._vad_models.lent() as vad_model,
        ):
            session = ServerSession(
                client.model, _now, SessionAudio(vad_model), math.ceil(options.session_cap), client.kind
            )
            await ClientConnection(
                websocket,
                session,
                self._recognisers,
                options,
                dialect(client.dialect, client.kind),
                recording,
                self._settings.limits,
            ).run()
        session_log.info("session.closed", code=int(websocket.close_code or 0))

    def _options(self, client: AdmittedClient, number: int) -> ConnectionOptions:
        options = client.options
        if options.seed is None and self._settings.seed is not None:
            options = replace(options, seed=f"{self._settings.seed} {number}")
        if (
            client.dialect == DialectName.BETA
            and Quirk.BETA_DISABLED in options.quirks
            and options.refuse is None
        ):
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
    host: SessionHost
    settings: ListenerSettings

    @property
    def url(self) -> str:
        """Where clients connect."""
        host, port = next(iter(self.server.sockets)).getsockname()[:2]
        return f"ws://[{host}]:{port}{PATH}" if ":" in host else f"ws://{host}:{port}{PATH}"

    async def close(self) -> None:
        """Say goodbye to all clients, with 1001; cut off who does not take it in time."""
        self.server.close()
        try:
            async with asyncio.timeout(self.settings.exit_s):
                await self.server.wait_closed()
        except TimeoutError:
            self.host.cut_off()
            await self.server.wait_closed()


async def listen(
    recognisers: RecogniserPool,
    host: str = "127.0.0.1",
    port: int = 0,
    settings: ListenerSettings = DEFAULT,
    recordings: SessionRecordings | None = None,
) -> Listener:
    """Open the server on *host* and *port*, 0 for a free one; sessions share *recognisers*."""
    sessions = SessionHost(recognisers, settings, recordings)
    server = await serve(
        sessions.host,
        host,
        port,
        process_request=sessions.admit,
        select_subprotocol=_subprotocol,
        compression=None,
        max_size=LARGEST_MESSAGE,
        max_queue=MOST_QUEUED,
        open_timeout=settings.open_s,
        close_timeout=settings.close_s,
        ping_interval=settings.ping_s,
        ping_timeout=settings.pong_s,
        server_header="rtvoice",
        # A function is what it says it may be.
        create_connection=sessions.connected,  # type: ignore[arg-type]
    )
    return Listener(server, sessions, settings)


def _subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Return the subprotocol that a browser must be answered with; None where it offers none."""
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


def _response(rejected: HandshakeError) -> Response:
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
