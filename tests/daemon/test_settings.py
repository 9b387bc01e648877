"""Settings of a whole daemon that change while it runs: heard, sent to the server, read again."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtvoiced.dsp.pcm import WIRE
from support.running import PATIENCE_S, RTVOICED, Room, Running, eventually, room
from support.scripted_server import Visit
from support.stage import Stage, flat, stage

NOWHERE = ("--url", "ws://127.0.0.1:9/v1/realtime", "--log-level", "error")
UPDATE = "session.update"
LOUD = 8000


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Stage]:
    with stage() as made:
        yield made


def configured(here: Room, text: str) -> Path:
    file = here.path / "config.toml"
    file.write_text(text)
    return file


# Volume


def test_volume_is_set_changed_and_told(here: Room) -> None:
    with Running(here, *NOWHERE, "--audio", "none", "--set", "audio.volume_percent=80") as daemon:

        def volume(**args: int) -> int:
            percent: int = daemon.data("volume", **args)["percent"]
            assert daemon.data("status")["volume_percent"] == percent
            return percent

        assert [volume(), volume(percent=30), volume(relative=-20), volume(relative=-20)] == [80, 30, 10, 0]
        assert [volume(relative=100), volume(relative=1), volume()] == [100, 100, 100]
        assert daemon.data("get", key="audio.volume_percent")["origin"] == "command volume"
        assert daemon.data("set", key="audio.volume_percent", value="55")["value"] == 55
        assert volume() == 55
        for args in ({"percent": 101}, {"relative": -101}, {"percent": 1, "relative": 1}):
            assert daemon.request("volume", **args)["error"]["code"] == "bad_args"


def test_another_volume_is_heard_at_once(here: Room, server: Stage) -> None:
    card = f"wav:,{here.path}/heard.wav"
    with Running(here, "--url", server.url, "--audio", card) as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        seat.say(flat(1000, LOUD), "loud", "r1", "i1")
        eventually(lambda: (daemon.data("status")["response"] or {}).get("played_ms", 0) >= 200)
        daemon.data("volume", percent=25)
        daemon.wait("playback", status="drained")
        daemon.stop()
    with wave.open(str(here.path / "heard.wav")) as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2")

    loud, quiet = (int(np.count_nonzero(heard == value)) for value in (LOUD, LOUD // 4))
    assert loud >= WIRE.frames(200)
    assert quiet >= WIRE.frames(100)
    # Nothing is lost but the few samples on the way from one to the other.
    assert WIRE.frames(1000) - WIRE.frames(10) <= loud + quiet <= WIRE.frames(1000)
    assert np.argmax(heard == LOUD) < np.argmax(heard == LOUD // 4)


# Set and get


def test_session_keys_reach_the_server_which_may_refuse_them(here: Room) -> None:
    async def script(visit: Visit) -> None:
        await visit.configure()
        for count in (2, 3):
            update = await visit.sent(UPDATE, count)
            if count == 2:
                await visit.send({"type": "session.updated", "session": {**update["session"], "id": "s"}})
            else:
                error = {
                    "type": "invalid_request_error",
                    "message": "too slow",
                    "event_id": update["event_id"],
                }
                await visit.send({"type": "error", "error": error})

    with stage(script) as server, Running(here, "--url", server.url, "--audio", "none") as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        told = daemon.data("set", key="session.instructions", value="Be rude.")
        refused = daemon.request("set", key="session.speed", value=0.5)

        assert told == {"key": "session.instructions", "value": "Be rude.", "applied": "now"}
        assert seat.sent(UPDATE, 2)["session"]["instructions"] == "Be rude."
        assert seat.sent(UPDATE, 3)["session"]["instructions"] == "Be rude."
        assert refused["error"]["code"] == "bad_args"
        instructions, speed = (daemon.data("get", key=f"session.{key}") for key in ("instructions", "speed"))
        assert (instructions["value"], instructions["origin"]) == ("Be rude.", "command set")
        # What the server did not take is not in force.
        assert (speed["value"], speed["origin"]) == (1.0, "default")


def test_without_a_session_the_next_one_is_configured_so(here: Room) -> None:
    with Running(here, *NOWHERE, "--audio", "none") as daemon:
        told = daemon.data("set", key="turn.silence_ms", value=700)

        assert told == {"key": "turn.silence_ms", "value": 700, "applied": "next_session"}
        assert daemon.data("get", key="turn.silence_ms")["value"] == 700


def test_keys_that_can_not_change_now_and_such_as_there_are_not(here: Room) -> None:
    with Running(here, *NOWHERE, "--audio", "none") as daemon:
        asked = {
            ("audio.card", "none"): "not_allowed",
            ("session.url", "ws://x"): "not_allowed",
            ("turn.silense_ms", 700): "bad_args",
            ("turn.silence_ms", 7): "bad_args",
            ("turn.silence_ms", "soon"): "bad_args",
        }
        refused = {(key, value): daemon.request("set", key=key, value=value)["error"] for key, value in asked}

        assert {given: error["code"] for given, error in refused.items()} == asked
        assert "did you mean turn.silence_ms?" in refused["turn.silense_ms", 700]["message"]
        assert daemon.request("get", key="nothing")["error"]["code"] == "bad_args"
        assert daemon.data("get", key="audio.card") == {
            "key": "audio.card",
            "value": "none",
            "origin": "flag --audio",
        }


def test_log_level_changes(here: Room) -> None:
    with Running(here, "--url", "ws://127.0.0.1:9/", "--audio", "none", "--log-level", "error") as daemon:
        assert daemon.log() == ""
        daemon.data("set", key="log.level", value="info")
        daemon.data("reconnect")
        eventually(lambda: '"event": "link.lost"' in daemon.log(), daemon.log)


# Reload


@pytest.mark.parametrize("by", ["command", "signal"])
def test_reload_applies_what_can_change_and_a_broken_file_changes_nothing(here: Room, by: str) -> None:
    file = configured(here, "[audio]\nvolume_percent = 80\n")
    words = ("--audio", "none", "--config", str(file), "--set", "turn.silence_ms=900")
    with Running(here, *NOWHERE, *words) as daemon:

        def reload(text: str) -> dict[str, object]:
            configured(here, text)
            if by == "command":
                reply = daemon.request("reload")
                return dict(reply["data"] if reply["ok"] else reply["error"])
            before = daemon.seq
            daemon.process.send_signal(signal.SIGHUP)
            return {} if "desk" in text else dict(daemon.wait("error", after=before)["data"])

        def volume() -> int:
            return int(daemon.data("status")["volume_percent"])

        changed = reload('[audio]\nvolume_percent = 30\ninput = "desk"\n[turn]\nsilence_ms = 200\n')
        eventually(lambda: volume() == 30)
        broken = reload("[audio]\nvolume_percent = 3000\n")

        if by == "command":
            keys = ["audio.input", "audio.volume_percent"]
            assert changed == {"changed": keys, "restart": ["audio.input"]}
        assert broken["code"] == "bad_args"
        assert broken["message"] == f"audio.volume_percent ({file}): must be from 0 to 100, not 3000"
        assert volume() == 30
        assert daemon.data("get", key="turn.silence_ms")["value"] == 900
        assert daemon.data("get", key="audio.input")["value"] is None


def test_reload_tells_the_server_what_concerns_it(here: Room, server: Stage) -> None:
    file = configured(here, "")
    with Running(here, "--url", server.url, "--audio", "none", "--config", str(file)) as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        configured(here, '[session]\ninstructions = "Be brief."\n')

        assert daemon.data("reload") == {"changed": ["session.instructions"], "restart": []}
        assert seat.sent(UPDATE, 2)["session"]["instructions"] == "Be brief."


def test_a_daemon_whose_terminal_goes_away_ends_and_does_not_listen_on(here: Room) -> None:
    ours, theirs = pty.openpty()
    # setsid -c makes the terminal its controlling one, as a login does.
    daemon = subprocess.Popen(
        ["setsid", "-c", *RTVOICED, "--runtime-dir", str(here.run), *NOWHERE, "--audio", "none"],
        env=here.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        eventually((here.run / "control.sock").exists)
        assert here.rtctl("status").returncode == 0
        os.close(ours)
        assert daemon.wait(PATIENCE_S) == 0
    finally:
        daemon.kill()
        daemon.wait()
