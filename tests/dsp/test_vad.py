"""Voice activity on windows of 32 ms."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.vad import VAD_HZ, WINDOW, LevelGate, Offset, Onset, VoiceDetector, level_db
from support.speech import said

LOUD = np.full(WINDOW, 8000, np.int16)
SILENT = np.zeros(WINDOW, np.int16)


@dataclass
class Script:
    """Judges by a list of probabilities, and counts."""

    probabilities: list[float]
    resets: int = 0
    seen: list[bytes] = field(default_factory=list)

    def process_chunk(self, audio: bytes, /) -> float:
        self.seen.append(audio)
        return self.probabilities.pop(0)

    def reset(self) -> None:
        self.resets += 1


def run(probabilities: list[float], silence_ms: int = 96) -> list[Onset | Offset]:
    detector = VoiceDetector(silence_ms=silence_ms, model=Script(list(probabilities)))
    return detector.process(np.tile(LOUD, len(probabilities)))


def speech(text: str) -> NDArray[np.int16]:
    return np.frombuffer(said(text, "slt", VAD_HZ), np.int16)


def noise(seconds: float, level: float) -> NDArray[np.int16]:
    return (np.random.default_rng(7).normal(0, level, int(seconds * VAD_HZ))).astype(np.int16)


def test_two_windows_in_a_row_are_an_onset_at_the_first() -> None:
    assert run([0.1, 0.9, 0.2, 0.9, 0.9]) == [Onset(3 * WINDOW)]


def test_it_is_over_after_the_silence_and_not_between_the_thresholds() -> None:
    assert run([0.9, 0.9, 0.1, 0.4, 0.1, 0.4, 0.1]) == [Onset(0), Offset(7 * WINDOW)]


def test_a_voiced_window_begins_the_silence_anew() -> None:
    assert run([0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1]) == [Onset(0)]


def test_chunks_of_any_size_decide_the_same() -> None:
    audio = np.concatenate((noise(0.5, 20), speech("what time is it"), noise(1.5, 20)))
    whole = VoiceDetector().process(audio)
    detector = VoiceDetector()
    parts = [
        decision for at in range(0, len(audio), 160) for decision in detector.process(audio[at : at + 160])
    ]

    assert parts == whole
    assert [type(decision) for decision in whole] == [Onset, Offset]


def test_an_onset_is_found_within_150_ms_of_the_voice() -> None:
    voice = speech("hello computer")
    first = int(np.flatnonzero(np.abs(voice.astype(np.int32)) > 1000)[0])
    detector = VoiceDetector()
    onset = detector.process(np.concatenate((np.zeros(VAD_HZ, np.int16), voice)))[0]

    assert isinstance(onset, Onset)
    assert abs(onset.frame - VAD_HZ - first) < 0.15 * VAD_HZ


def test_silence_costs_nothing() -> None:
    detector = VoiceDetector()
    detector.process(np.zeros(60 * VAD_HZ, np.int16))

    assert detector.model_windows == 0
    assert detector.probability == 0.0


def test_steady_noise_costs_nothing_after_a_while() -> None:
    detector = VoiceDetector()
    detector.process(noise(15, 150))
    learned = detector.model_windows
    detector.process(noise(30, 150))

    assert detector.model_windows == learned
    assert not detector.speaking


def test_noise_is_no_voice_and_does_not_hide_one() -> None:
    detector = VoiceDetector()
    assert detector.process(noise(15, 150)) == []
    voice = speech("tell me a long story")
    decisions = detector.process((voice + noise(len(voice) / VAD_HZ, 150)[: len(voice)]).astype(np.int16))

    assert [type(decision) for decision in decisions] == [Onset]


def test_the_model_sees_the_window_before_the_gate_opened() -> None:
    model = Script([0.1, 0.9])
    detector = VoiceDetector(model=model)
    detector.process(np.concatenate((SILENT, SILENT, LOUD)))

    assert model.seen == [SILENT.tobytes(), LOUD.tobytes()]
    assert model.resets == 1


def test_reset_drops_an_open_voice_and_keeps_the_time() -> None:
    detector = VoiceDetector(model=Script([0.9] * 5))
    detector.process(np.tile(LOUD, 3))
    detector.reset()

    assert not detector.speaking
    assert detector.process(np.tile(LOUD, 2)) == [Onset(3 * WINDOW)]


def test_the_floor_falls_at_once_and_rises_slowly() -> None:
    gate = LevelGate(floor_db=-40)
    gate.learn(-60)
    assert gate.floor_db == -60
    gate.learn(-30)
    assert -60 < gate.floor_db < -59


def test_level() -> None:
    assert level_db(SILENT) == -120
    assert round(level_db(np.full(WINDOW, 16384, np.int16)), 1) == -6.0
