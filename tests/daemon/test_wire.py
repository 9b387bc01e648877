"""What a server gets of a whole daemon: in which order, how much audio, and silence while muted."""

from __future__ import annotations

import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from support.running import Room, Running, room
from support.scripted_server import Visit
from support.stage import APPEND, Stage, flat, stage

BLOCKS_S = 0.04
"""What may seem to be missing: the 20 ms of an append, and as much again for a late start."""
PREROLL_BLOCKS = 30
SPOKEN_MS = 8000
CARD = f"""
import sys, threading
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import numpy as np
from support.fakes import SimulatedCard, WallClock
from rtvoiced import __main__ as program
from rtvoiced.app.build.launch import Parts

def numbered(block, frames):
    return np.full(frames, block + 1, np.int16).tobytes()

def busy():
    number = 0
    while True:
        number = (number * 31 + 7) % 1000003

for _ in range(int(sys.argv.pop(1))):
    threading.Thread(target=busy, daemon=True).start()
card = lambda: SimulatedCard(WallClock(), microphone=numbered)
sys.exit(program.main(parts=Parts(no_card=card)))
"""
"""A daemon with threads that never rest, and a card like a real one: it keeps 100 ms, the rest is lost."""


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


def microphone(here: Room) -> tuple[str, NDArray[np.int16]]:
    """Return a card whose microphone never says the same twice, and what it says."""
    samples = np.random.default_rng(7).integers(1, 32767, WIRE.frames(SPOKEN_MS), dtype=np.int16)
    with wave.open(str(here.path / "in.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(FRAME_BYTES)
        file.setframerate(WIRE.hz)
        file.writeframes(samples.tobytes())
    return f"wav:{here.path}/in.wav,", samples


def none(server: Stage) -> tuple[str, ...]:
    return ("--url", server.url, "--audio", "none")


def samples_of(visit: Visit) -> NDArray[np.int16]:
    return np.frombuffer(visit.audio, "<i2")


def missing_s(visit: Visit) -> float:
    """Return how much less audio came than time went by, in seconds.

    One append may be late, but the least lateness of a second only grows when
    audio is missing.
    """
    appends = [each for each in visit.received if each.event["type"] == APPEND]
    sent = np.cumsum([len(each.event["audio"]) * 3 // 4 for each in appends]) / (WIRE.hz * FRAME_BYTES)
    late = np.array([each.at for each in appends]) - sent
    return float(min(late[-50:]) - min(late[:50]))


async def silent(visit: Visit) -> None:
    """The script of a server that leaves everything to the test."""


def test_configuration_comes_first_and_no_audio_before_it_is_taken(here: Room) -> None:
    program = (sys.executable, "-c", CARD, "0")
    with stage(silent) as server, Running(here, *none(server), program=program) as daemon:
        visit = server.do(server.server.visit(0))
        daemon.live_on()
        assert visit.types == []
        server.do(visit.send({"type": "session.created", "session": {"id": "s", "type": "realtime"}}))
        update = server.do(visit.sent("session.update"))
        daemon.live_on()
        assert visit.types == ["session.update"]
        server.do(visit.send({"type": "session.updated", "session": update["session"]}))
        server.do(visit.sent(APPEND))
        daemon.until(connection="up")
        server.do(visit.sent(APPEND, 50))
        blocks = samples_of(visit)[:: WIRE.block]

    assert visit.types == ["session.update", APPEND]
    # What was said just before is there, without a gap; what is older is not.
    assert np.unique(np.diff(blocks)).tolist() == [1]
    assert blocks[0] > 100 - PREROLL_BLOCKS


def test_every_sample_arrives_once_in_time_and_muted_ones_as_silence(here: Room) -> None:
    card, samples = microphone(here)
    with stage() as server, Running(here, "--url", server.url, "--audio", card) as daemon:
        daemon.until(connection="up")
        visit = server.seat().visit
        for mode in ("on", "off", "on"):
            server.do(visit.sent(APPEND, len(visit.events(APPEND)) + 50))
            daemon.data("mute", mode=mode)
        server.do(visit.sent(APPEND, len(visit.events(APPEND)) + 50))
        heard = np.trim_zeros(samples_of(visit), "f")  # The file begins with the session.
        stretches = np.flatnonzero(np.diff(heard == 0, prepend=False))
        said = samples[place(samples, heard) :][: len(heard)]

        assert len(stretches) == 3  # On, off, on: no gaps between.
        assert np.array_equal(heard[heard != 0], said[heard != 0])
        assert missing_s(visit) < BLOCKS_S


def test_busy_thread_in_the_process_costs_no_block_of_the_microphone(here: Room) -> None:
    program = (sys.executable, "-c", CARD, "1")
    with stage() as server, Running(here, *none(server), program=program) as daemon:
        daemon.until(connection="up")
        visit = server.seat().visit
        server.do(visit.sent(APPEND, 200))  # 4 s
        blocks = samples_of(visit)[:: WIRE.block]

        assert np.unique(np.diff(blocks)).tolist() == [1]
        assert missing_s(visit) < BLOCKS_S


def place(samples: NDArray[np.int16], heard: NDArray[np.int16]) -> int:
    """Return where the first block of *heard* stands in *samples*."""
    at = samples.tobytes().find(heard[: WIRE.frames(20)].tobytes())
    assert at >= 0
    assert at % FRAME_BYTES == 0
    return at // FRAME_BYTES


# A server that never says goodbye


@pytest.mark.parametrize("speaking", [False, True])
def test_stopped_with_a_server_that_answers_nothing_any_more(here: Room, speaking: bool) -> None:
    with stage() as server, Running(here, *none(server)) as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        if speaking:
            seat.begin("r1", "i1")
            seat.delta("r1", "i1", flat(5000, 1000), "on and on")
            daemon.wait("playback", status="started")
        server.call(seat.visit.stop_reading)
        daemon.stop()
        assert daemon.named("bye")[0]["data"] == {"reason": "SIGTERM"}


# Mute while the user speaks


def test_mute_ends_an_utterance_and_what_the_server_makes_of_it_is_not_heard(here: Room) -> None:
    with stage() as server, Running(here, *none(server)) as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        seat.speech_started("u1")
        daemon.until(conversation="hearing")
        daemon.data("mute")
        seat.sent("input_audio_buffer.clear")
        stopped = daemon.wait("speech_stopped")["data"]
        # A server that had heard enough already.
        seat.speech_stopped("u1", "never mind")
        seat.say(flat(200, 1000), "I heard that.", "r1", "i1")
        daemon.wait("response_done", response_id="r1")
        sent = seat.corrections()
        daemon.data("mute", mode="off")
        seat.speech_started("u2")
        seat.speech_stopped("u2", "hello")
        seat.say(flat(200, 1000), "Hello.", "r2", "i2")
        daemon.wait("assistant_transcript", heard="Hello.")
        daemon.until(conversation="listening")

        assert (stopped["item_id"], stopped["reason"]) == ("u1", "mute")
        assert {(each["type"], each.get("item_id") or each["response_id"]) for each in sent} == {
            ("conversation.item.delete", "u1"),
            ("response.cancel", "r1"),
            ("conversation.item.delete", "i1"),
        }
        assert len(sent) == 3
        assert seat.corrections() == sent
        assert [each["data"]["text"] for each in daemon.named("user_transcript")] == ["hello"]
        assert [each["data"]["text"] for each in daemon.named("delta")] == ["Hello."]
