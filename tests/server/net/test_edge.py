"""The socket's edge: how connections begin and how they end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from rtvoiced_server.net.handshake import Admission
from rtvoiced_server.net.listener import Listener, ListenerSettings
from rtvoiced_server.net.refusals import CLOSE_REASONS
from support.serving import (
    HELLO,
    STORY,
    USUAL,
    Json,
    ask,
    event,
    listening,
    send,
    talking,
    to_the_end,
    types,
    until,
    visiting,
    written,
)

EXPIRED = "Your session hit the maximum duration of 60 minutes."


async def rejected(query: str, rules: ListenerSettings = USUAL, **options: Any) -> tuple[int, Json]:
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
    rules = ListenerSettings(Admission(key="sk-right"))
    status, error = asyncio.run(rejected("", rules, additional_headers={"Authorization": "Bearer sk-wrong"}))
    assert (status, error["type"], error["code"]) == (401, "invalid_request_error", "invalid_api_key")

    async def talk() -> str:
        headers = {"Authorization": "Bearer sk-right"}
        async with listening(rules) as server, talking(server, additional_headers=headers) as websocket:
            return await written(websocket)

    assert asyncio.run(talk()) == HELLO


def test_a_browser_shows_its_key_as_a_subprotocol_and_is_answered_realtime() -> None:
    async def talk() -> str | None:
        async with listening(ListenerSettings(Admission(key="sk-right"))) as server:
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
        async with listening(ListenerSettings(sessions=2)) as server:
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
            assert found.count(101) >= ListenerSettings().sessions
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


def test_the_error_and_the_close_of_an_expiry_are_late_too() -> None:
    assert asyncio.run(ended("session_cap=0.1&latency=200")) == (["session.created", "error"], 1001, EXPIRED)
