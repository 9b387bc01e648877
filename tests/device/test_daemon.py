"""The real rtvoiced on a virtual sound card: what it says was heard against what a listener heard."""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rtvoiced.dsp.pcm import WIRE
from support.listening import (
    AUDIBLE,
    as_recorded,
    gaps_ms,
    loud,
    parted,
    pieces,
    place_of,
    position_of,
    signal,
    strength,
    tone,
)
from support.measuring import cpu_s
from support.running import Running, eventually, room
from support.scripted_server import DELTA_BYTES, Visit, scripted_server_beside
from support.speech import spoken
from support.virtual_card import RECORD_HZ, Recording, VirtualCard, available, virtual_card

pytestmark = pytest.mark.skipif(not available(), reason="needs pulseaudio and pulseaudio-utils")

CONVERSATIONS = 10
ANSWER, NEXT = signal(3.0, seed=1), signal(0.3, seed=2)
NEXT_MS = 300
FADE_MS = 5
LATE_HZ = 8000.0
"""Nothing else that is played goes so high."""
LATE = tone(0.2, LATE_HZ)
WARM_S = 1.0
QUIET_S = 0.25
"""So long the server leaves room after a cut: what should not be heard would be heard there."""


@pytest.fixture(scope="module")
def card() -> Iterator[VirtualCard]:
    with virtual_card() as it:
        yield it


def environ_of(card: VirtualCard) -> dict[str, str]:
    """Return what makes an rtvoiced use *card*; it keeps a home of its own, by which it is known."""
    return {name: value for name, value in card.env.items() if name != "HOME"}


def ms(samples: int) -> float:
    return samples * 1000 / RECORD_HZ


def heard_for(recording: Recording, seconds: float) -> None:
    """Wait until so much more is recorded."""
    enough = len(recording) + seconds * RECORD_HZ
    eventually(lambda: len(recording) >= enough)


class Busy:
    """How busy a daemon is from now on; not its children."""

    def __init__(self, daemon: Running) -> None:
        self._pid = daemon.process.pid
        self._begun, self._before = time.monotonic(), cpu_s(self._pid)

    def s_per_min(self) -> float:
        return (cpu_s(self._pid) - self._before) * 60 / (time.monotonic() - self._begun)


def figures(name: str, values: Sequence[float]) -> str:
    median, p95 = np.percentile(values, (50, 95))
    return f"{name:52} n {len(values):2}  median {median:6.1f}  p95 {p95:6.1f}  max {max(values):6.1f}"


# ------------------------------------------------------------------------------------- a whole turn


def uttered(text: str) -> bytes:
    """Return what the embedded server sends for *text*."""
    return b"".join(each.pcm for each in spoken(text))


def test_spoken_question_is_answered_aloud_and_heard_whole(card: VirtualCard, tmp_path: Path) -> None:
    question = tmp_path / "question.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", "what is seven plus five", "-o", question], check=True)
    with wave.open(str(question)) as file:
        spoken, hz = file.readframes(file.getnframes()), file.getframerate()

    with (
        room() as here,
        Running(here, "--provider", "local", environ=environ_of(card)) as daemon,
        card.record() as recording,
    ):
        daemon.until(connection="up", input="open", output="open")
        heard_for(recording, WARM_S)
        begin = len(recording)
        card.say(spoken, hz).wait()
        drained = daemon.wait("playback", status="drained")["data"]
        words = daemon.wait("assistant_transcript")["data"]
        heard_for(recording, QUIET_S)
        question_heard = daemon.wait("user_transcript", final=True)["data"]["text"]
        announced_ms = sum(event["data"]["ms"] for event in daemon.named("audio_delta"))

    samples = recording.samples
    answer = uttered(words["text"])
    onset, likeness = place_of(as_recorded(answer), samples, begin)
    found = pieces(answer, samples, onset)
    late = [late_ms for late_ms, _ in found]
    torn = sum(each < 0.99 for _, each in found)
    audible, meant = loud(samples[begin:]), loud(np.rint(as_recorded(answer)).astype(np.int16))
    length_ms, meant_ms = ms(int(audible[-1] - audible[0])), ms(int(meant[-1] - meant[0]))
    print(
        f"\nanswer of {announced_ms} ms: what was heard is like what was sent by {likeness:.6f}, "
        f"pieces up to {max(late):.1f} ms late, {torn} torn, audible {length_ms:.1f} of {meant_ms:.1f} ms"
    )

    assert (question_heard, words["text"]) == ("what is seven plus five", "7 plus 5 is 12.")
    assert words["heard"] == words["text"]
    assert announced_ms == drained["played_ms"] == WIRE.duration_ms(len(answer))
    # Every piece is heard, and in its place; a machine that stands still may tear one.
    assert np.median([each for _, each in found]) > 0.99
    assert torn <= 1
    assert min(late) > -1
    assert max(late) < 3 if not torn else max(late) < 50
    assert length_ms > meant_ms - 3


# ------------------------------------------------------------------------- ten interruptions


@dataclass
class Interruption:
    """One conversation: when it is interrupted, and what came of it."""

    moment_s: float
    """Since the answer began."""
    flowing: bool
    """Deltas still come then; else the server has sent everything."""
    begun_at: float = 0.0
    sent_at: float = 0.0
    """When the server sent `speech_started`."""
    begin: int = 0
    end: int = 0
    """Samples of the recording, between which it took place."""


async def interrupted(visit: Visit, turn: Interruption) -> None:
    """Answer, hear the user in the middle of it, let two deltas slip out, and answer again."""
    await visit.configure()
    turn.begun_at = time.monotonic()
    if turn.flowing:
        await visit.begin("resp_1", "item_1")
        for start in range(0, len(ANSWER), DELTA_BYTES):
            await visit.delta("resp_1", "item_1", ANSWER[start : start + DELTA_BYTES])
            left_s = turn.begun_at + turn.moment_s - time.monotonic()
            # Each delta lasts 200 ms: they come twice as fast as they play.
            await asyncio.sleep(min(0.1, max(0.0, left_s)))
            if left_s <= 0.1:
                break
    else:
        await visit.say(ANSWER)
        await asyncio.sleep(turn.moment_s)
    turn.sent_at = time.monotonic()
    await visit.speech_started("user_1")
    for _ in range(2):
        await visit.delta("resp_1", "item_1", LATE)
    if turn.flowing:
        await visit.end("resp_1", "item_1", status="cancelled")
    await visit.sent("conversation.item.truncate")
    await asyncio.sleep(QUIET_S)
    await visit.send(
        {"type": "input_audio_buffer.speech_stopped", "item_id": "user_1", "audio_end_ms": 0},
        {"type": "input_audio_buffer.committed", "item_id": "user_1", "previous_item_id": "item_1"},
    )
    await visit.say(NEXT, response="resp_2", item="item_2")


@dataclass(frozen=True)
class Listened:
    """What a listener heard of an interrupted conversation; ms."""

    position: float
    """Of the first answer: which of its samples was the last audible one."""
    silence: float
    """From `speech_started` to that."""
    sound: float
    """From the server's begin of the answer to the first sample of it."""
    quiet: float
    """After the cut, until the next answer."""
    gaps: tuple[float, ...]
    """Inside of both answers: the machine stood still, or we did."""
    late: float
    """The greatest amplitude of the late deltas, anywhere; what else is played reaches 110 there."""
    missing: float
    """Of the next answer: what was not audible."""
    stumbles: int
    """Gaps inside of the next answer; PulseAudio throws away some 5 ms at each underrun."""
    torn: int
    """How many pieces of the next answer were not heard in one piece, at their time."""


def listened(recording: Recording, turn: Interruption) -> Listened:
    samples = recording.samples[turn.begin : turn.end]
    onset, end, following, next_end = parted(samples)
    next_gaps = gaps_ms(samples[following:next_end])
    found = pieces(NEXT, samples, following)
    return Listened(
        position=position_of(end, ANSWER, samples, FADE_MS),
        silence=(recording.time_of(turn.begin + end) - turn.sent_at) * 1000,
        sound=(recording.time_of(turn.begin + onset) - turn.begun_at) * 1000,
        quiet=ms(following - end),
        gaps=(*gaps_ms(samples[onset:end]), *next_gaps),
        late=strength(samples, LATE_HZ),
        missing=NEXT_MS - ms(next_end - following) + sum(next_gaps),
        stumbles=len(next_gaps),
        torn=sum(abs(late) > 2 or likeness < 0.99 for late, likeness in found),
    )


def test_ten_interruptions_are_told_as_they_were_heard(card: VirtualCard) -> None:
    chance = random.Random(20)
    turns = [Interruption(chance.uniform(0.25, 0.65), number % 2 == 0) for number in range(CONVERSATIONS)]

    async def script(visit: Visit) -> None:
        if visit.number:
            await interrupted(visit, turns[visit.number - 1])
        else:
            await visit.configure()

    with (
        scripted_server_beside(script) as beside,
        room() as here,
        Running(here, "--url", beside.server.url, environ=environ_of(card)) as daemon,
        card.record() as recording,
    ):
        daemon.until(connection="up", input="open", output="open")
        idle = Busy(daemon)
        heard_for(recording, WARM_S)
        idle_cpu, busy = idle.s_per_min(), Busy(daemon)
        for number, turn in enumerate(turns):
            turn.begin = len(recording)
            daemon.data("reconnect", fresh=True)
            daemon.wait("playback", status="drained", count=number + 1)
            heard_for(recording, 0.1)
            turn.end = len(recording)
        busy_cpu = busy.s_per_min()
        interrupts = daemon.named("interrupt")

    truncates = [visit.events("conversation.item.truncate") for visit in beside.server.visits[1:]]
    heard = [listened(recording, turn) for turn in turns]
    told = [truncate[0]["audio_end_ms"] for truncate in truncates]
    errors = [each_told - each.position for each_told, each in zip(told, heard, strict=True)]
    silence = [each.silence for each in heard]
    decided = [(event["mono"] - turn.sent_at) * 1000 for event, turn in zip(interrupts, turns, strict=True)]
    promised = [event["data"]["decision_to_silence_ms"] for event in interrupts]
    print(
        f"\n{CONVERSATIONS} conversations, each interrupted; in ms, heard at the speaker's monitor *",
        figures("speech_started sent -> last audible sample", silence),
        figures(
            "    while deltas came", [each for each, turn in zip(silence, turns, strict=True) if turn.flowing]
        ),
        figures(
            "    after response.done", [e for e, turn in zip(silence, turns, strict=True) if not turn.flowing]
        ),
        figures("speech_started sent -> `interrupt` published", decided),
        figures("decision_to_silence_ms as published", promised),
        figures("|audio_end_ms - what was heard|", [abs(error) for error in errors]),
        f"{'':4}audio_end_ms - what was heard: {min(errors):+.1f} to {max(errors):+.1f}",
        figures("answer begun by the server -> its first sample", [each.sound for each in heard]),
        f"gaps inside of the answers: {[gap for each in heard for gap in each.gaps]}",
        f"next answers: missing at most {max(each.missing for each in heard):.1f} ms of {NEXT_MS}",
        f"CPU of rtvoiced: listening {idle_cpu:.1f}, in the ten conversations {busy_cpu:.1f} s/min",
        "* by PulseAudio's own reckoning a sample leaves a speaker 5 ms after its monitor has it",
        sep="\n",
    )

    assert [event["data"]["cause"] for event in interrupts] == ["server_vad"] * CONVERSATIONS
    assert [event["data"]["played_ms"] for event in interrupts] == told
    assert [len(truncate) for truncate in truncates] == [1] * CONVERSATIONS
    assert np.median(np.abs(errors)) <= 10
    assert sorted(map(abs, errors))[CONVERSATIONS - 2] <= 25
    assert np.median(silence) < 120
    # Not a sample of the late deltas; nothing but the next answer, and that whole.
    assert max(each.late for each in heard) < 3 * AUDIBLE
    assert min(each.quiet for each in heard) > QUIET_S * 1000 - 50
    assert np.median([each.missing for each in heard]) < 1
    assert max(each.missing - 6 * (1 + each.stumbles) for each in heard) < 0
    assert sum(each.torn > 0 for each in heard) <= 2


# ------------------------------------------------------------------------- a sound server that goes and comes


def test_sound_server_comes_late_dies_and_comes_back(card: VirtualCard) -> None:
    sent: list[float] = []

    async def script(visit: Visit) -> None:
        await visit.configure()
        await visit.sent("response.create")
        sent.append(time.monotonic())
        await visit.say(ANSWER)
        await visit.sent("response.create", 2)
        await visit.say(NEXT, response="resp_2", item="item_2")

    card.stop()
    with (
        scripted_server_beside(script) as beside,
        room() as here,
        Running(here, "--url", beside.server.url, environ=environ_of(card)) as daemon,
    ):
        visit = beside.wait(beside.server.visit(0))
        daemon.until(connection="up", conversation="listening", input="unavailable", output="unavailable")
        came = time.monotonic()
        card.start()
        opened = [daemon.wait("device", direction=each, status="open") for each in ("input", "output")]
        came_s = max(event["mono"] for event in opened) - came
        begin = len(visit.audio)
        card.say(tone(0.3, 1000.0), WIRE.hz).wait()
        eventually(lambda: len(loud(np.frombuffer(visit.audio[begin:], "<i2"))) > 0.2 * WIRE.hz)

        with card.record() as recording:
            daemon.ask("speak")
            started = daemon.wait("playback", status="started")
            heard_for(recording, 0.7)
            card.stop(kill=True)
            killed = time.monotonic()
        lost = daemon.wait("device", direction="output", status="lost")
        interrupt = daemon.wait("interrupt", after=started["seq"])["data"]
        truncate = beside.wait(visit.sent("conversation.item.truncate"))
        audible = loud(recording.samples)
        heard_ms = ms(int(audible[-1] - audible[0]))
        gone_s = lost["mono"] - killed

        back = time.monotonic()
        card.start()
        reopened = [
            daemon.wait("device", after=lost["seq"], direction=each, status="open")
            for each in ("input", "output")
        ]
        back_s = max(event["mono"] for event in reopened) - back
        with card.record() as recording:
            daemon.ask("speak again")
            drained = daemon.wait("playback", status="drained", item_id="item_2")["data"]
            heard_for(recording, QUIET_S)
        truncates = len(visit.events("conversation.item.truncate"))

    print(
        f"\nsound server late: microphone open {came_s:.1f} s after its start; killed: told after "
        f"{gone_s * 1000:.0f} ms, truncate at {truncate['audio_end_ms']} ms, heard {heard_ms:.0f} ms; "
        f"open again {back_s:.1f} s after its start"
    )
    assert came_s < 6
    assert back_s < 6
    assert gone_s < 1
    assert interrupt["cause"] == "device"
    assert truncate["item_id"] == interrupt["item_id"] == "item_1"
    # Between the two is what the monitor's recorder had not been given yet.
    assert 0 < truncate["audio_end_ms"] == interrupt["played_ms"] <= heard_ms + 25
    assert truncates == 1
    assert drained["played_ms"] == NEXT_MS
    audible = loud(recording.samples)
    assert ms(int(audible[-1] - audible[0])) > NEXT_MS - 6
    assert np.median([likeness for _, likeness in pieces(NEXT, recording.samples, int(audible[0]))]) > 0.99
