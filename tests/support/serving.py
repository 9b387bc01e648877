"""The embedded server, in this process or in one of its own, and clients of it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from rtvoiced_server.net.listener import Listener, ListenerSettings, listen
from rtvoiced_server.net.recording import SessionRecordings
from rtvoiced_server.speech.recogniser_pool import RecogniserPool
from support.validation import check_received

Json = dict[str, Any]
USUAL = ListenerSettings()
Place = Listener | str
"""A server here, or the URL of one anywhere."""
COMMAND = (sys.executable, "-m", "rtvoiced_server")
GREETING = "listening "
HELLO, STORY = "Hello! What can I do for you?", "tell me a long story"
"""The answer to "hello", and what is answered at length."""
PATIENCE_S = 60
"""How long a test waits for what must come: only a failing test waits so long."""


@asynccontextmanager
async def listening(
    rules: ListenerSettings = USUAL, recordings: SessionRecordings | None = None
) -> AsyncIterator[Listener]:
    """A server; it is gone afterwards, and so is all that it started."""
    recognisers = RecogniserPool()
    async with asyncio.timeout(PATIENCE_S):
        listener = await listen(recognisers, settings=rules, recordings=recordings)
        try:
            yield listener
        finally:
            await listener.close()
            await recognisers.close()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, left


@asynccontextmanager
async def served(
    *flags: str, environ: Mapping[str, str] = {}, patience_s: float = PATIENCE_S
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server in a process of its own, and its URL; it is gone afterwards."""
    child = await asyncio.create_subprocess_exec(
        *COMMAND,
        "--while-stdin",
        *flags,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        async with asyncio.timeout(patience_s):
            line = (await child.stdout.readline()).decode()
            assert line.startswith(f"{GREETING}ws://127.0.0.1:")
            yield child, line.removeprefix(GREETING).strip()
    finally:
        child.stdin.close()
        rest, _ = await child.communicate()
        assert rest == b""


@contextmanager
def serving(*flags: str) -> Iterator[tuple[int, str]]:
    """A server for many tests, in a process of its own: its pid and its URL."""
    with subprocess.Popen(
        (*COMMAND, "--while-stdin", *flags), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield child.pid, child.stdout.readline().removeprefix(GREETING).strip()
            child.stdin.close()
            child.wait(PATIENCE_S)
        finally:
            child.kill()


@asynccontextmanager
async def visiting(server: Place, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    """A client that takes whatever comes."""
    address = server if isinstance(server, str) else server.url
    address += f"?{query}" if query else ""
    async with connect(address, compression=None, proxy=None, max_size=None, **options) as websocket:
        yield websocket


@asynccontextmanager
async def talking(server: Place, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    """A client that was greeted."""
    async with visiting(server, query, **options) as websocket:
        assert (await event(websocket))["type"] == "session.created"
        yield websocket


async def event(websocket: ClientConnection) -> Json:
    return check_received(await websocket.recv(), websocket.request)


def types(events: list[Json]) -> list[str]:
    return [one["type"] for one in events]


async def send(websocket: ClientConnection, kind: str, **fields: Any) -> None:
    await websocket.send(json.dumps({"type": kind, **fields}))


async def until(websocket: ClientConnection, *kinds: str) -> list[Json]:
    """Everything up to the first event of these types."""
    events = [await event(websocket)]
    while events[-1]["type"] not in kinds:
        events.append(await event(websocket))
    return events


async def to_the_end(websocket: ClientConnection) -> tuple[list[Json], int | None, str | None]:
    """Everything, and how the server ended it: code and reason, 1006 where it said nothing."""
    events = []
    try:
        while True:
            events.append(await event(websocket))
    except ConnectionClosed:
        return events, websocket.close_code, websocket.close_reason


async def ask(websocket: ClientConnection, text: str, **response: Any) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await send(websocket, "conversation.item.create", item=item)
    await send(websocket, "response.create", response=response)


async def written(websocket: ClientConnection, text: str = "hello") -> str:
    """Ask for a written answer and return it."""
    await ask(websocket, text, output_modalities=["text"])
    done = (await until(websocket, "response.done"))[-1]
    await until(websocket, "rate_limits.updated")
    return str(done["response"]["output"][0]["content"][0]["text"])


async def append(websocket: ClientConnection, pcm: bytes) -> None:
    """Send audio in one piece: the server's clock is the audio."""
    await send(websocket, "input_audio_buffer.append", audio=base64.b64encode(pcm).decode())


def audio_of(events: list[Json]) -> list[bytes]:
    """The audio of each delta."""
    return [
        base64.b64decode(one["delta"])
        for one in events
        if one["type"] in ("response.output_audio.delta", "response.audio.delta")
    ]


def children(pid: int) -> list[int]:
    """The pids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def eventually(true: Callable[[], bool]) -> None:
    """Wait for what nobody tells, such as the end of another process's child."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def raw(server: Place) -> socket.socket:
    """A client that does only what it is told, once it was greeted."""
    loop, told = asyncio.get_running_loop(), b""
    address = urlsplit(server if isinstance(server, str) else server.url)
    made = socket.create_connection((address.hostname, address.port))
    made.setblocking(False)
    await loop.sock_sendall(
        made,
        b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    while b"session.created" not in told:
        told += await loop.sock_recv(made, 1 << 16)
    return made


def frame(opcode: int, data: bytes) -> bytes:
    """One frame of a client's, masked with nothing."""
    size = len(data)
    if size < 126:
        head = bytes([0x80 | opcode, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([0x80 | opcode, 0xFE]) + struct.pack(">H", size)
    else:
        head = bytes([0x80 | opcode, 0xFF]) + struct.pack(">Q", size)
    return head + bytes(4) + data
