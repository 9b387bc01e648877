"""What the switches do on the wire: pace, order, seeds, faults."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.net import connection
from rtvoiced_server.net.handshake import Admission
from rtvoiced_server.net.listener import ListenerSettings
from rtvoiced_server.net.options import ConnectionOptions
from support.serving import (
    STORY,
    Json,
    ask,
    audio_of,
    event,
    listening,
    send,
    talking,
    types,
    until,
    visiting,
)


def test_at_real_time_the_audio_takes_as_long_as_it_plays() -> None:
    async def talk() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        async with listening() as server, talking(server, "speed=1") as websocket:
            await ask(websocket, "what is seven plus five")
            events = await until(websocket, "response.output_audio.delta")
            began = loop.time()
            events += await until(websocket, "response.done")
            return sum(map(len, audio_of(events))) / WIRE.size(1000), loop.time() - began

    played, took = asyncio.run(talk())
    assert took > 0.7 * played


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (101, {101}),
        (4_800, {4_800}),
        # More than a stretch of a sentence; the sentences end with less.
        (30_000, {30_000}),
        # As much as a sentence has: there are two.
        (1 << 20, set()),
    ],
)
def test_deltas_may_be_of_any_size_and_hold_the_same_audio(size: int, sizes: set[int]) -> None:
    async def talk(query: str) -> list[bytes]:
        async with listening() as server, talking(server, f"speed=1000&{query}") as websocket:
            await ask(websocket, "hello")
            return audio_of(await until(websocket, "response.done"))

    deltas = asyncio.run(talk(f"delta_bytes={size}"))
    assert b"".join(deltas) == b"".join(asyncio.run(talk("")))
    often = Counter(map(len, deltas))
    assert {each for each in often if often[each] > 1} == sizes
    assert len(deltas) > 2 or size > 30_000


def test_latency_delays_every_event_and_keeps_their_order() -> None:
    async def talk(query: str) -> tuple[list[str], float]:
        loop = asyncio.get_running_loop()
        async with listening() as server, visiting(server, query) as websocket:
            await event(websocket)
            began = loop.time()
            await send(websocket, "input_audio_buffer.clear")
            await event(websocket)
            took = loop.time() - began
            await ask(websocket, "hello", output_modalities=["text"])
            return types(await until(websocket, "rate_limits.updated")), took

    usual, _ = asyncio.run(talk(""))
    late, took = asyncio.run(talk("latency=300"))
    assert late == usual
    assert took >= 0.3


async def repeated(rules: ListenerSettings, query: str, count: int = 1) -> list[list[Json]]:
    """What so many connections, one after the other, are told of the same two answers; without times."""
    async with listening(rules) as server:
        found = []
        for _ in range(count):
            async with visiting(server, query) as websocket:
                events = [await event(websocket)]
                events[0]["session"]["expires_at"] = 0
                for text in ("hello", "what is seven plus five"):
                    await ask(websocket, text)
                    events += await until(websocket, "rate_limits.updated")
                found.append(events)
        return found


def test_a_seed_makes_the_same_events_byte_by_byte() -> None:
    query = "speed=1000&quirk=unknown-events"
    (first,) = asyncio.run(repeated(ListenerSettings(), f"seed=7&{query}"))
    (second,) = asyncio.run(repeated(ListenerSettings(), f"seed=7&{query}"))
    (other,) = asyncio.run(repeated(ListenerSettings(), f"seed=8&{query}"))

    assert json.dumps(first) == json.dumps(second)
    assert first[0]["session"]["id"] != other[0]["session"]["id"]


def test_a_seed_of_the_server_makes_the_same_run_of_different_sessions() -> None:
    rules = ListenerSettings(seed="7")
    first = asyncio.run(repeated(rules, "speed=1000", count=2))

    assert first == asyncio.run(repeated(rules, "speed=1000", count=2))
    assert first[0][0]["session"]["id"] != first[1][0]["session"]["id"]


def test_a_seed_gives_no_id_that_the_client_has_from_a_session_before() -> None:
    async def talk() -> list[str]:
        async with listening() as server:
            async with talking(server, "seed=7") as websocket:
                await ask(websocket, "hello", output_modalities=["text"])
                first = await until(websocket, "response.done")
            history = [one["item"] for one in first if one["type"] == "conversation.item.done"]
            async with talking(server, "seed=7") as websocket:
                for item in history:
                    await send(websocket, "conversation.item.create", item=item)
                await ask(websocket, "hello", output_modalities=["text"])
                again = await until(websocket, "response.done")
            return [one["item"]["id"] for one in again if one["type"] == "conversation.item.done"]

    ids = asyncio.run(talk())
    assert (len(ids), len(set(ids))) == (4, 4)


def test_without_a_seed_no_two_sessions_have_the_same_id() -> None:
    first, second = asyncio.run(repeated(ListenerSettings(), "speed=1000", count=2))
    assert first[0]["session"]["id"] != second[0]["session"]["id"]


def test_late_deltas_come_over_the_wire_by_flag_and_by_query() -> None:
    async def talk(rules: ListenerSettings, query: str) -> list[str]:
        async with listening(rules) as server, talking(server, query) as websocket:
            await ask(websocket, STORY)
            await until(websocket, "response.output_audio.delta")
            await send(websocket, "response.cancel")
            return types(await until(websocket, "response.done"))

    by_flag = asyncio.run(talk(ListenerSettings(Admission(ConnectionOptions(late_deltas=2, speed=1.0))), ""))
    by_query = asyncio.run(talk(ListenerSettings(), "late_deltas=2&speed=1"))
    for told in (by_flag, by_query):
        assert told[-8:-5] == ["response.output_audio.delta"] * 2 + ["response.output_audio.done"]


def test_pings_come_now_and_then() -> None:
    async def talk() -> list[str]:
        async with listening() as server, talking(server, "quirk=ping") as websocket:
            return types([await event(websocket), await event(websocket)])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(connection, "PING_S", 0.05)
        assert asyncio.run(talk()) == ["ping", "ping"]


def test_a_string_for_an_error_comes_in_both_dialects() -> None:
    async def talk(query: str) -> Json:
        async with listening() as server, visiting(server, f"quirk=string-error&{query}") as websocket:
            await send(websocket, "response.cancel")
            return (await until(websocket, "error"))[-1]

    for query in ("dialect=ga", "dialect=beta"):
        told = asyncio.run(talk(query))
        assert told["error"] == "Cancellation failed: no active response found"
        assert told["code"] == "response_cancel_not_active"
