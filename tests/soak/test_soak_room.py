"""The assistant on open speakers, for long: `tests/overlaps.py` says what happens, all of it simulated."""

from __future__ import annotations

import numpy as np
import pytest

from rtvoiced.ipc.contract import events as ipc
from rtvoiced.vocabulary import PolicySetting
from support.overlaps import alone, barge_ins, noises

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


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
