"""Opens and closes the WebSocket to a server, with everything that has to be right about it.

The link calls `open_websocket` at each attempt and `close_websocket` at each end. What
websockets does not do by itself stands here, with the reason: no proxy to this machine, no
redirect with a key, a small send buffer, and a goodbye that never hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

from rtvoiced import __version__
from rtvoiced.realtime.endpoint import Endpoint, is_loopback

OPEN_S = 10.0
"""Seconds for the handshake, from the first packet to HTTP 101."""
CLOSE_S = 1.0
"""Seconds that the server may take to say goodbye."""
MAX_MESSAGE = 16 << 20
"""Bytes of a message: servers send items with their audio in one; websockets' own limit is 1 MiB."""
SEND_BUFFER = 65_536
"""Bytes that the kernel may hold for us: 1 s of audio. Its own default would hide 40 s of a stalled line."""


async def open_websocket(endpoint: Endpoint, ping_s: float) -> ClientConnection:
    """Return an open connection to *endpoint*, which is pinged every *ping_s* seconds.

    Raises what websockets raises: OSError, TimeoutError, WebSocketException, and ImportError
    where a proxy needs a package that is not installed.
    """
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
        ping_interval=ping_s,
        ping_timeout=ping_s,
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


async def close_websocket(websocket: ClientConnection) -> None:
    """Say goodbye with 1000; left to the library, a cancelled link closes with 1011, internal error."""
    # On a full socket close() waits for ever: its own limit begins after the last byte.
    with contextlib.suppress(OSError, TimeoutError, websockets.WebSocketException):
        async with asyncio.timeout(CLOSE_S):
            await websocket.close()
    websocket.transport.abort()
    await websocket.wait_closed()


def _stay(error: Exception) -> Exception:
    """Follow no redirect: the answer is the error that it is."""
    return error
