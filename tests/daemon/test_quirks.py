"""The whole daemon with other people's servers, as the embedded one can play them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.running import Running, room
from support.serving import serving

GA, AZURE_BETA = "/v1/realtime", "/openai/realtime?api-version=2025-04-01-preview&deployment=d"
QUIRKS = "".join(
    f"&quirk={name}"
    for name in ("string-error", "ping", "no-event-id", "early-done", "no-created", "unknown-events")
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server for all of them, without its path."""
    with serving() as (_, url):
        yield url.removesuffix(GA)


@contextmanager
def connected(url: str) -> Iterator[Running]:

    with room() as where, Running(where, "--url", url, "--audio", "none") as daemon:
        daemon.until(connection="up")
        yield daemon


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(AZURE_BETA, id="beta"),
        pytest.param(f"{GA}?late_deltas=3&no_done=1&delta_bytes=777{QUIRKS}", id="quirks"),
    ],
)
def test_an_answer_is_interrupted_and_the_next_is_heard(address: str, target: str) -> None:
    with connected(address + target) as daemon:
        daemon.ask("tell me a long story")
        daemon.until(conversation="speaking")
        assert daemon.request("interrupt")["ok"]
        daemon.until(conversation="listening")
        interrupted = daemon.seq
        daemon.ask("hello")
        daemon.wait("response_done", after=interrupted, status="completed")
        daemon.until(conversation="listening")

        assert daemon.named("error") == []
        assert len(daemon.named("interrupt")) == 1
        texts = [one["data"]["text"] for one in daemon.named("assistant_transcript")]
        assert texts[-1] == "Hello! What can I do for you?"


@pytest.mark.parametrize(
    ("query", "reason", "status"),
    [
        ("refuse=401", "HTTP 401: Incorrect API key provided.", "failed"),
        ("refuse=503", "HTTP 503: The engine is currently overloaded, please try again later.", "lost"),
        (
            "refuse=4000",
            "closed by the server: 4000 invalid_request_error.beta_api_shape_disabled",
            "failed",
        ),
        ("refuse=1013", "closed by the server: 1013 try again later", "lost"),
    ],
)
def test_a_refusal_is_told_as_the_server_told_it(address: str, query: str, reason: str, status: str) -> None:

    with room() as where, Running(where, "--url", f"{address}{GA}?{query}", "--audio", "none") as daemon:
        if status == "failed":
            # Told once, perhaps before anybody listened; and it stays so.
            daemon.until(connection=status)
            assert daemon.request("status")["data"]["connection"]["reason"] == reason
        else:
            assert daemon.wait("connection", reason=reason)["data"]["status"] == status
