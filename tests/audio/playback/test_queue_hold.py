"""Held and taken up again: the listener hears the word again, and the books count it once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtvoiced.audio.events import CutResult, Drained, Held, PartHeard, Resumed, Started
from rtvoiced.audio.playback.ledger import Progress
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.dsp.pcm import Part, Pcm
from support.examples import examples
from support.sounding import HZ, NEXT, A, B, level, samples, sine, take


def speaking(ms: float = 1000, heard_ms: float = 500) -> PlaybackQueue:
    """An answer of *ms*, of which *heard_ms* are out of the card."""
    playback = PlaybackQueue(HZ)
    playback.push(A, level(ms), HZ)
    take(playback, heard_ms)
    return playback


def counted(pcm: NDArray[np.int32], value: int = 1000) -> float:
    return float(np.count_nonzero(pcm == value)) * 1000 / HZ


def test_hold_ends_in_a_fade_and_then_silence() -> None:
    playback = speaking()
    playback.take(240)

    assert playback.hold() == Held(A, 515, 1000, silence_ms=15.0)
    tail = take(playback, 100)

    assert np.max(np.abs(np.diff(np.concatenate(([1000], tail))))) < 30
    assert np.count_nonzero(tail[120:]) == 0
    assert playback.sounding


def test_resume_repeats_200_ms_and_rises_without_a_click() -> None:
    playback, pcm = PlaybackQueue(HZ), sine(1000)
    playback.push(A, pcm, HZ)
    playback.finish_response("r1")
    take(playback, 500)
    playback.hold()
    take(playback, 50)

    assert playback.resume() == Resumed(A, 305)
    after = take(playback, 800)

    again = samples(pcm)[305 * 24 :]
    assert np.array_equal(after[120 : len(again)], again[120:])
    assert np.all(np.abs(after[:120]) <= np.abs(again[:120]) + 1)
    assert abs(after[0]) < 10
    assert np.count_nonzero(after[len(again) :]) == 0
    assert playback.reports() == [Started(A), Drained(A, 1000, idle=True)]


def test_what_was_heard_twice_counts_once() -> None:
    playback = speaking()
    playback.hold()
    take(playback, 50)
    playback.resume()
    take(playback, 100)

    assert playback.progress() == Progress(A, 505, 495)
    assert playback.cut() == CutResult((PartHeard(A, 505, 1000, complete=False),), 495, 5.0)


def test_cut_beyond_the_repetition_counts_from_there() -> None:
    playback = speaking()
    playback.hold()
    playback.resume()
    take(playback, 5)
    take(playback, 300)

    assert playback.cut().parts == (PartHeard(A, 610, 1000, complete=False),)


def test_cut_while_held_is_at_the_held_place_and_at_once_silent() -> None:
    playback = speaking()
    held = playback.hold()
    take(playback, 50)

    assert playback.cut() == CutResult((PartHeard(A, held.played_ms, 1000, complete=False),), 495, 0.0)
    assert np.count_nonzero(take(playback, 500)) == 0


def test_cut_during_the_fade_of_a_hold_leaves_the_fade_alone() -> None:
    playback = speaking()
    playback.hold()
    head = samples(playback.take(48))

    assert playback.cut().parts == (PartHeard(A, 505, 1000, complete=False),)
    tail = take(playback, 20)
    assert np.max(np.abs(np.diff(np.concatenate(([1000], head, tail))))) < 30
    assert np.count_nonzero(tail[72:]) == 0


def test_cut_during_the_rise_of_a_resume_has_no_click() -> None:
    playback = speaking()
    playback.hold()
    take(playback, 50)
    playback.resume()
    head = samples(playback.take(60))

    assert playback.cut().parts == (PartHeard(A, 505, 1000, complete=False),)
    tail = take(playback, 20)
    assert np.max(np.abs(np.diff(np.concatenate((head, tail))))) < 30
    assert np.count_nonzero(tail[120:]) == 0


def test_hold_during_the_rise_of_a_resume_has_no_click_and_loses_nothing() -> None:
    playback = speaking()
    playback.hold()
    take(playback, 50)
    playback.resume()
    head = samples(playback.take(60))
    playback.hold()
    tail = take(playback, 20)
    playback.resume()

    assert np.max(np.abs(np.diff(np.concatenate((head, tail))))) < 30
    assert counted(take(playback, 1000)) >= 490


def test_deltas_that_come_while_held_wait_behind() -> None:
    playback = speaking(600)
    playback.hold()
    playback.push(A, level(100, 77), HZ)
    playback.finish(A)
    playback.push(NEXT, level(100, 55), HZ)
    playback.finish_response("r2")

    assert np.count_nonzero(take(playback, 300)[120:]) == 0
    playback.resume()
    after = take(playback, 700)

    assert (counted(after, 77), counted(after, 55)) == (100, 100)
    assert [each.part for each in playback.reports() if isinstance(each, Drained)] == [A, NEXT]


def test_hold_of_an_answer_that_has_not_begun_delays_it_whole() -> None:
    playback, pcm = PlaybackQueue(HZ), level(50, 77)
    playback.push(A, pcm, HZ)
    playback.finish_response("r1")

    assert playback.hold() == Held(None, 0, 0, 0.0)
    assert np.count_nonzero(take(playback, 100)) == 0
    assert playback.resume() == Resumed(None, 0)
    assert np.array_equal(take(playback, 50), samples(pcm))


def test_hold_before_anything_came_holds_what_comes() -> None:
    playback = PlaybackQueue(HZ)
    playback.hold()
    playback.push(A, level(50), HZ)

    assert np.count_nonzero(take(playback, 50)) == 0
    playback.resume()
    assert counted(take(playback, 50)) == 50


def test_hold_of_what_is_wholly_in_the_card_lets_it_drain() -> None:
    playback = PlaybackQueue(HZ)
    playback.push(A, level(20), HZ)
    playback.finish(A)
    playback.take(480)
    playback.note(480, 0)

    assert playback.hold() == Held(None, 0, 0, 20.0)
    take(playback, 20)

    assert playback.reports() == [Started(A), Drained(A, 20, idle=True)]
    assert playback.resume() == Resumed(None, 0)
    assert np.count_nonzero(take(playback, 300)) == 0


def test_part_that_the_fade_of_a_hold_brings_to_its_end_drains_while_held() -> None:
    playback = PlaybackQueue(HZ)
    playback.push(A, level(503), HZ)
    playback.finish(A)
    take(playback, 500)

    assert playback.hold().part is None
    take(playback, 10)

    assert playback.reports() == [Started(A), Drained(A, 503, idle=True)]
    assert not playback.sounding


def test_answer_that_ends_while_its_last_words_are_repeated_drains_after_them() -> None:
    playback = speaking(500, 495)
    playback.hold()
    take(playback, 50)
    playback.resume()
    playback.finish(A)
    take(playback, 100)
    assert playback.reports() == [Started(A)]

    take(playback, 110)

    assert playback.reports() == [Drained(A, 500, idle=True)]


def test_words_of_the_item_before_are_not_repeated() -> None:
    playback = PlaybackQueue(HZ)
    playback.push(A, level(500, 55), HZ)
    playback.push(B, level(500), HZ)
    playback.finish_response("r1")
    take(playback, 550)
    playback.hold()
    take(playback, 50)

    assert playback.resume() == Resumed(B, 0)
    assert counted(take(playback, 1000), 55) == 0


def test_second_hold_without_a_sound_between_is_the_same_place() -> None:
    playback = speaking()

    assert playback.hold() == playback.hold()
    assert playback.resume() == Resumed(A, 305)
    assert playback.resume() == Resumed(None, 0)
    assert playback.progress().played_ms == 500


def test_what_was_lost_with_the_card_while_held_was_not_heard() -> None:
    playback = speaking()
    playback.take(720)
    playback.note(720, 0)
    playback.hold()
    playback.take(240)
    playback.note(480, 0)

    # 5 ms of silence, the fade, and 10 ms of the answer: they never came out.
    heard = playback.cut(lost_frames=480)

    assert heard.parts == (PartHeard(A, 520, 1000, complete=False),)


def test_what_was_lost_of_a_repetition_had_been_heard_before() -> None:
    playback = speaking()
    playback.hold()
    take(playback, 50)
    playback.resume()
    playback.take(480)
    playback.note(480, 0)

    assert playback.cut(lost_frames=480).parts == (PartHeard(A, 505, 1000, complete=False),)


def test_volume_that_changes_while_held_is_there_at_once_and_without_a_click() -> None:
    playback = speaking()
    playback.hold()
    take(playback, 50)
    playback.set_volume(20)
    take(playback, 50)
    playback.resume()

    after = take(playback, 100)

    assert np.max(after) == 200
    assert np.max(np.abs(np.diff(after))) < 30


@pytest.mark.parametrize("hz", [16_000, 44_100, 48_000])
def test_card_of_another_rate_while_held_loses_nothing(hz: int) -> None:
    playback = speaking()
    held = playback.hold()
    playback.push(A, level(100), HZ)
    playback.finish(A)
    playback.retune(hz)
    assert np.count_nonzero(take(playback, 100)[Pcm(hz).frames(6) :]) == 0

    # What the old card played can't be repeated; what waits is there.
    assert playback.resume() == Resumed(A, held.played_ms)
    after = take(playback, 700)

    assert np.count_nonzero(after) == pytest.approx(hz * 0.595, abs=30)
    assert playback.reports() == [Started(A), Drained(A, 1100, idle=True)]


@pytest.mark.parametrize("hz", [8_000, 44_100])
def test_repetition_is_200_ms_at_any_rate_of_the_card(hz: int) -> None:
    playback = PlaybackQueue(hz)
    for _ in range(10):
        playback.push(A, level(100), HZ)
    take(playback, 500)
    held = playback.hold()
    take(playback, 20)

    assert playback.resume().played_ms == pytest.approx(held.played_ms - 200, abs=1)


def test_little_is_kept_of_what_was_heard() -> None:
    playback = PlaybackQueue(HZ)
    for _ in range(300):
        playback.push(A, level(100), HZ)
        take(playback, 100)

    assert sum(len(chunk.samples) for chunk in playback._pending._past) <= Pcm(HZ).frames(300)


def test_without_a_fade_it_stops_and_goes_on_at_once() -> None:
    playback = PlaybackQueue(HZ, fade_ms=0)
    playback.push(A, level(1000), HZ)
    take(playback, 500)

    assert playback.hold() == Held(A, 500, 1000, 0.0)
    assert np.count_nonzero(take(playback, 50)) == 0
    assert playback.resume() == Resumed(A, 300)
    assert counted(take(playback, 1000)) == 700


# --------------------------------------------------------------- whatever happens

SLOW = 8_000
"""At this rate four seconds of samples can all be told apart."""
AGAIN = Pcm(SLOW).frames(200)


@dataclass
class Listener:
    """Numbers every sample of the source, and knows from what it hears which these were."""

    playback: PlaybackQueue
    pushed: int = 0
    response: int = 0
    heard: list[int] = field(default_factory=list)
    held: bool = False
    drained: list[Part] = field(default_factory=list)
    cut_off: set[Part] = field(default_factory=set)

    @property
    def part(self) -> Part:
        return Part(f"r{self.response}", "i")

    def push(self, size: int) -> None:
        numbers = np.arange(self.pushed, self.pushed + size, dtype=np.int16) + 1
        self.playback.push(self.part, numbers.tobytes(), SLOW)
        self.pushed += size

    def done(self) -> None:
        self.playback.finish_response(self.part.response_id)
        self.response += 1

    def take(self, size: int) -> None:
        numbers = samples(self.playback.take(size))
        self.playback.note(0, 0)
        assert not (self.held and any(numbers))
        self.heard += [int(number) - 1 for number in numbers if number]
        self.look()

    def hold(self) -> None:
        before = self.playback.progress()
        held = self.playback.hold()
        assert held.silence_ms == 0
        assert held.part is None or held.played_ms >= before.played_ms
        self.held = True

    def resume(self) -> None:
        self.playback.resume()
        self.held = False

    def cut(self) -> None:
        heard = self.playback.cut()
        for each in heard.parts:
            assert each.played_ms <= each.received_ms
            self.cut_off.add(each.part)
        self.held = False
        self.response += 1
        before = len(self.heard)
        self.take(500)
        assert len(self.heard) == before

    def look(self) -> None:
        for report in self.playback.reports():
            assert report.part not in self.cut_off
            if isinstance(report, Drained):
                self.drained.append(report.part)


ACTIONS = st.one_of(
    st.tuples(st.just("push"), st.integers(1, 1500)),
    st.tuples(st.just("take"), st.integers(1, 2000)),
    st.tuples(st.sampled_from(["hold", "resume", "hold", "resume", "cut", "done"])),
)


@examples(100)
@given(st.lists(ACTIONS, max_size=20))
def test_what_is_heard_is_what_was_sent_but_for_what_is_repeated(
    actions: list[tuple[str, *tuple[int, ...]]],
) -> None:
    listener = Listener(PlaybackQueue(SLOW, fade_ms=0))
    resumes = 0
    for name, *numbers in actions:
        resumes += name == "resume" and listener.held
        getattr(listener, name)(*numbers)
    listener.resume()
    listener.done()
    while listener.playback.sounding:
        listener.take(2000)

    jumps = [after - before for before, after in zip(listener.heard, listener.heard[1:], strict=False)]
    back = [jump for jump in jumps if jump <= 0]
    assert all(-jump < AGAIN for jump in back)
    assert len(back) <= resumes + 1
    # Nothing is left out but what a cut dropped: whole stretches up to where a response ends.
    assert len([jump for jump in jumps if jump > 1]) <= sum(name == "cut" for name, *_ in actions)
    assert len(set(listener.drained)) == len(listener.drained)
    assert not listener.playback._ledger._entries


@examples(100)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(1, 3000)),
            st.tuples(st.just("take"), st.integers(1, 3000), st.integers(0, 1000)),
            st.tuples(st.sampled_from(["hold", "resume", "hold", "resume", "finish"])),
            st.tuples(st.just("retune"), st.sampled_from([8_000, 24_000, 48_000])),
        ),
        max_size=25,
    ),
    st.sampled_from([0, 0, 300]),
)
def test_books_only_go_forward_whatever_happens(
    actions: list[tuple[str, *tuple[int, ...]]], lost: int
) -> None:
    playback, received, before, fill = PlaybackQueue(HZ), 0, 0, 0
    for name, *numbers in actions:
        match name:
            case "push":
                received += numbers[0]
                playback.push(A, np.full(numbers[0], 1000, np.int16).tobytes(), HZ)
            case "take":
                playback.take(numbers[0])
                fill = min(numbers[1], fill + numbers[0])
                playback.note(fill, 0)
            case "retune":
                playback.retune(numbers[0])
                fill = 0
            case "finish":
                playback.finish(A)
            case _:
                getattr(playback, name)()
        moved = playback.reports()
        if any(isinstance(each, Drained) for each in moved):
            assert moved[-1] == Drained(A, received * 1000 // HZ, idle=True)
            assert playback.progress() == Progress(None, 0, 0)
            return
        progress = playback.progress()
        assert before <= progress.played_ms <= received * 1000 // HZ
        before = progress.played_ms

    heard = playback.cut(min(lost, fill))

    assert all(before <= each.played_ms <= each.received_ms for each in heard.parts)
    # A part that is complete and wholly in the card is not open: it was heard whole, and is not cut.
    finished = any(name == "finish" for name, *_ in actions)
    assert len(heard.parts) == (received > 0) or (finished and not heard.parts)
    assert np.count_nonzero(samples(playback.take(5000))[Pcm(playback.hz).frames(10) :]) == 0
