"""A server that refuses, and one that talks of our key: told, not tried in a loop, and never the key."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.running import Room, Running, eventually, room
from support.scripted_server import Refusal, configure, error_body
from support.stage import stage

KEY = "sk-0123456789abcdef-secret"
REFUSAL = Refusal(401, error_body("invalid_api_key", f"Incorrect API key provided: {KEY}."))


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


def keyed(here: Room, url: str) -> list[str]:
    """Return the settings of a server that wants `KEY`."""
    path = here.path / "key"
    path.touch(0o600)
    path.write_text(KEY)
    key = ["--set", "session.auth=bearer", "--set", f"session.key_file={path}"]
    return ["--url", url, *key, "--audio", "none", "--log-level", "debug"]


def test_refused_key_is_told_and_not_tried_in_a_loop(here: Room) -> None:
    with (
        stage(configure, REFUSAL, REFUSAL) as server,
        Running(here, *keyed(here, server.url)) as daemon,
    ):
        refused = server.server.refused
        daemon.until(connection="failed")
        status = daemon.data("status")
        asked = here.rtctl("ask", "--json", "hello")
        daemon.live_on()

        assert status["connection"]["reason"] == "HTTP 401: Incorrect API key provided: ***."
        assert here.rtctl("status").returncode == 0
        assert asked.returncode == 75
        assert json.loads(asked.stdout)["error"]["code"] == "not_connected"
        assert "HTTP 401" in asked.stdout
        assert len(refused) == 1
        # Somebody asks for another try; later the server takes the key.
        assert here.rtctl("reconnect").returncode == 0
        eventually(lambda: len(refused) == 2)
        daemon.wait("connection", status="failed", after=daemon.seq)
        assert here.rtctl("reconnect").returncode == 0
        daemon.until(connection="up")
        assert server.seat().visit.headers["Authorization"] == f"Bearer {KEY}"


def test_key_is_told_to_nobody_whatever_the_server_says(here: Room) -> None:
    error = {"code": "odd", "message": f"What is {KEY}?"}
    with (
        stage(configure, REFUSAL) as server,
        Running(here, *keyed(here, server.url)) as daemon,
    ):
        daemon.until(connection="failed")
        told = [here.rtctl("ask", "hello").stderr, here.rtctl("status").stdout, here.rtctl("hello").stdout]
        daemon.data("reconnect")
        seat = server.seat()
        seat.send({"type": "error", "error": error})
        seat.begin("r1", "i1")
        details = {"type": "failed", "error": error}
        failed = {"id": "r1", "status": "failed", "status_details": details}
        seat.send({"type": "response.done", "response": failed}, f"no JSON: {KEY}", {"type": f"{KEY}"})
        daemon.wait("response_done")
        daemon.wait("error", details={"server_code": "odd"}, count=2)
        seat.close(3000, f"invalid_request_error.invalid_api_key {KEY}")
        daemon.wait("connection", status="lost")
        daemon.until(connection="up")
        told += [json.dumps(daemon.data("status")), *here.processes().values()]
        daemon.stop()

        told += [daemon.log(), daemon.out(), json.dumps(daemon.events + daemon.beats)]
        assert [each for each in told if KEY in each or KEY[3:] in each] == []
        assert "***" in daemon.log()


def test_error_that_no_retry_mends_is_failed(here: Room) -> None:
    with stage() as server, Running(here, *keyed(here, server.url)) as daemon:
        server.seat().send({"type": "error", "error": {"code": "insufficient_quota", "message": "no more"}})
        daemon.until(connection="failed")
        assert daemon.data("status")["connection"]["reason"] == "insufficient_quota: no more"
        daemon.live_on()
        assert len(server.server.visits) == 1
