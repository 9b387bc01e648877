"""Our own VAD: what is a voice, how soon that is told, and what is none."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from rtvoiced.audio.events import VoiceStarted, VoiceStopped
from rtvoiced.settings.schema import VadSettings
from support.monitoring import NO_VOICES, heard, placed
from support.overlaps import interjections
from support.room import Signal, at_level
from support.scene import HZ, STORY, Scene, speech


@pytest.mark.parametrize("make", NO_VOICES)
def test_what_is_no_voice_is_none(make: Callable[[np.random.Generator], Signal]) -> None:
    assert heard(placed(make, 20)) == []


def test_residue_of_an_echo_is_no_voice() -> None:
    scene = Scene()
    scene.answer(1.0, speech(STORY))
    scene.run(12)

    assert scene.onsets == []


def test_onset_is_told_within_a_quarter_of_a_second() -> None:
    delays = []
    for number, voice in enumerate(itertools.islice(interjections(), 24)):
        # At every place within a window.
        begin = HZ + 173 * number
        told = heard(np.concatenate((np.zeros(begin), at_level(voice, -45)[:HZ])))
        assert isinstance(told[0][1], VoiceStarted)
        delays.append(1000 * (told[0][0] - begin / HZ))

    print(f"onset told after {np.median(delays):.0f} ms median, {np.percentile(delays, 90):.0f} p90")
    assert np.percentile(delays, 90) <= 250


def test_voice_is_told_with_its_first_and_its_last_moment() -> None:
    tone_of_voice = at_level(speech("one two three four", "rms"), -20)
    told = heard(np.concatenate((np.zeros(2 * HZ), tone_of_voice, np.zeros(HZ))))
    begin = 2.0 + np.flatnonzero(np.abs(tone_of_voice) > 300)[0] / HZ
    end = 2.0 + np.flatnonzero(np.abs(tone_of_voice) > 300)[-1] / HZ

    assert [type(each) for _, each in told] == [VoiceStarted, VoiceStopped] * (len(told) // 2)
    assert told[0][1].at == pytest.approx(begin, abs=0.05)
    assert told[-1][1].at == pytest.approx(end, abs=0.15)
    # The quiet that decides it, and the window that completes it.
    assert 0.19 <= told[-1][0] - told[-1][1].at <= 0.24


def test_longer_onset_is_told_later_and_a_strict_one_twice_as_late() -> None:
    voice = np.concatenate((np.zeros(HZ), at_level(next(interjections()), -24)))
    usual, longer = (heard(voice, VadSettings(onset_ms=ms))[0][0] for ms in (64, 128))
    strict = heard(voice, strict=True)[0][0]

    assert longer - usual == pytest.approx(0.064, abs=0.021)
    assert strict == longer
