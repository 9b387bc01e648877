"""A tenth of the soak (`make soak`): the assistant with nobody, with somebody, and with noises, in a room."""

from __future__ import annotations

import pytest

from rtvoiced.ipc.contract import events as ipc
from support.overlaps import alone, barge_ins, noises
from support.sitting_room import SittingRoom


@pytest.mark.parametrize("gain", [0.45, 2.0])
def test_assistant_alone_is_never_interrupted(gain: float) -> None:
    """P20: half a minute of it."""
    it = alone(0.5, gain)

    assert [told.event for told in it.cuts] == []
    assert len(it.holds) <= 1
    assert len(it.playback_told("started")) == 3


def test_without_the_canceller_it_interrupts_itself_all_the_time() -> None:
    assert len(alone(0.2, 0.45, bypass=True).cuts) > 3


def test_voice_over_an_answer_cuts_it() -> None:
    overlaps, _ = barge_ins(4)
    silence_ms = sorted(each.silence_told_ms for each in overlaps if each.silence_told_ms)

    assert [each.cut for each in overlaps] == [True] * 4
    assert silence_ms[1] <= 150
    # The first falls into the first seconds, in which the canceller is doubted.
    assert silence_ms[3] <= 500


def heard_whole(it: SittingRoom, answers: int) -> None:
    """Every answer was heard to its end, and whatever was held went on."""
    assert it.events(ipc.Interrupt) == []
    assert len(it.playback_told("drained")) == answers
    assert len(it.playback_told("resumed")) == len(it.holds)


def test_coughs_clicks_and_chords_cut_nothing_under_managed() -> None:
    heard_whole(noises(3, "managed"), answers=4)


def test_coughs_clicks_and_chords_cut_nothing_under_hold_where_the_server_ignores_them() -> None:
    heard_whole(noises(3, "hold", deaf=True), answers=4)


def test_voice_over_an_answer_that_a_deaf_server_ignores_is_held_and_goes_on() -> None:
    """The hold itself is tried here: the noises above are mostly too little of a voice to hold anything."""
    overlaps, it = barge_ins(2, deaf=True)

    assert [each.cut for each in overlaps] == [False] * 2
    assert len(it.holds) >= 2
    heard_whole(it, answers=2)
