"""However a session ends, the link knows what it means: try again, at once or later, or wait for a person."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets

from rtvoiced.realtime.backoff import Backoff
from rtvoiced.realtime.ending import LinkEnding, refused
from rtvoiced.realtime.endpoint import Endpoint
from rtvoiced.realtime.events import (
    LinkConnecting,
    LinkFailed,
    LinkLost,
    ResponseDone,
    ServerError,
    SessionUpdated,
)
from rtvoiced.realtime.link import Link
from support.linking import QUICK, Told, linked, run
from support.scripted_server import Refusal, Visit, error_body, scripted_server

KEY = "sk-proj-0123456789"
EXPIRED = "Your session hit the maximum duration of 60 minutes."


def ending(*first: tuple[int, str] | None) -> Any:
    """Return a script whose first sessions end so: with a close code and reason, or (None) with none."""

    async def script(visit: Visit) -> None:
        await visit.configure()
        if visit.number < len(first):
            end = first[visit.number]
            await visit.close(*end) if end else visit.drop()

    return script


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[int]:
    """Accept any connection at a port; say *answer* to it and close, or (None) nothing for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if answer is None:
            # Until the client leaves.
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ((1000, ""), "closed by the server: 1000"),
        ((1001, EXPIRED), f"closed by the server: 1001 {EXPIRED}"),
        ((1008, "no"), "closed by the server: 1008 no"),
        ((1011, "keepalive ping timeout"), "closed by the server: 1011 keepalive ping timeout"),
        ((1013, "overload"), "closed by the server: 1013 overload"),
        ((4000, "invalid_request_error.other"), "closed by the server: 4000 invalid_request_error.other"),
        (None, "connection lost"),
    ],
)
def test_a_session_that_ends_is_followed_by_another_at_once(end: tuple[int, str] | None, reason: str) -> None:
    async def scenario() -> None:
        async with scripted_server(ending(end)) as server, linked(server.url) as it:
            await it.first(SessionUpdated, 2)
            assert it.all(LinkLost) == [LinkLost(reason, 1, 0.0)]
            assert it.all(LinkConnecting) == [LinkConnecting(0), LinkConnecting(1)]

    run(scenario)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ((3000, "invalid_request_error.invalid_api_key"), "auth_failed"),
        ((4000, "invalid_request_error.insufficient_quota"), "not_connected"),
        ((4000, "invalid_request_error.model_not_found"), "not_connected"),
        ((1008, "insufficient_quota"), "not_connected"),
    ],
)
def test_a_close_that_no_retry_mends_waits_for_a_person(end: tuple[int, str], code: str) -> None:
    async def scenario() -> None:
        async with scripted_server(ending(end)) as server, linked(server.url) as it:
            reason = f"closed by the server: {end[0]} {end[1]}"
            assert await it.first(LinkFailed) == [LinkFailed(reason, 600.0, code)]
            # Who has mended it does not wait ten minutes.
            it.link.reconnect()
            await it.first(SessionUpdated, 2)
            assert it.all(LinkConnecting) == [LinkConnecting(0), LinkConnecting(0)]
            assert it.all(LinkLost) == []

    run(scenario)


@pytest.mark.parametrize(
    ("refusal", "failed"),
    [
        (Refusal(401, error_body("invalid_api_key", "Incorrect API key")), "auth_failed"),
        (Refusal(403), "auth_failed"),
        (Refusal(404, error_body("DeploymentNotFound", "No such deployment")), "not_connected"),
        (Refusal(400, error_body("OpperationNotSupported", "Not a realtime model")), "not_connected"),
        (Refusal(429, error_body("insufficient_quota", "You exceeded your quota")), "not_connected"),
        (Refusal(429, error_body("rate_limit_exceeded", "Slow down")), None),
        (Refusal(500, "<html>"), None),
        (Refusal(503, '{"error": "loading the model"}'), None),
    ],
)
def test_a_refused_handshake_says_why_and_whether_a_retry_mends_it(
    refusal: Refusal, failed: str | None
) -> None:
    messages = {
        "Incorrect API key": "HTTP 401: Incorrect API key",
        "No such deployment": "HTTP 404: No such deployment",
        "Not a realtime model": "HTTP 400: Not a realtime model",
        "You exceeded your quota": "HTTP 429: You exceeded your quota",
        "Slow down": "HTTP 429: Slow down",
        "loading the model": "HTTP 503: loading the model",
    }
    said = [text for part, text in messages.items() if part in refusal.body]
    reason = said[0] if said else f"HTTP {refusal.status}"

    async def scenario() -> None:
        async with scripted_server(Visit.configure, refusal) as server, linked(server.url) as it:
            if failed:
                assert await it.first(LinkFailed) == [LinkFailed(reason, 600.0, failed)]
                it.link.reconnect()
            else:
                assert await it.first(LinkLost) == [LinkLost(reason, 1, 0.0)]
            await it.first(SessionUpdated)

    run(scenario)


@pytest.mark.parametrize(
    ("code", "failed"), [("invalid_api_key", "auth_failed"), ("credit_balance_exhausted", "not_connected")]
)
def test_a_fatal_error_before_the_end_is_its_reason(code: str, failed: str) -> None:
    async def script(visit: Visit) -> None:
        await visit.send({"type": "error", "error": {"code": code, "message": "no more"}})
        await visit.close(1000)

    async def scenario() -> None:
        async with scripted_server(script) as server, linked(server.url) as it:
            assert await it.first(LinkFailed) == [LinkFailed(f"{code}: no more", 600.0, failed)]

    run(scenario)


def test_a_server_that_repeats_the_key_does_not_make_us_tell_it() -> None:
    async def script(visit: Visit) -> None:
        error = {"code": "odd", "message": f"what is {KEY}?"}
        failed = {"id": "r", "status": "failed", "status_details": {"error": {"message": f"bad {KEY}"}}}
        await visit.send({"type": "error", "error": error}, {"type": "response.done", "response": failed})
        await visit.close(4000, f"bad key {KEY}")

    async def scenario() -> None:
        refusal = Refusal(500, error_body("x", f"Incorrect API key provided: {KEY}."))
        headers = {"Authorization": f"Bearer {KEY}"}
        async with scripted_server(script, refusal) as server:
            where = Endpoint(server.url, headers)
            async with linked(where) as it:
                assert [lost.reason for lost in await it.first(LinkLost, 2)] == [
                    "HTTP 500: Incorrect API key provided: ***.",
                    "closed by the server: 4000 bad key ***",
                ]
                assert await it.first(ServerError) == [ServerError("odd", "what is ***?")]
                assert await it.first(ResponseDone) == [
                    ResponseDone("r", "failed", error_message="bad ***"),
                ]

    run(scenario)


@pytest.mark.parametrize("stable", [False, True])
def test_only_a_session_that_lasted_begins_the_backoff_anew(stable: bool) -> None:
    backoff = Backoff(0.001, 0.004, stable_s=0.0 if stable else 60.0)

    async def scenario() -> None:
        script = ending(*[(1008, "no")] * 7)
        async with scripted_server(script) as server, linked(server.url, backoff) as it:
            lost = await it.first(LinkLost, 7)
            assert [each.attempt for each in lost] == ([1] * 7 if stable else [1, 2, 3, 4, 5, 6, 7])

    run(scenario)


def test_the_first_retry_is_immediate_and_the_others_wait_at_random_within_a_growing_limit() -> None:
    backoff = Backoff(0.1, 30.0)
    longest = [max(backoff.wait_s(attempt) for _ in range(500)) for attempt in range(14)]
    limits = [0.0, 0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]

    assert all(limit * 0.8 <= seen <= limit for seen, limit in zip(longest, limits, strict=True))
    assert backoff.wait_s(10**6) <= 30.0
    assert min(backoff.wait_s(9) for _ in range(500)) < 1.0


def test_nobody_there() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        async with linked(f"ws://127.0.0.1:{port}/") as it:
            assert await it.first(LinkLost) == [LinkLost("cannot connect: Connection refused", 1, 0.0)]
            assert [each.attempt for each in await it.first(LinkLost, 5)] == [1, 2, 3, 4, 5]

    run(scenario)


def test_an_error_of_tls_is_called_by_its_name() -> None:
    async def scenario() -> None:
        async with answering(b"no TLS is spoken here\r\n") as port, linked(f"wss://127.0.0.1:{port}/") as it:
            (lost,) = await it.first(LinkLost)
            assert lost.reason.startswith("cannot connect: TLS: ")

    run(scenario)


def test_an_address_is_never_repeated_for_it_may_hold_a_password() -> None:
    invalid = websockets.InvalidURI(f"ws://me:{KEY}@host#x", "fragment identifier is meaningless")
    proxy = websockets.InvalidProxy(f"ftp://me:{KEY}@proxy", "scheme isn't HTTP")

    assert refused(invalid, 10) == LinkEnding(
        "cannot connect: the URL is not valid: fragment identifier is meaningless"
    )
    assert refused(proxy, 10) == LinkEnding("cannot connect: the proxy is not valid: scheme isn't HTTP")


def test_what_stands_in_the_way_of_connecting_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")

    async def scenario() -> None:
        async with linked("wss://server.invalid/") as it:
            (lost,) = await it.first(LinkLost)
            assert lost.reason.startswith("cannot connect: the proxy needs a package that is not installed")

    run(scenario)
    assert refused(UnicodeError("label too long"), 10) == LinkEnding(
        "cannot connect: the host's name is not valid"
    )


def test_a_new_session_can_be_asked_for_from_inside_the_report_of_a_loss() -> None:
    def react(link: Link, told: Told) -> None:
        if isinstance(told, LinkLost) and told.attempt == 1:
            link.reconnect()

    async def scenario() -> None:
        script = ending((1011, ""))
        async with scripted_server(script) as server, linked(server.url, QUICK, react=react) as it:
            await it.first(SessionUpdated, 2)
            # Somebody asked: that is no retry.
            assert it.all(LinkConnecting) == [LinkConnecting(0), LinkConnecting(0)]

    run(scenario)


def test_an_attempt_that_hangs_can_be_given_up() -> None:
    async def scenario() -> None:
        async with answering(None) as port, linked(f"ws://127.0.0.1:{port}/") as it:
            await it.first(LinkConnecting)
            it.link.reconnect()
            assert await it.first(LinkLost) == [LinkLost("reconnect", 0, 0.0)]
            await it.first(LinkConnecting, 2)
            it.link.fail("invalid_api_key: no")
            assert await it.first(LinkFailed) == [LinkFailed("invalid_api_key: no", 600.0, "auth_failed")]

    run(scenario)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (("drop",), LinkLost("dropped", 1, 0.0)),
        (("fail",), LinkFailed("refused: api_key", 600.0, "not_connected")),
        (("drop", "fail"), LinkLost("dropped", 1, 0.0)),
        (("fail", "drop"), LinkFailed("refused: api_key", 600.0, "not_connected")),
        (("fail", "reconnect"), LinkLost("reconnect", 0, 0.0)),
        (("reconnect", "fail"), LinkLost("reconnect", 0, 0.0)),
    ],
)
def test_the_first_reason_is_the_true_one_but_who_wants_a_new_session_gets_it(
    calls: tuple[str, ...], expected: LinkLost | LinkFailed
) -> None:
    async def scenario() -> None:
        async with scripted_server() as server, linked(server.url) as it:
            await it.first(SessionUpdated)
            actions = {
                "drop": lambda: it.link.drop("dropped"),
                "fail": lambda: it.link.fail("refused: api_key"),
                "reconnect": it.link.reconnect,
            }
            for call in calls:
                actions[call]()
            assert await it.first(type(expected)) == [expected]
            assert await (await server.visit(0)).left() == (1000, "")

    run(scenario)


def test_without_a_session_there_is_nothing_to_give_up() -> None:
    async def scenario() -> None:
        async with scripted_server(ending((3000, "invalid_api_key"))) as server, linked(server.url) as it:
            await it.first(LinkFailed)
            it.link.drop("late")
            it.link.fail("late")
            await asyncio.sleep(0)  # Let it act on that, if it does.
            it.link.reconnect()
            await it.first(SessionUpdated, 2)
            assert (it.all(LinkLost), len(it.all(LinkFailed)), len(it.all(LinkConnecting))) == ([], 1, 2)

    run(scenario)


def test_a_server_that_gives_no_session_is_left_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtvoiced.realtime.link.CREATED_S", 0.2)

    async def script(visit: Visit) -> None:
        if visit.number == 0:
            await visit.send({"type": "ping"})
        else:
            await visit.configure()
            # Once it is there, a session may be as silent as it likes.
            await asyncio.sleep(0.4)
            await visit.send({"type": "error", "error": {"code": "last", "message": "words"}})

    async def scenario() -> None:
        async with scripted_server(script) as server, linked(server.url) as it:
            await it.first(ServerError)
            (lost,) = it.all(LinkLost)
            assert lost == LinkLost("the server gave no session within 0 s", 1, 0.0)
            assert len(server.visits) == 2

    run(scenario)
