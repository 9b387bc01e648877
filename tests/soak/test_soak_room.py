"""The assistant on open speakers, for long: `support.overlaps` says what happens, all of it simulated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rtvoiced.ipc.contract import events as ipc
from rtvoiced.vocabulary import PolicySetting
from support.monitoring import NO_VOICES, heard, placed
from support.overlaps import alone, barge_ins, noises
from support.room import DESK, Acoustics, Signal
from support.scene import STORY, Scene, speech

pytestmark = pytest.mark.timeout(1200)


@pytest.mark.parametrize("gain", [0.45, 2.0])
def test_assistant_alone_for_ten_minutes(gain: float) -> None:
    it = alone(10, gain)

    print(
        f"gain {gain}: {len(it.cuts)} cuts, {len(it.holds)} holds, {len(it.playback_told('started'))} answers"
    )
    assert it.cuts == []
    assert len(it.holds) <= 1


def test_fifty_five_interruptions() -> None:
    overlaps, it = barge_ins(55)
    silence_ms = [each.silence_told_ms for each in overlaps if each.silence_told_ms is not None]
    cut = sum(each.cut for each in overlaps)
    median, p90, longest = np.percentile(silence_ms, [50, 90, 100])

    print(f"{cut} of 55 cut; silence decided after {median:.0f} ms median, {p90:.0f} p90, {longest:.0f} max")
    assert cut >= 53
    assert median <= 150
    assert p90 <= 320
    assert len(it.events(ipc.Interrupt)) == cut


@pytest.mark.parametrize(("policy", "deaf"), [("managed", False), ("hold", True)])
def test_forty_coughs_clicks_and_chords(policy: PolicySetting, deaf: bool) -> None:
    it = noises(40, policy, deaf=deaf)
    held, resumed = len(it.holds), len(it.playback_told("resumed"))

    print(f"{policy}: {held} holds, {resumed} resumed, {len(it.cuts)} cuts")
    assert it.cuts == []
    assert resumed == held > 0
    assert len(it.playback_told("drained")) == len(it.playback_told("started")) == 41


@pytest.mark.parametrize("make", NO_VOICES)
def test_what_is_no_voice_is_none_for_five_minutes(make: Callable[[np.random.Generator], Signal]) -> None:
    assert heard(placed(make, 300)) == []


@pytest.mark.parametrize(
    "acoustics", [DESK, Acoustics(delay_ms=250), Acoustics(drift_ppm=100), Acoustics(gain=2.0)]
)
def test_echo_of_a_whole_story_is_cancelled(acoustics: Acoustics) -> None:
    scene = Scene(acoustics)
    scene.answer(1.0, speech(STORY))
    scene.run(21)

    assert scene.erle_db(6, 20) >= 20
    assert scene.onsets == []


@pytest.mark.parametrize("drift_ppm", [500, -500])
def test_echo_stays_cancelled_for_minutes_while_the_clocks_run_apart(drift_ppm: float) -> None:
    """P25: without stretching the lag would be used up within two minutes."""
    scene = Scene(Acoustics(drift_ppm=drift_ppm))
    for at in range(1, 161, 20):
        scene.answer(at, speech(STORY))
    scene.run(160)

    assert scene.erle_db(142, 159) > 20
    assert [onset for onset in scene.onsets if onset.told > 3] == []
