"""Interruptions of a whole daemon: what the server is told, what subscribers see, what a listener hears."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import WIRE
from support.running import Room, Running, eventually, room
from support.scripted_server import Visit, Wire
from support.stage import APPEND, Seat, flat, stage

ANSWER, LATE, NEXT, QUEUED = 1000, 3000, 2000, 4000
"""Sample values: who is heard can be counted."""
NEXT_MS = 300
EXACT_MS = 6
"""The fade's 5 ms are no whole samples of the answer."""


@dataclass
class Scene:
    """A daemon with a speaker, and the server's side of its session."""

    here: Room
    daemon: Running
    seat: Seat

    def speaks(self, least_ms: int = 100) -> None:
        """Wait until a listener has heard some of an answer."""
        eventually(lambda: (self.daemon.data("status")["response"] or {}).get("played_ms", 0) >= least_ms)

    def answered(self) -> list[Wire]:
        """Finish the user's turn: the next answer is heard whole. Return all that was cancelled or cut."""
        self.seat.speech_stopped("u9", "and now?")
        self.seat.say(flat(NEXT_MS, NEXT), "This is now.", "r9", "i9")
        assert self.daemon.wait("playback", item_id="i9", status="drained")["data"]["played_ms"] == NEXT_MS
        self.daemon.until(conversation="listening")
        assert self.daemon.named("error") == []
        return self.seat.corrections()

    def heard(self) -> NDArray[np.int16]:
        """End the daemon and return what a listener heard."""
        self.daemon.stop()
        with wave.open(str(self.here.path / "heard.wav")) as file:
            return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.fixture
def scene() -> Iterator[Scene]:
    with room() as here, stage() as server:
        card = f"wav:,{here.path}/heard.wav"
        with Running(here, "--url", server.url, "--audio", card) as daemon:
            daemon.until(connection="up")
            yield Scene(here, daemon, server.seat())


def truncated(item: str, ms: int) -> Wire:
    return {
        "type": "conversation.item.truncate",
        "item_id": item,
        "content_index": 0,
        "audio_end_ms": ms,
    }


def deleted(item: str) -> Wire:
    return {"type": "conversation.item.delete", "item_id": item}


def count_ms(heard: NDArray[np.int16], value: int) -> float:
    return float(np.count_nonzero(heard == value)) * 1000 / WIRE.hz


def test_while_deltas_flow(scene: Scene) -> None:
    scene.seat.begin("r1", "i1")
    for number in range(10):
        scene.seat.delta("r1", "i1", flat(200, ANSWER), f"word{number} ")
    scene.speaks()
    scene.seat.barge_in("r1", "i1", "u9", flat(200, LATE))
    cut = scene.daemon.wait("interrupt")
    sent = scene.answered()
    after = [each["event"] for each in scene.daemon.events if each["seq"] > cut["seq"]]
    heard = scene.heard()

    played_ms = cut["data"]["played_ms"]
    assert sent == [truncated("i1", played_ms)]
    assert 100 <= played_ms <= 2000
    assert (cut["data"]["cause"], cut["data"]["item_id"]) == ("server_vad", "i1")
    assert cut["data"]["dropped_ms"] == 2000 - played_ms
    # Late deltas change nothing: no audio, no words, until the next answer begins.
    assert after[: after.index("response_created")].count("response_done") == 1
    assert not {"audio_delta", "delta", "playback"} & set(after[: after.index("response_created")])
    assert scene.daemon.wait("speech_started")["seq"] < cut["seq"]
    assert abs(count_ms(heard, ANSWER) - played_ms) <= EXACT_MS
    assert (count_ms(heard, LATE), count_ms(heard, NEXT)) == (0, NEXT_MS)


def test_after_generation_ended_nothing_is_cancelled(scene: Scene) -> None:
    scene.seat.say(flat(2000, ANSWER), "One two three four five six.", "r1", "i1")
    scene.daemon.wait("response_done", response_id="r1")
    scene.speaks()
    scene.seat.speech_started("u9")
    cut = scene.daemon.wait("interrupt")["data"]

    assert scene.answered() == [truncated("i1", cut["played_ms"])]
    assert cut["played_ms"] + cut["dropped_ms"] == 2000
    assert abs(count_ms(scene.heard(), ANSWER) - cut["played_ms"]) <= EXACT_MS


def test_twice_within_50_ms_cuts_once(scene: Scene) -> None:
    scene.seat.say(flat(2000, ANSWER), "One two three four five six.", "r1", "i1")
    scene.speaks()
    request = scene.daemon.post("interrupt")
    scene.seat.speech_started("u8")
    scene.seat.speech_started("u9")
    cut = scene.daemon.wait("interrupt")["data"]
    reply = scene.daemon.reply(request)
    sent = scene.answered()

    assert reply["ok"]
    assert sent == [truncated("i1", cut["played_ms"])]
    assert len(scene.daemon.named("interrupt")) == 1
    assert count_ms(scene.heard(), NEXT) == NEXT_MS


def test_answer_cut_while_the_one_before_fades_out_is_corrected_too(scene: Scene) -> None:
    scene.seat.say(flat(2000, ANSWER), "One two three four five six.", "r1", "i1")
    scene.speaks()
    scene.seat.speech_started("u7")
    scene.seat.speech_stopped("u7", "no")
    scene.seat.say(flat(500, QUEUED), "Yes.", "r2", "i2")
    scene.seat.speech_started("u9")
    first, second = scene.daemon.wait("interrupt"), scene.daemon.wait("interrupt", count=2)
    played_ms = second["data"]["played_ms"]

    assert [each["data"]["item_id"] for each in (first, second)] == ["i1", "i2"]
    assert scene.answered() == [
        truncated("i1", first["data"]["played_ms"]),
        truncated("i2", played_ms) if played_ms else deleted("i2"),
    ]
    assert abs(count_ms(heard := scene.heard(), QUEUED) - played_ms) <= EXACT_MS
    # A fade goes through all levels, and may meet that of the next answer for a frame.
    assert 0 <= count_ms(heard, NEXT) - NEXT_MS < 0.1


def test_before_the_first_audio_deletes(scene: Scene) -> None:
    scene.seat.begin("r1", "i1")
    scene.seat.delta("r1", "i1", b"", "I was about to ")
    scene.daemon.wait("delta")
    scene.seat.barge_in("r1", "i1", "u9", flat(200, LATE))
    scene.daemon.wait("speech_started")

    assert scene.answered() == [deleted("i1")]
    assert scene.daemon.named("interrupt") == []
    assert count_ms(scene.heard(), LATE) == 0


def test_while_a_second_answer_queues(scene: Scene) -> None:
    scene.seat.say(flat(2000, ANSWER), "One two three four five six.", "r1", "i1")
    scene.seat.say(flat(500, QUEUED), "Seven eight.", "r2", "i2")
    scene.daemon.wait("response_done", response_id="r2")
    scene.speaks()
    scene.seat.speech_started("u9")
    cut = scene.daemon.wait("interrupt")["data"]

    assert scene.answered() == [truncated("i1", cut["played_ms"]), deleted("i2")]
    assert cut["dropped_ms"] == 2500 - cut["played_ms"]
    assert len(scene.daemon.named("interrupt")) == 1
    assert count_ms(scene.heard(), QUEUED) == 0


def test_by_rtctl_cancels_and_truncates(scene: Scene) -> None:
    scene.seat.begin("r1", "i1")
    scene.seat.delta("r1", "i1", flat(2000, ANSWER), "One two three four five six.")
    scene.speaks()
    told = scene.here.rtctl("interrupt")
    cancelled = scene.seat.sent("response.cancel")
    scene.seat.delta("r1", "i1", flat(200, LATE), "late")
    scene.seat.end("r1", "i1", status="cancelled")
    cut = scene.daemon.wait("interrupt")["data"]
    scene.daemon.until(conversation="listening")
    scene.seat.speech_started("u9")
    sent = scene.answered()

    assert cancelled == {"type": "response.cancel", "response_id": "r1"}
    assert sent == [cancelled, truncated("i1", cut["played_ms"])]
    assert told.stdout == f"interrupted after {cut['played_ms']} ms, {cut['dropped_ms']} ms dropped\n"
    assert cut["cause"] == "command"
    assert count_ms(scene.heard(), LATE) == 0


def test_speech_after_an_answer_cuts_nothing(scene: Scene) -> None:
    scene.seat.say(flat(200, ANSWER), "One.", "r1", "i1")
    scene.daemon.wait("playback", status="drained")
    scene.seat.speech_started("u9")
    scene.daemon.wait("speech_started")

    assert scene.answered() == []
    assert scene.daemon.named("interrupt") == []
    assert count_ms(scene.heard(), ANSWER) == 200


def test_server_of_another_rate_is_told_in_its_own_milliseconds() -> None:
    async def at_16_khz(visit: Visit) -> None:
        await visit.send({"type": "session.created", "session": {"id": "s", "type": "realtime"}})
        session = (await visit.sent("session.update"))["session"]
        for half in ("input", "output"):
            session["audio"][half]["format"]["rate"] = 16_000
        await visit.send({"type": "session.updated", "session": session})

    with room() as here, stage(at_16_khz) as server:
        card = f"wav:,{here.path}/heard.wav"
        with Running(here, "--url", server.url, "--audio", card) as daemon:
            daemon.until(connection="up")
            scene = Scene(here, daemon, server.seat())
            scene.seat.say(np.full(32_000, ANSWER, "<i2").tobytes(), "One two three.", "r1", "i1")
            scene.speaks()
            scene.seat.speech_started("u9")
            cut = daemon.wait("interrupt")["data"]
            (sent,) = scene.seat.corrections()
            appends = scene.seat.visit.events(APPEND)

            assert sent == truncated("i1", cut["played_ms"])
            assert cut["played_ms"] + cut["dropped_ms"] == 2000
            assert abs(count_ms(scene.heard(), ANSWER) - cut["played_ms"]) <= EXACT_MS
            # 20 ms at 16 kHz, as base64.
            assert {len(each["audio"]) for each in appends[2:]} == {856}
