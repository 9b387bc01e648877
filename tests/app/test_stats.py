"""Counters and latencies: what is measured, from when to when, and what is not."""

from __future__ import annotations

from rtvoiced.app.stats import StatsRecorder
from rtvoiced.dsp.pcm import Part
from rtvoiced.durations import Durations
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.replies import Latency
from rtvoiced.realtime.events import ClearAudio, DeleteItem, TruncateItem

NOTHING = Latency(0, None, None, None)
STOPPED = ipc.SpeechStopped("u1", 900, "server", "silence")
ONE, TWO = Part("r1", "i1"), Part("r2", "i2")


def of(*durations_ms: float) -> Latency:
    samples = Durations()
    for ms in durations_ms:
        samples.add(ms)
    return Latency(*samples.summary())


def first_sound(tally: StatsRecorder) -> Latency:
    return tally.latencies(Durations().summary()).speech_end_to_first_sound


def first_delta(tally: StatsRecorder) -> Latency:
    return tally.latencies(Durations().summary()).first_delta_to_sound


def test_percentiles_are_of_times_that_were_really_measured() -> None:
    assert of() == NOTHING
    assert of(7.04) == Latency(1, 7.0, 7.0, 7.0)
    assert of(4, 1, 3, 2) == Latency(4, 2, 4, 4)
    assert of(*range(100, 0, -1)) == Latency(100, 50, 95, 100)


def test_of_many_times_the_newest_thousand_count() -> None:
    assert of(*[5_000.0] * 10, *range(1, 1001)) == Latency(1010, 500, 950, 1000)


def test_the_answer_to_a_turn_is_timed_from_the_end_of_speech_to_its_first_frame() -> None:
    tally = StatsRecorder()
    tally.published(STOPPED, 10.0)
    tally.published(ipc.ResponseCreated("r1"), 10.1)
    tally.started(TWO, 10.2)
    tally.started(ONE, 10.64)
    tally.started(Part("r1", "i2"), 12.0)

    assert first_sound(tally) == of(640.0)
    assert tally.turns == 1


def test_what_was_asked_for_meanwhile_is_not_the_answer_to_the_turn() -> None:
    tally = StatsRecorder()
    tally.published(STOPPED, 10.0)
    tally.published(ipc.ResponseCreated("r2", request="somebody's"), 10.1)
    tally.started(TWO, 10.2)
    tally.published(ipc.ResponseCreated("r1"), 10.3)
    tally.started(ONE, 11.0)

    assert first_sound(tally) == of(1000.0)


def test_a_turn_that_the_user_goes_on_with_gets_no_answer() -> None:
    tally = StatsRecorder()
    tally.published(STOPPED, 10.0)
    tally.published(ipc.ResponseCreated("r1"), 10.1)
    tally.published(ipc.SpeechStarted("u2", 1000, "server"), 10.2)
    tally.started(ONE, 10.3)

    assert first_sound(tally) == NOTHING


def test_an_utterance_that_came_to_nothing_is_no_turn() -> None:
    tally = StatsRecorder()
    for reason in ("mute", "link_lost", "timeout", "cancel"):
        tally.published(ipc.SpeechStopped("u1", None, "server", reason), 10.0)
        tally.published(ipc.ResponseCreated("r1"), 10.1)
        tally.started(ONE, 10.2)

    assert tally.turns == 0
    assert first_sound(tally) == NOTHING


def test_first_delta_counts_where_nothing_else_had_to_be_heard_first() -> None:
    tally = StatsRecorder()
    tally.arrived(ONE, 1.0, silent=True)
    tally.arrived(ONE, 1.005, silent=False)
    tally.started(ONE, 1.009)
    tally.arrived(TWO, 1.1, silent=False)
    tally.started(TWO, 4.0)

    assert first_delta(tally) == of(9.0)


def test_a_cut_without_a_voice_that_is_known_says_nothing_of_how_fast_one_is_noticed() -> None:
    tally = StatsRecorder()
    tally.published(ipc.Interrupt("command", "r1", "i1", 840, 200, 0.0, 21.0), 1.0)
    tally.published(ipc.Interrupt("server_vad", "r1", "i1", 840, 200, 0.0, 21.0), 1.0)

    assert tally.latencies(Durations().summary()).onset_to_decision == of()


def test_cuts_and_corrections_are_counted() -> None:
    tally = StatsRecorder()
    tally.published(ipc.Interrupt("server_vad", "r1", "i1", 840, 200, decision_to_silence_ms=21.04), 1.0)
    tally.published(ipc.Interrupt("local_vad", "r2", "i2", 40, 0, 71.0, 25.0), 2.0)
    for event in (TruncateItem("i1", 0, 840), DeleteItem("i2"), DeleteItem("i3"), ClearAudio()):
        tally.sent(event)
    latencies = tally.latencies(Durations().summary())

    assert latencies.decision_to_silence == Latency(2, 21.0, 25.0, 25.0)
    assert latencies.onset_to_decision == of(71.0)
    assert (tally.turns, tally.interrupts, tally.deleted_items, tally.truncates) == (0, 2, 2, 1)
