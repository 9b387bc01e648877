"""The socket's edge: how connections begin and end, what the switches do, what nobody may do to others."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections import Counter
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from rtvoice.audio.pcm import WIRE
from rtvoice.local import connection
from rtvoice.local.connection import Limits
from rtvoice.local.handshake import Door
from rtvoice.local.listening import Listener, Rules
from rtvoice.local.options import Options
from rtvoice.local.refusals import CLOSE_REASONS
from serving import (
    USUAL,
    Json,
    ask,
    audio_of,
    event,
    frame,
    listening,
    raw,
    send,
    talking,
    to_the_end,
    until,
    visiting,
    written,
)

EXPIRED = "Your session hit the maximum duration of 60 minutes."
HELLO = "Hello! What can I do for you?"
STORY = "tell me a long story"


def types(events: list[Json]) -> list[str]:
    return [one["type"] for one in events]


async def rejected(query: str, rules: Rules = USUAL, **options: Any) -> tuple[int, Json]:
    """The HTTP error that a connection is answered with."""
    async with listening(rules) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with visiting(server, query, **options):
                pass
        response = refused.value.response
        assert response.headers["Content-Type"] == "application/json"
        return response.status_code, json.loads(response.body)["error"]


async def ended(query: str) -> tuple[list[str], int | None, str | None]:
    """What a connection is told until the server ends it."""
    async with listening() as server, visiting(server, query) as websocket:
        events, code, reason = await to_the_end(websocket)
        return types(events), code, reason


# Beginnings.


def test_a_wrong_key_is_refused_before_the_upgrade_and_the_right_one_is_taken() -> None:
    rules = Rules(Door(key="sk-right"))
    status, error = asyncio.run(rejected("", rules, additional_headers={"Authorization": "Bearer sk-wrong"}))
    assert (status, error["type"], error["code"]) == (401, "invalid_request_error", "invalid_api_key")

    async def talk() -> str:
        headers = {"Authorization": "Bearer sk-right"}
        async with listening(rules) as server, talking(server, additional_headers=headers) as websocket:
            return await written(websocket)

    assert asyncio.run(talk()) == HELLO


def test_a_browser_shows_its_key_as_a_subprotocol_and_is_answered_realtime() -> None:
    async def talk() -> str | None:
        async with listening(Rules(Door(key="sk-right"))) as server:
            offered = ["realtime", "openai-insecure-api-key.sk-right"]
            async with talking(server, subprotocols=offered) as websocket:
                return websocket.subprotocol

    assert asyncio.run(talk()) == "realtime"


def test_a_subprotocol_that_nobody_knows_is_not_answered() -> None:
    async def talk() -> str | None:
        async with listening() as server, talking(server, subprotocols=["mqtt"]) as websocket:
            return websocket.subprotocol

    assert asyncio.run(talk()) is None


def test_a_page_of_another_site_is_refused() -> None:
    status, error = asyncio.run(rejected("", origin="https://example.org"))
    assert (status, error["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_an_http_error_can_be_had_in_place_of_the_upgrade(status: int) -> None:
    assert asyncio.run(rejected(f"refuse={status}"))[0] == status


def test_a_parameter_that_cannot_be_read_is_an_http_error() -> None:
    status, error = asyncio.run(rejected("latency=soon"))
    assert (status, error["param"]) == (400, "latency")


def test_a_browser_that_wants_a_page_is_told_where_it_is() -> None:
    async def ask() -> bytes:
        async with listening() as server:
            address = next(iter(server.server.sockets)).getsockname()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    head, _, body = asyncio.run(ask()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found")
    assert "/v1/realtime" in json.loads(body)["error"]["message"]


def test_the_model_of_the_url_is_that_of_the_session() -> None:
    async def talk() -> Json:
        async with listening() as server, visiting(server, "model=gpt-realtime-2.1") as websocket:
            return await event(websocket)

    assert asyncio.run(talk())["session"]["model"] == "gpt-realtime-2.1"


def test_a_session_that_only_transcribes_is_asked_for_by_its_intent() -> None:
    async def talk() -> tuple[str, list[str]]:
        async with listening() as server:
            async with visiting(server, "intent=transcription") as ga:
                kind = (await event(ga))["session"]["type"]
            async with visiting(server, "intent=transcription&dialect=beta") as beta:
                return kind, [(await event(beta))["type"]]

    assert asyncio.run(talk()) == ("transcription", ["transcription_session.created"])


def test_the_beta_is_spoken_by_header() -> None:
    async def talk() -> tuple[list[str], str]:
        headers = {"OpenAI-Beta": "realtime=v1"}
        async with listening() as server, visiting(server, additional_headers=headers) as websocket:
            greeting = types([await event(websocket), await event(websocket)])
            await send(websocket, "session.update", session={"modalities": ["text"]}, event_id="e1")
            await send(websocket, "session.update", session={"audio": {}}, event_id="e2")
            updated, refused = await event(websocket), await event(websocket)
            assert updated["session"]["modalities"] == ["text"]
            return greeting, f"{refused['error']['event_id']} {refused['error']['param']}"

    assert asyncio.run(talk()) == (["session.created", "conversation.created"], "e2 session.audio")


def test_more_sessions_than_there_is_room_for_are_told_to_come_later() -> None:
    async def talk() -> tuple[int, str]:
        async with listening(Rules(sessions=2)) as server:
            async with talking(server), talking(server):
                with pytest.raises(InvalidStatus) as refused:
                    async with visiting(server):
                        pass
            async with talking(server) as websocket:
                return refused.value.response.status_code, await written(websocket)

    assert asyncio.run(talk()) == (503, HELLO)


def test_of_two_hundred_connections_at_once_each_is_served_or_refused() -> None:
    async def one(server: Listener) -> int:
        try:
            async with talking(server) as websocket:
                assert await written(websocket) == HELLO
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    async def talk() -> set[int]:
        async with listening() as server:
            found = await asyncio.gather(*(one(server) for _ in range(200)))
            assert found.count(101) >= Rules().sessions
            return set(found)

    assert asyncio.run(talk()) <= {101, 503}


# Ends.


def test_a_session_expires_with_its_error_and_its_close() -> None:
    async def talk() -> tuple[int, Json, int | None, str | None]:
        async with listening() as server, visiting(server, "session_cap=0.2") as websocket:
            created = await event(websocket)
            (error,), code, reason = await to_the_end(websocket)
            return created["session"]["expires_at"], error["error"], code, reason

    _, error, code, reason = asyncio.run(talk())
    assert (code, reason) == (1001, EXPIRED)
    assert error == {
        "type": "invalid_request_error",
        "code": "session_expired",
        "message": EXPIRED,
        "param": None,
        "event_id": None,
    }


def test_the_end_of_a_session_is_told_in_its_beginning() -> None:
    async def talk() -> int:
        async with listening() as server:
            found = []
            for query in ("session_cap=100", "session_cap=3600"):
                async with visiting(server, query) as websocket:
                    found.append((await event(websocket))["session"]["expires_at"])
            return int(found[1] - found[0])

    assert asyncio.run(talk()) in (3500, 3501)


def test_a_session_expires_in_the_middle_of_an_answer() -> None:
    async def talk() -> tuple[list[str], int | None]:
        async with listening() as server, talking(server, "session_cap=1&speed=1") as websocket:
            await ask(websocket, STORY)
            events, code, _ = await to_the_end(websocket)
            return types(events), code

    events, code = asyncio.run(talk())
    assert (events[-1], code) == ("error", 1001)
    assert "response.done" not in events
    assert "response.output_audio.delta" in events


@pytest.mark.parametrize("code", [*CLOSE_REASONS, 3999, 4001])
def test_a_connection_can_be_closed_as_soon_as_it_is_open(code: int) -> None:
    assert asyncio.run(ended(f"refuse={code}")) == ([], code, CLOSE_REASONS.get(code, ""))


def test_an_error_code_is_the_reason_of_a_close() -> None:
    told = asyncio.run(ended("refuse=insufficient_quota"))
    assert told == ([], 4000, "invalid_request_error.insufficient_quota")


def test_a_client_of_the_beta_can_be_closed_as_openai_does() -> None:
    async def talk() -> tuple[int | None, str | None, str]:
        async with listening() as server:
            async with visiting(server, "quirk=beta-disabled&dialect=beta") as beta:
                _, code, reason = await to_the_end(beta)
            async with talking(server, "quirk=beta-disabled") as ga:
                return code, reason, await written(ga)

    assert asyncio.run(talk()) == (4000, "invalid_request_error.beta_api_shape_disabled", HELLO)


def test_a_connection_can_be_lost_without_a_word() -> None:
    assert asyncio.run(ended("drop_after=0.1")) == (["session.created"], 1006, "")


def test_a_connection_can_be_lost_in_the_middle_of_an_answer() -> None:
    async def talk() -> tuple[list[str], int | None]:
        async with listening() as server, talking(server, "drop_after=1&speed=1") as websocket:
            await ask(websocket, STORY)
            events, code, _ = await to_the_end(websocket)
            return types(events), code

    events, code = asyncio.run(talk())
    assert code == 1006
    assert "response.output_audio.delta" in events
    assert "response.done" not in events


def test_a_model_that_does_not_load_is_told_and_the_connection_lost() -> None:
    assert asyncio.run(ended("quirk=model-load-error")) == (["error"], 1006, "")


def test_at_the_servers_end_every_client_is_told_even_in_the_middle_of_an_answer() -> None:
    async def talk() -> list[tuple[int | None, str | None]]:
        async with listening() as server, talking(server) as first, talking(server) as second:
            await ask(first, STORY)
            await until(first, "response.output_audio.delta")
            server.server.close()
            return [(await to_the_end(each))[1:] for each in (first, second)]

    assert asyncio.run(talk()) == [(1001, ""), (1001, "")]


def test_the_servers_end_does_not_wait_for_who_asks_for_nothing() -> None:
    async def talk() -> bytes:
        async with listening(Rules(open_s=1_000)) as server:
            half = await connected(server)
        # It is closed without an answer.
        told = await asyncio.get_running_loop().sock_recv(half, 100)
        half.close()
        return told

    assert asyncio.run(talk()) == b""


# Pace and order.


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
    assert {each for each in often if often[each] > 2} == sizes


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


def test_the_error_and_the_close_of_an_expiry_are_late_too() -> None:
    assert asyncio.run(ended("session_cap=0.1&latency=200")) == (["session.created", "error"], 1001, EXPIRED)


async def repeated(rules: Rules, query: str, count: int = 1) -> list[list[Json]]:
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
    (first,) = asyncio.run(repeated(Rules(), f"seed=7&{query}"))
    (second,) = asyncio.run(repeated(Rules(), f"seed=7&{query}"))
    (other,) = asyncio.run(repeated(Rules(), f"seed=8&{query}"))

    assert json.dumps(first) == json.dumps(second)
    assert first[0]["session"]["id"] != other[0]["session"]["id"]


def test_a_seed_of_the_server_makes_the_same_run_of_different_sessions() -> None:
    rules = Rules(seed="7")
    first = asyncio.run(repeated(rules, "speed=1000", count=2))

    assert first == asyncio.run(repeated(rules, "speed=1000", count=2))
    assert first[0][0]["session"]["id"] != first[1][0]["session"]["id"]


def test_without_a_seed_no_two_sessions_have_the_same_id() -> None:
    first, second = asyncio.run(repeated(Rules(), "speed=1000", count=2))
    assert first[0]["session"]["id"] != second[0]["session"]["id"]


# Faults, on the wire.


def test_late_deltas_come_over_the_wire_by_flag_and_by_query() -> None:
    async def talk(rules: Rules, query: str) -> list[str]:
        async with listening(rules) as server, talking(server, query) as websocket:
            await ask(websocket, STORY)
            await until(websocket, "response.output_audio.delta")
            await send(websocket, "response.cancel")
            return types(await until(websocket, "response.done"))

    by_flag = asyncio.run(talk(Rules(Door(Options(late_deltas=2, speed=1.0))), ""))
    by_query = asyncio.run(talk(Rules(), "late_deltas=2&speed=1"))
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


# Odd input.


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
    rules = Rules(limits=Limits(speech=1 << 18, waiting=1 << 19, unread=1 << 19, stall_s=1.0, look_s=0.05))

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
    rules = Rules(limits=Limits(unread=1 << 14, look_s=0.001))
    parts = [{"type": "input_text", "text": "x" * 99_000}] * 40

    async def talk() -> list[int]:
        async with listening(rules) as server, talking(server) as websocket:
            item = {"type": "message", "role": "user", "content": parts}
            await send(websocket, "conversation.item.create", item=item)
            return [len(json.dumps(each)) for each in await until(websocket, "conversation.item.done")]

    assert min(asyncio.run(talk())) > 40 * 99_000


def test_who_answers_no_ping_is_given_up() -> None:
    async def talk() -> tuple[int, str]:
        async with listening(Rules(ping_s=0.05, pong_s=0.05)) as server:
            silent = await raw(server)
            return await last_words(silent)

    assert asyncio.run(talk()) == (1011, "keepalive ping timeout")


def test_who_never_finishes_its_handshake_is_given_up() -> None:
    async def talk() -> int:
        async with listening(Rules(open_s=0.05)) as server:
            half = await connected(server)
            await everything(half, b"GET /v1/realtime HTTP/1.1\r\n")
            size = await read_all(half)
            half.close()
            return size

    assert asyncio.run(talk()) == 0
