"""Odd input, and what no client may do to the others."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from rtvoiced_server.net.connection import ClientLimits
from rtvoiced_server.net.listener import Listener, ListenerSettings
from support.serving import HELLO, event, frame, listening, raw, send, talking, until, written

ODD: list[tuple[str | bytes, str]] = [
    ("[]", "invalid_event"),
    ("{", "invalid_json"),
    ("", "invalid_json"),
    ("nonsense", "invalid_json"),
    ("{}", "invalid_event"),
    ('{"type": 5}', "invalid_event"),
    ('{"type": "nonsense"}', "invalid_value"),
    ("[" * 100_000, "invalid_json"),
    (b"\x00\x01\x02", "invalid_json"),
    (b'{"type": "input_audio_buffer.clear"', "invalid_json"),
    ('{"type": "input_audio_buffer.append"}', "missing_required_parameter"),
    ('{"type": "input_audio_buffer.append", "audio": "AAA"}', "invalid_value"),
    ('{"type": "input_audio_buffer.append", "audio": "AAAA"}', "invalid_value"),  # Three bytes.
    ('{"type": "input_audio_buffer.append", "audio": "!!!!"}', "invalid_value"),
    ('{"type": "input_audio_buffer.append", "audio": 5}', "invalid_type"),
    ('{"type": "input_audio_buffer.commit"}', "input_audio_buffer_commit_empty"),
    ('{"type": "response.cancel"}', "response_cancel_not_active"),
    ('{"type": "conversation.item.truncate"}', "missing_required_parameter"),
    ('{"type": "conversation.item.delete", "item_id": "none"}', "item_delete_invalid_item_id"),
]


def test_odd_messages_are_refused_one_by_one_and_the_session_goes_on() -> None:
    async def talk() -> tuple[list[str], str]:
        async with listening() as server, talking(server) as websocket:
            found = []
            for message, _ in ODD:
                await websocket.send(message)
                found.append((await event(websocket))["error"]["code"])
            return found, await written(websocket)

    codes, answer = asyncio.run(talk())
    assert list(zip((code for _, code in ODD), codes, strict=True)) == [(code, code) for _, code in ODD]
    assert answer == HELLO


def test_text_that_is_no_utf_8_closes_with_1007() -> None:
    assert asyncio.run(closed_by(frame(1, b"\xff\xfe"))) == 1007


def test_a_message_that_is_too_long_closes_with_1009() -> None:
    # Its head is enough.
    assert (
        asyncio.run(closed_by(frame(1, b"")[:1] + b"\xff" + (21 << 20).to_bytes(8, "big") + bytes(4))) == 1009
    )


def test_a_frame_that_is_none_closes_with_1002() -> None:
    assert asyncio.run(closed_by(b"\xff\xff\xff\xff")) == 1002


async def closed_by(sent: bytes) -> int:
    """How the server closes a client that sends this; another session goes on."""
    async with listening() as server, talking(server) as other:
        client = await raw(server)
        await everything(client, sent)
        code, _ = await last_words(client)
        assert await written(other) == HELLO
        return code


async def connected(server: Listener) -> socket.socket:
    """A connection that the server has taken, and that asks for nothing."""
    made = socket.create_connection(next(iter(server.server.sockets)).getsockname())
    made.setblocking(False)
    async with talking(server):
        # It is after the other in the queue of those that connect.
        return made


async def last_words(client: socket.socket) -> tuple[int, str]:
    """The code and the reason of the close frame that a client is sent."""
    loop, told = asyncio.get_running_loop(), b""
    while more := await loop.sock_recv(client, 1 << 16):
        told += more
    client.close()
    # The last frame: 0x88, its size, the code, the reason.
    at = told.rindex(b"\x88")
    return int.from_bytes(told[at + 2 : at + 4], "big"), told[at + 4 :].decode()


async def everything(client: socket.socket, sent: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(client, sent)


def test_the_servers_end_does_not_wait_for_who_asks_for_nothing() -> None:
    async def talk() -> bytes:
        async with listening(ListenerSettings(open_s=1_000)) as server:
            half = await connected(server)
        # It is closed without an answer.
        told = await asyncio.get_running_loop().sock_recv(half, 100)
        half.close()
        return told

    assert asyncio.run(talk()) == b""


# What nobody may do to others.


async def answers(websocket: ClientConnection, count: int = 3) -> None:
    for _ in range(count):
        assert await written(websocket) == HELLO


async def without_end(client: socket.socket, chunk: bytes) -> None:
    while True:
        await everything(client, chunk)


async def read_all(client: socket.socket) -> int:
    """Read to the end; return how much that was, or how much until the connection was lost."""
    loop, size = asyncio.get_running_loop(), 0
    with contextlib.suppress(ConnectionError):
        while more := await loop.sock_recv(client, 1 << 20):
            size += len(more)
    return size


def test_the_longest_append_there_is_keeps_nobody_waiting() -> None:
    async def talk() -> list[str]:
        async with listening() as server, talking(server) as long, talking(server) as other:
            audio = base64.b64encode(bytes(11 << 20)).decode()
            await send(long, "input_audio_buffer.append", audio=audio)
            await send(long, "input_audio_buffer.clear")
            cleared = asyncio.create_task(until(long, "input_audio_buffer.cleared"))
            others = asyncio.create_task(answers(other))
            done, rest = await asyncio.wait([cleared, others], return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.wait([cleared, others])
            return ["cleared" if task is cleared else "answered" for task in done]

    # It takes seconds to listen to four minutes.
    assert asyncio.run(talk()) == ["answered"]


def test_more_than_fifteen_mebibytes_are_an_error() -> None:
    async def talk() -> tuple[Any, str]:
        async with listening() as server, talking(server) as websocket:
            await send(websocket, "input_audio_buffer.append", audio="AAAA" * (4 << 20))
            return (await event(websocket))["error"]["code"], await written(websocket)

    assert asyncio.run(talk()) == ("invalid_value", HELLO)


@pytest.mark.parametrize("chunk", [frame(1, b"{}") * 500, frame(9, b"") * 500], ids=["events", "pings"])
def test_a_flood_of_tiny_frames_keeps_nobody_waiting(chunk: bytes) -> None:
    async def talk() -> int:
        async with listening() as server, talking(server) as other:
            client = await raw(server)
            flood = [asyncio.create_task(without_end(client, chunk)), asyncio.create_task(read_all(client))]
            await answers(other)
            going_on = sum(not task.done() for task in flood)
            for task in flood:
                task.cancel()
            await asyncio.wait(flood)
            client.close()
            return going_on

    assert asyncio.run(talk()) == 2


@pytest.mark.parametrize(
    "chunk", [frame(1, b"{}") * 500, frame(9, bytes(125)) * 500], ids=["events", "pings"]
)
def test_who_reads_nothing_is_taken_nothing_from_and_then_cut_off(chunk: bytes) -> None:
    rules = ListenerSettings(
        limits=ClientLimits(speech=1 << 18, waiting=1 << 19, unread=1 << 19, stall_s=1.0, look_s=0.05)
    )

    async def talk() -> int:
        async with listening(rules) as server, talking(server) as other:
            deaf = await raw(server)
            taken = 0
            with contextlib.suppress(ConnectionError):
                while True:
                    await everything(deaf, chunk)
                    taken += len(chunk)
            await answers(other)
            deaf.close()
            return taken

    # What the kernel holds, on both sides, and what the server does.
    assert asyncio.run(talk()) < 32 << 20


def test_who_reads_is_told_more_than_it_may_leave_unread() -> None:
    rules = ListenerSettings(limits=ClientLimits(unread=1 << 14, look_s=0.001))
    parts = [{"type": "input_text", "text": "x" * 99_000}] * 40

    async def talk() -> list[int]:
        async with listening(rules) as server, talking(server) as websocket:
            item = {"type": "message", "role": "user", "content": parts}
            await send(websocket, "conversation.item.create", item=item)
            return [len(json.dumps(each)) for each in await until(websocket, "conversation.item.done")]

    assert min(asyncio.run(talk())) > 40 * 99_000


def test_who_answers_no_ping_is_given_up() -> None:
    async def talk() -> tuple[int, str]:
        async with listening(ListenerSettings(ping_s=0.05, pong_s=0.05)) as server:
            silent = await raw(server)
            return await last_words(silent)

    assert asyncio.run(talk()) == (1011, "keepalive ping timeout")


def test_who_never_finishes_its_handshake_is_given_up() -> None:
    async def talk() -> int:
        async with listening(ListenerSettings(open_s=0.05)) as server:
            half = await connected(server)
            await everything(half, b"GET /v1/realtime HTTP/1.1\r\n")
            size = await read_all(half)
            half.close()
            return size

    assert asyncio.run(talk()) == 0
