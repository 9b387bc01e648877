"""Commands that came too late, that came twice, and twenty daemons at once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest
import zmq

from rtvoiced.host.paths import control_socket
from rtvoiced.ipc.contract.protocol import request_body
from support.measuring import asking
from support.running import PATIENCE_S, RTVOICED, Room, Running, eventually, room

NOWHERE = ("--url", "ws://127.0.0.1:9/v1/realtime", "--audio", "none", "--log-level", "error")
DAEMONS = 20
BLOCKED_S = 2.0


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


def test_what_timed_out_while_the_daemon_stood_still_is_not_carried_out_later(here: Room) -> None:
    with Running(here, *NOWHERE) as daemon:
        os.kill(daemon.process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        posted = [daemon.post("mute", mode=mode, expires=begun + 0.5) for mode in ("on", "off", "on")]
        eventually(lambda: time.monotonic() > begun + BLOCKED_S)
        os.kill(daemon.process.pid, signal.SIGCONT)
        replies = [daemon.reply(request) for request in posted]
        daemon.live_on()

        assert [reply["error"]["code"] for reply in replies] == ["expired"] * 3
        assert daemon.data("status")["muted"] is False
        assert [each for each in daemon.named("state") if each["data"]["muted"]] == []
        assert daemon.data("stats")["ipc"]["expired"] == 3


def test_a_toggle_whose_reply_was_lost_is_tried_again_and_toggles_once(here: Room) -> None:
    with Running(here, *NOWHERE) as daemon:
        request = uuid.uuid4().hex
        with zmq.Context() as context, context.socket(zmq.DEALER) as first:
            # It is sent, and who asked is gone before the reply comes.
            first.set(zmq.LINGER, int(PATIENCE_S * 1000))
            first.connect(f"ipc://{control_socket(here.run)}")
            first.send_multipart([b"", request_body("mute", {"mode": "toggle"}, request)])
        daemon.wait("state", muted=True)
        again = daemon.request("mute", request_id=request, mode="toggle")

        assert again["data"] == {"muted": True, "until": None, "changed": True}
        assert daemon.data("status")["muted"] is True
        for command in ("mute", "interrupt"):
            other = daemon.request(command, request_id=request)
            assert other["error"]["code"] == "bad_request"
        assert daemon.data("status")["muted"] is True


def test_of_twenty_daemons_at_once_one_lives_and_answers(here: Room) -> None:
    started = [
        subprocess.Popen(
            # Not at the cost of the tests beside.
            ["nice", "-n", "19", *RTVOICED, "--runtime-dir", str(here.run), *NOWHERE],
            env=here.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(DAEMONS)
    ]
    try:
        eventually(lambda: sum(each.poll() is None for each in started) <= 1)
        alive = [each.pid for each in started if each.poll() is None]
        with asking(here.run) as client:
            answered = client.ask("hello")["data"]["pid"]
        assert alive == [answered]
        assert sorted(each.returncode for each in started if each.poll() is not None) == [75] * (DAEMONS - 1)
    finally:
        for each in started:
            each.terminate()
        assert all(each.wait() in (0, 75) for each in started)
