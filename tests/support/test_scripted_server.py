"""The scripted server keeps its promises: what it sends, what it records, how it goes."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from websockets import ConnectionClosed, InvalidStatus
from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_sync

from support.scripted_server import Refusal, Visit, error_body, scripted_server, scripted_server_beside

UPDATE = json.dumps({"type": "session.update", "session": {"type": "realtime", "audio": {}}})


async def read(websocket: Any, count: int) -> list[str]:
    return [json.loads(await websocket.recv())["type"] for _ in range(count)]


def test_a_barge_in_sends_two_late_deltas_before_the_answer_ends() -> None:
    async def script(visit: Visit) -> None:
        await visit.configure()
        await visit.begin("r1", "i1")
        await visit.barge_in("r1", "i1", "u1", b"\0\0")

    async def main() -> None:
        async with scripted_server(script) as server, connect(server.url, proxy=None) as websocket:
            await websocket.send(UPDATE)
            await websocket.send('{"type":"response.cancel"}')
            assert [re.sub(".*[.]", "", each) for each in await read(websocket, 13)] == [
                *("created", "updated", "created", "added", "added"),
                *("speech_started", "delta", "delta", "delta", "delta", "done", "done", "done"),
            ]
            visit = await server.visit(0)
            await visit.sent("response.cancel")
            assert visit.types == ["session.update", "response.cancel"]
            await websocket.close()
            assert await visit.left() == (1000, "")

    asyncio.run(main())


def test_it_refuses_as_often_as_it_is_told_and_then_serves_beside_a_test_without_a_loop() -> None:
    with scripted_server_beside(Visit.configure, Refusal(401, error_body("invalid_api_key", "no"))) as beside:
        with pytest.raises(InvalidStatus) as refused:
            connect_sync(beside.server.url, proxy=None)
        assert refused.value.response.body == error_body("invalid_api_key", "no").encode()
        with connect_sync(beside.server.url, proxy=None) as websocket:
            websocket.send(UPDATE)
            visit = beside.wait(beside.server.visit(0))
            assert beside.wait(visit.sent("session.update")) == json.loads(UPDATE)


def test_it_goes_without_a_word() -> None:
    async def script(visit: Visit) -> None:
        visit.drop()

    async def main() -> None:
        async with scripted_server(script) as server, connect(server.url, proxy=None) as websocket:
            with pytest.raises(ConnectionClosed) as closed:
                await websocket.recv()
            assert closed.value.rcvd is None

    asyncio.run(main())
