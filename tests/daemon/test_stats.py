"""What a whole daemon measures of itself: counters, latencies, levels while somebody looks."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zmq

from rtvoiced.dsp.pcm import WIRE
from rtvoiced.host.paths import events_socket
from support.running import PATIENCE_S, Event, Room, Running, eventually, room
from support.stage import Stage, flat, stage

LATENCIES = (
    *("onset_to_decision", "decision_to_silence", "speech_end_to_first_sound", "first_delta_to_sound"),
    "mic_to_wire",
)
NOTHING = {"n": 0, "p50": None, "p95": None, "max": None}
TONE = 16_384


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def loud(here: Room) -> str:
    """Return a card whose microphone hears a square wave at half of full scale."""
    with wave.open(str(here.path / "in.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(WIRE.hz)
        file.writeframes(np.tile(np.array([TONE, -TONE], "<i2"), WIRE.frames(30_000) // 2).tobytes())
    return f"wav:{here.path}/in.wav,{here.path}/out.wav"


def counted(stats: dict[str, Any]) -> dict[str, int]:
    return {name: n for name, n in stats.items() if isinstance(n, int) and n}


def measured(stats: dict[str, Any]) -> dict[str, int]:
    return {name: stats["latency_ms"][name]["n"] for name in LATENCIES if name != "mic_to_wire"}


def test_at_the_start_everything_is_nought_and_nothing_was_measured(here: Room) -> None:
    with Running(here, "--url", "ws://127.0.0.1:9/v1/realtime", "--audio", "none") as daemon:
        stats = daemon.data("stats")

        assert counted(stats) == {}
        assert stats["latency_ms"] == dict.fromkeys(LATENCIES, NOTHING)
        assert stats["link"] == {"reconnects": 0, "stale_audio_dropped_ms": 0}
        assert stats["ipc"]["bad_requests"] == stats["ipc"]["expired"] == 0
        assert stats["ipc"]["subscribers_peak"] == 1
        assert stats["ipc"]["commands"] == 2


def test_a_turn_a_barge_in_and_a_reconnect_are_counted_and_timed(here: Room, server: Stage) -> None:
    card = f"wav:,{here.path}/heard.wav"
    with Running(here, "--url", server.url, "--audio", card) as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        seat.speech_started("u1")
        seat.speech_stopped("u1", "hello?")
        seat.say(flat(200, 100), "Hello.", "r1", "i1")
        daemon.wait("playback", item_id="i1", status="drained")
        seat.begin("r2", "i2")
        seat.delta("r2", "i2", flat(5000, 100), "long")
        eventually(lambda: (daemon.data("status")["response"] or {}).get("played_ms", 0) >= 100)
        seat.barge_in("r2", "i2", "u2", flat(20, 100))
        daemon.wait("interrupt")
        stats = daemon.data("stats")

        assert counted(stats) == {"turns": 1, "interrupts": 1, "truncates": 1}
        assert measured(stats) == {
            "onset_to_decision": 0,
            "decision_to_silence": 1,
            "speech_end_to_first_sound": 1,
            "first_delta_to_sound": 2,
        }
        cut = daemon.named("interrupt")[0]["data"]
        assert stats["latency_ms"]["decision_to_silence"]["max"] == cut["decision_to_silence_ms"]
        answer, delta = (stats["latency_ms"][name] for name in LATENCIES[2:4])
        assert 0 < delta["p50"] <= delta["p95"] == delta["max"]
        assert 0 < answer["p50"] == answer["max"]
        wire = stats["latency_ms"]["mic_to_wire"]
        assert wire["n"] > 10
        assert 0 < wire["p50"] <= wire["p95"] <= wire["max"]
        assert stats["ipc"]["events"] == daemon.seq

        daemon.data("reconnect")
        server.seat(1)
        assert daemon.data("stats")["link"]["reconnects"] == 1


def levels(daemon: Running, count: int) -> list[Event]:
    """Subscribe to the levels, return the first *count*, and leave."""
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.set(zmq.LINGER, 0)
        sub.set(zmq.RCVTIMEO, int(PATIENCE_S * 1000))
        sub.connect(f"ipc://{events_socket(daemon.room.run)}")
        sub.subscribe("level")
        messages = [sub.recv_multipart() for _ in range(count + 1)]
    assert [topic for topic, _ in messages] == [b"level+welcome"] + [b"level"] * count
    return [json.loads(body) for _, body in messages[1:]]


def test_levels_come_while_somebody_looks_and_at_most_twenty_a_second(here: Room, loud: str) -> None:
    with Running(here, "--provider", "local", "--audio", loud) as daemon:
        daemon.until(connection="up")
        # Who subscribes to everything did not ask for them.
        assert daemon.named("level") == []
        # The script begins once the session is up.
        eventually(lambda: levels(daemon, 1)[-1]["data"]["input_dbfs"] > -10)
        told = levels(daemon, 10)
        daemon.live_on()

        # Nobody looks any more; whoever subscribes to everything saw them too meanwhile.
        assert len(daemon.named("level")) > 10
        assert daemon.named("level")[-1]["mono"] < daemon.beats[-1]["mono"] - 0.5
        assert {each["data"]["input_dbfs"] for each in told} == {-6.0}
        assert {each["data"]["vad"] for each in told} == {None}
        assert all(-96.0 <= each["data"]["output_dbfs"] <= 0 for each in told)
        assert told[-1]["mono"] - told[0]["mono"] >= 0.4
        # Uncounted: they carry the last number, and are never told again.
        run = daemon.data("status")["run"]
        assert {each["n"] for each in told} == {0}
        assert daemon.data("replay", run=run, since=0, events=["level"])["events"] == []


def test_a_muted_microphone_tells_no_level(here: Room, loud: str) -> None:
    with Running(here, "--provider", "local", "--audio", loud) as daemon:
        daemon.until(connection="up")
        eventually(lambda: levels(daemon, 1)[-1]["data"]["input_dbfs"] > -10)
        daemon.data("mute")

        assert {each["data"]["input_dbfs"] for each in levels(daemon, 5)} == {-96.0}
