"""The link: a session is configured first, nothing of an old one reaches a new one, and it closes well."""

from __future__ import annotations

import json
import time

import pytest

from rtvoiced.dsp.pcm import Part
from rtvoiced.errors import RtvoiceError
from rtvoiced.realtime.backoff import Backoff
from rtvoiced.realtime.dialects import beta, ga
from rtvoiced.realtime.endpoint import Endpoint
from rtvoiced.realtime.events import (
    AppendAudio,
    AudioDelta,
    CancelResponse,
    ClearAudio,
    Ignored,
    LinkConnecting,
    LinkLost,
    SessionCreated,
    SessionUpdated,
    TruncateItem,
    UpdateSession,
)
from rtvoiced.realtime.websocket import CLOSE_S
from rtvoiced.vocabulary import DialectName
from support.linking import CONFIG, linked, run
from support.scripted_server import Refusal, Visit, scripted_server

CREATED = SessionCreated("sess_0", None, "ga")
UPDATED = SessionUpdated("sess_0", None, "marin", None, 24_000, 24_000, client_managed_turns=False)
BIG = AppendAudio(bytes(1 << 20))
"""Fifty of these are more than any socket takes."""


async def no_more(visit: Visit) -> None:
    """Read nothing after the session's configuration."""
    await visit.configure()
    visit.stop_reading()


def test_a_session_is_told_in_order_and_configured_before_anything_else() -> None:
    async def scenario() -> None:
        async with scripted_server() as server, linked(server.url) as it:
            await it.first(SessionUpdated)
            it.link.send(ClearAudio())
            visit = await server.visit(0)
            await visit.sent("input_audio_buffer.clear")
            assert it.told == [LinkConnecting(0), CREATED, UPDATED]
            assert visit.types == ["session.update", "input_audio_buffer.clear"]
            assert it.link.sessions == 1

    run(scenario)


def test_the_key_and_the_name_go_along() -> None:
    async def scenario() -> None:
        async with scripted_server() as server:
            async with linked(Endpoint(server.url, {"Authorization": "Bearer sk-secret"}, "ga")):
                visit = await server.visit(0)
                await visit.sent("session.update")
            assert visit.path == "/v1/realtime?model=scripted"
            assert visit.headers["Authorization"] == "Bearer sk-secret"
            assert visit.headers["User-Agent"].startswith("rtvoice/")

    run(scenario)


@pytest.mark.parametrize(
    ("dialect", "session", "expected"),
    [
        (None, {"input_audio_format": "pcm16", "type": None}, beta.encode),
        (None, {}, ga.encode),
        ("beta", {}, beta.encode),
        ("ga", {"input_audio_format": "pcm16", "type": None}, ga.encode),
    ],
)
def test_the_first_event_shows_a_servers_dialect_unless_it_is_known(
    dialect: DialectName | None, session: dict[str, str | None], expected: object
) -> None:
    async def scenario() -> None:
        async def script(visit: Visit) -> None:
            await visit.configure(**session)

        async with scripted_server(script) as server, linked(Endpoint(server.url, dialect=dialect)):
            visit = await server.visit(0)
            assert callable(expected)
            assert await visit.sent("session.update") == expected(UpdateSession(CONFIG, "session-1"))

    run(scenario)


def test_what_is_sent_without_a_connection_is_dropped() -> None:
    async def scenario() -> None:
        async with scripted_server() as server, linked(server.url) as it:
            it.link.send(CancelResponse("of an earlier session"))
            await it.first(SessionUpdated)
            it.link.send(ClearAudio())
            visit = await server.visit(0)
            await visit.sent("input_audio_buffer.clear")
            assert visit.types == ["session.update", "input_audio_buffer.clear"]

    run(scenario)


def test_nothing_of_an_old_session_is_sent_in_the_new_one() -> None:
    async def scenario() -> None:
        async def script(visit: Visit) -> None:
            await (visit.configure() if visit.number else no_more(visit))

        async with scripted_server(script) as server, linked(server.url) as it:
            await it.first(SessionUpdated)
            for _ in range(60):
                it.link.send(BIG)
            it.link.send(TruncateItem("item_1", 0, 840))
            # What the socket has taken of it is the server's.
            assert it.link.dropped_frames == 10 * len(BIG.pcm) // 2
            (await server.visit(0)).drop()
            await it.first(SessionUpdated, 2)
            it.link.send(ClearAudio())
            visit = await server.visit(1)
            await visit.sent("input_audio_buffer.clear")
            assert visit.types == ["session.update", "input_audio_buffer.clear"]
            assert it.link.dropped_frames > 10 * len(BIG.pcm) // 2

    run(scenario)


def test_events_that_cannot_be_read_are_counted_and_the_session_goes_on() -> None:
    started = "input_audio_buffer.speech_started"

    async def scenario() -> None:
        async def script(visit: Visit) -> None:
            await visit.configure()
            await visit.send("no json", b"binary", "[]", "{}", '{"type":"response.done"}')
            await visit.send(f'{{"type":"{started}","item_id":"i","audio_start_ms":Infinity}}')
            await visit.send('{"type":"error","error":{"code":{"no":"text"},"message":"odd"}}')
            await visit.send({"type": "ping"})

        async with scripted_server(script) as server, linked(server.url) as it:
            await it.first(Ignored)
            assert it.told[-1] == Ignored("ping")
            assert it.link.unreadable == 6
            assert it.all(LinkLost) == []

    run(scenario)


def test_a_message_of_many_megabytes_is_taken() -> None:
    async def scenario() -> None:
        pcm = bytes(10 << 20)

        async def script(visit: Visit) -> None:
            await visit.configure()
            await visit.delta("r1", "i1", pcm)

        async with scripted_server(script) as server, linked(server.url) as it:
            assert await it.first(AudioDelta) == [AudioDelta(Part("r1", "i1", 0), pcm)]

    run(scenario)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody listens at port 9, discard.
    for name in ("https_proxy", "http_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    async def scenario() -> None:
        async with scripted_server() as server, linked(server.url) as it:
            await it.first(SessionUpdated)
            assert it.all(LinkLost) == []

    run(scenario)


def test_a_redirect_is_not_followed_for_it_would_take_the_key_along() -> None:
    async def scenario() -> None:
        async with scripted_server() as other, scripted_server() as server:
            server.refusals.append(Refusal(307, headers={"Location": other.url}))
            async with linked(Endpoint(server.url, {"api-key": "secret-key"}, "ga")) as it:
                assert await it.first(LinkLost) == [LinkLost("HTTP 307", 1, 0.0)]
                await it.first(SessionUpdated)
            assert (len(server.visits), other.visits) == (1, [])

    run(scenario)


def test_a_cancelled_link_has_sent_everything_and_says_goodbye() -> None:
    async def scenario() -> None:
        async with scripted_server() as server:
            async with linked(server.url) as it:
                await it.first(SessionUpdated)
                for number in range(200):
                    it.link.send(TruncateItem(f"item_{number}", 0, number))
                await it.link.flush(10.0)
            visit = await server.visit(0)
            assert await visit.left() == (1000, "")
            assert len(visit.events("conversation.item.truncate")) == 200

    run(scenario)


def test_nothing_waits_for_the_flush_of_a_lost_session() -> None:
    async def scenario() -> None:
        async with linked("ws://127.0.0.1:9/") as it:
            await it.first(LinkLost)
            it.link.send(ClearAudio())
            before = time.monotonic()
            await it.link.flush(60.0)
            assert time.monotonic() - before < 30

    run(scenario)


@pytest.mark.parametrize("full", [False, True])
def test_a_server_that_does_not_say_goodbye_is_left_all_the_same(full: bool) -> None:
    async def scenario() -> None:
        async with scripted_server(no_more) as server:
            async with linked(server.url) as it:
                await it.first(SessionUpdated)
                for _ in range(50 * full):
                    it.link.send(BIG)
                await it.link.flush(0.1)
                before = time.monotonic()
            # Not the 20 s of a ping, and not for ever.
            assert time.monotonic() - before < CLOSE_S + 5

    run(scenario)


@pytest.mark.parametrize(
    ("full", "reason"),
    [(False, "1011 keepalive ping timeout"), (True, "the server takes nothing")],
)
def test_a_server_that_stands_still_is_given_up(full: bool, reason: str) -> None:
    async def scenario() -> None:
        async def script(visit: Visit) -> None:
            await (visit.configure() if visit.number else no_more(visit))

        async with scripted_server(script) as server, linked(server.url, ping_s=0.3) as it:
            await it.first(SessionUpdated)
            for _ in range(50 * full):
                it.link.send(BIG)
            assert await it.first(LinkLost) == [LinkLost(f"connection given up: {reason}", 1, 0.0)]
            await it.first(SessionUpdated, 2)

    run(scenario)


def test_a_bug_ends_the_link_wherever_it_is() -> None:
    async def scenario() -> None:
        async with scripted_server() as server, linked(server.url) as it:
            await it.first(SessionUpdated)
            it.link.send("no event at all")  # type: ignore[arg-type]
            assert isinstance(await it.bug(), AssertionError)

    run(scenario)


def test_a_server_that_cannot_be_started_is_told_and_tried_again() -> None:
    async def scenario() -> None:
        async with scripted_server() as server:
            tries: list[int] = []

            async def where() -> Endpoint:
                tries.append(1)
                if len(tries) == 1:
                    raise RtvoiceError("the embedded server did not start")
                return Endpoint(server.url)

            async with linked(where, Backoff()) as it:
                assert await it.first(LinkLost) == [LinkLost("the embedded server did not start", 1, 0.0)]
                await it.first(SessionUpdated)

    run(scenario)


def test_every_wire_event_is_one_line_of_json() -> None:
    async def scenario() -> None:
        async with scripted_server() as server, linked(server.url) as it:
            await it.first(SessionUpdated)
            it.link.send(AppendAudio(b"\1\2"))
            event = await (await server.visit(0)).sent("input_audio_buffer.append")
            assert json.dumps(event) == '{"type": "input_audio_buffer.append", "audio": "AQI="}'

    run(scenario)
