from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from rtvoiced.audio.events import (
    AudioCrashed,
    DeviceChanged,
    Drained,
    EchoChanged,
    MicrophoneBlock,
    PartHeard,
    PlaybackMoved,
    Started,
)
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.audio.thread.duplex import Duplex, Reopen, Report
from rtvoiced.audio.thread.overruns import OverrunDetector
from rtvoiced.dsp.pcm import WIRE, Card, OpenDevice, Part
from rtvoiced.errors import AudioError
from rtvoiced.vocabulary import Direction
from support.fakes import SimulatedCard, SimulatedClock, WallClock, bare

HZ = WIRE.hz
A = Part("r1", "i1")
NEXT = Part("r2", "i2")


def level(ms: float, value: int = 1000) -> bytes:
    return np.full(WIRE.frames(ms), value, np.int16).tobytes()


def numbered(block: int, frames: int) -> bytes:
    """A microphone of which each block tells its number."""
    return np.full(frames, block % 30_000 + 1, np.int16).tobytes()


def blocks_of(reports: list[Report]) -> list[int]:
    """The numbers of the microphone's blocks, in order."""
    pcm = b"".join(report.pcm for report in reports if isinstance(report, MicrophoneBlock))
    return [int(sample) for sample in np.frombuffer(pcm, np.int16)[:: WIRE.block]]


@dataclass
class Room:
    """A duplex on simulated time; `cards` are opened one after the other, and then there are none."""

    clock: SimulatedClock = field(default_factory=SimulatedClock)
    cards: list[SimulatedCard] = field(default_factory=list)
    opened: list[SimulatedCard] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    playback: PlaybackQueue = field(default_factory=lambda: PlaybackQueue(HZ))

    def __post_init__(self) -> None:
        self.duplex = Duplex(
            self.open,
            self.playback,
            self.reports.append,
            bare(),
            self.clock,
            self.clock.sleep,
        )

    def open(self) -> Card:
        if not self.cards:
            raise AudioError("there is no card")
        self.opened.append(self.cards.pop(0))
        return self.opened[-1]

    def run(self, until: float) -> None:
        self.duplex.run(lambda: self.clock.now >= until)

    def told(self) -> list[Report]:
        return [r for r in self.reports if not isinstance(r, MicrophoneBlock | PlaybackMoved | EchoChanged)]


def opened(direction: Direction, device: OpenDevice | None) -> DeviceChanged:
    assert device
    return DeviceChanged(direction, "open", device.name, device.hz, device.latency_ms)


def down(reports: list[Report], direction: Direction | None = None) -> list[DeviceChanged]:
    """What was told of devices that are not open; of that *direction* alone."""
    told = [r for r in reports if isinstance(r, DeviceChanged) and r.status != "open"]
    return [each for each in told if direction in (None, each.direction)]


def room(**card: object) -> tuple[Room, SimulatedCard]:
    it = Room()
    made = SimulatedCard(it.clock, **card)  # type: ignore[arg-type]
    it.cards.append(made)
    return it, made


def test_microphone_comes_in_20_ms_without_loss() -> None:
    it, _ = room(microphone=numbered)

    it.run(1.0)

    heard = [report for report in it.reports if isinstance(report, MicrophoneBlock)]
    assert {(len(report.pcm), report.hz) for report in heard} == {(WIRE.size(20), HZ)}
    assert blocks_of(it.reports) == list(range(1, 101))
    assert [report.at for report in heard] == pytest.approx([0.02 * n for n in range(1, 51)])


def test_answer_is_heard_whole_without_a_gap() -> None:
    it, card = room()
    pcm = level(300)
    it.clock.at(0.1, lambda: it.playback.push(A, pcm, HZ))
    it.clock.at(0.1, lambda: it.playback.finish(A))

    it.run(0.6)

    heard = bytes(card.heard)
    begin = heard.find(level(1))
    assert heard[begin : begin + len(pcm)] == pcm
    assert card.gaps == 0
    assert it.playback.reports() == [Started(A), Drained(A, 300, idle=True)]


def test_card_is_kept_at_one_block_before_each_top_up() -> None:
    it, card = room()
    fills: list[int] = []
    for n in range(30, 60):
        it.clock.at(n / 100 + 0.0001, lambda: fills.append(card.fill()))

    it.run(1.0)

    assert set(fills) <= {2 * 240 - 2, 2 * 240 - 3}
    assert it.duplex.stats().target_fill_ms == 10
    assert it.duplex.stats().underruns == 0


def test_cut_is_silence_within_the_buffer_target_a_block_and_the_fade() -> None:
    it, card = room()
    it.playback.push(A, level(1000), HZ)
    cuts: list[tuple[float, int]] = []

    def cut() -> None:
        heard = it.playback.cut()
        cuts.append((it.clock.now, heard.parts[0].played_ms))
        assert heard.silence_ms == pytest.approx(25, abs=1)

    it.clock.at(0.3055, cut)
    it.run(0.6)

    ((when, played_ms),) = cuts
    sounding = np.flatnonzero(np.frombuffer(bytes(card.heard), np.int16))
    assert sounding[-1] / HZ - when < 0.030
    assert len(sounding) / HZ * 1000 == pytest.approx(played_ms, abs=1)


def test_after_a_stall_the_card_is_back_at_its_target_and_the_books_are_true() -> None:
    it, card = room(microphone=numbered, input_ms=200)
    card.stalls[50] = 0.06
    it.playback.push(A, level(2000), HZ)
    it.clock.at(1.5, lambda: fills.append(card.fill()))
    fills: list[int] = []
    heard: list[PartHeard] = []
    it.clock.at(1.5005, lambda: heard.extend(it.playback.cut().parts))

    it.run(2.0)

    assert fills[0] <= 3 * 240
    assert blocks_of(it.reports) == list(range(1, 201))
    sounded = np.count_nonzero(np.frombuffer(bytes(card.heard), np.int16))
    assert sounded * 1000 / HZ == pytest.approx(heard[0].played_ms, abs=1)
    assert it.duplex.stats().late_rounds == 1
    assert it.duplex.stats().target_fill_ms == 20


def test_excess_of_a_stall_drains_and_stays_away() -> None:
    it, card = room(capacity_blocks=8, input_ms=200)
    card.stalls[50] = 0.06
    fills: list[int] = []
    for n in range(160, 170):
        it.clock.at(n / 100 + 0.0001, lambda: fills.append(card.fill()))

    it.run(2.0)

    assert max(fills) <= 3 * 240


def test_underrun_is_counted_and_raises_the_target() -> None:
    it, card = room(input_ms=200)
    card.stalls[50] = 0.03

    it.run(1.0)

    assert it.duplex.stats().underruns == 1
    assert it.duplex.stats().target_fill_ms == 20


def test_target_comes_down_after_a_calm_minute_and_while_nothing_plays() -> None:
    it, card = room(input_ms=200)
    card.stalls[50] = 0.03
    it.clock.at(30.0, lambda: it.playback.push(A, level(40_000), HZ))
    targets: list[int] = []
    for when in (59.0, 69.0, 71.0):
        it.clock.at(when, lambda: targets.append(it.duplex.stats().target_fill_ms))

    it.run(72.0)

    assert targets == [20, 20, 10]
    assert card.gaps == 0


def test_less_that_was_too_little_is_tried_again_later_and_later() -> None:
    it, card = room(input_ms=200)
    card.stalls[50] = card.stalls[7000] = 0.03
    targets: list[int] = []
    for when in (62.0, 72.0, 180.0, 195.0):
        it.clock.at(when, lambda: targets.append(it.duplex.stats().target_fill_ms))

    it.run(200.0)

    assert targets == [10, 20, 20, 10]


def test_overrun_is_told_by_the_clock() -> None:
    it, card = room(microphone=numbered, input_ms=50)
    card.stalls[250] = 0.2

    it.run(5.0)

    assert card.blocks_lost > 0
    assert it.duplex.stats().overruns == 1
    assert it.duplex.stats().dropped_input_ms == pytest.approx(10 * card.blocks_lost, abs=10)


def test_lateness_alone_is_no_overrun() -> None:
    overruns = OverrunDetector()
    for n in range(1, 1001):
        overruns.block(n * 0.01 + (0.005 if n % 3 else 0) + n * 1e-6)

    assert overruns.overruns == 0


def test_devices_are_told_when_they_are_up() -> None:
    it, card = room()

    it.run(0.1)

    assert card.input
    assert card.output
    assert it.told() == [opened("input", card.input), opened("output", card.output)]


def test_without_a_card_silence_comes_in_real_time_and_answers_drain_by_the_clock() -> None:
    it = Room()
    it.playback.push(A, level(300), HZ)
    it.playback.finish(A)

    it.run(1.0)

    microphone = b"".join(r.pcm for r in it.reports if isinstance(r, MicrophoneBlock))
    assert len(microphone) == WIRE.size(1000)
    assert not any(microphone)
    assert it.playback.reports() == [Started(A), Drained(A, 300, idle=True)]
    assert it.told() == [
        DeviceChanged("input", "unavailable"),
        DeviceChanged("output", "unavailable"),
    ]
    assert [each.reason for each in down(it.reports)] == ["there is no card"] * 2


def test_card_that_comes_later_is_found_within_two_seconds() -> None:
    it = Room()
    card = SimulatedCard(it.clock)
    it.clock.at(5.0, lambda: it.cards.append(SimulatedCard(it.clock)))

    it.run(8.0)

    assert card.input
    assert card.output
    assert it.told()[2:] == [opened("input", card.input), opened("output", card.output)]
    assert it.opened[0]._began <= 7.01


def test_answer_waiting_for_a_card_of_another_rate_plays_on_it() -> None:
    it = Room()
    it.clock.at(1.9, lambda: it.playback.push(A, level(1000), HZ))
    it.clock.at(1.0, lambda: it.cards.append(SimulatedCard(it.clock, hz=48_000)))

    it.run(4.0)

    assert np.count_nonzero(np.frombuffer(bytes(it.opened[0].heard), np.int16)) == pytest.approx(
        43_200, abs=700
    )


def test_lost_card_is_told_with_what_was_in_it() -> None:
    it, card = room()
    it.playback.push(A, level(1000), HZ)
    cuts = []

    def cut_at_the_loss() -> None:
        cuts.append(it.playback.cut(down(it.reports, "output")[0].lost_frames).parts[0])

    it.clock.at(0.5, card.lose)
    it.clock.at(0.6, cut_at_the_loss)
    it.run(1.0)

    assert [(each.direction, each.name, each.status) for each in down(it.reports)] == [
        ("input", "simulated microphone", "lost"),
        ("output", "simulated speaker", "lost"),
    ]
    sounded = np.count_nonzero(np.frombuffer(bytes(card.heard), np.int16))
    assert cuts[0].played_ms == pytest.approx(sounded * 1000 / HZ, abs=11)
    assert cuts[0].played_ms <= 480
    assert card.closed


def test_microphone_goes_on_in_silence_while_the_card_is_lost() -> None:
    it, card = room(microphone=numbered)
    it.clock.at(0.5, card.lose)

    it.run(1.5)

    blocks = blocks_of(it.reports)
    assert 148 <= len(blocks) <= 150
    assert not any(blocks[50:])


def test_lost_card_comes_back() -> None:
    it, card = room()
    it.clock.at(0.5, card.lose)
    it.clock.at(1.0, lambda: it.cards.append(SimulatedCard(it.clock)))
    it.clock.at(3.0, lambda: it.playback.push(A, level(100), HZ))
    it.clock.at(3.0, lambda: it.playback.finish(A))

    it.run(4.0)

    statuses = [report.status for report in it.told() if isinstance(report, DeviceChanged)]
    assert statuses == ["open", "open", "lost", "lost", "open", "open"]
    assert len(it.told()) == len(statuses)
    assert np.count_nonzero(np.frombuffer(bytes(it.opened[1].heard), np.int16)) == WIRE.frames(100)


def test_card_without_a_microphone_gives_silence_and_plays() -> None:
    it, card = room(has_input=False)
    it.clock.at(0.1, lambda: it.playback.push(A, level(300), HZ))
    it.clock.at(0.1, lambda: it.playback.finish(A))

    it.run(1.0)

    assert it.told()[0] == DeviceChanged("input", "unavailable")
    assert down(it.reports)[0].reason == "no input here"
    assert np.count_nonzero(np.frombuffer(bytes(card.heard), np.int16)) == WIRE.frames(300)
    assert card.gaps == 0
    assert len(blocks_of(it.reports)) == 100


def test_card_without_a_speaker_listens_and_answers_drain() -> None:
    it, _ = room(has_output=False, microphone=numbered)
    it.playback.push(A, level(300), HZ)
    it.playback.finish(A)

    it.run(1.0)

    assert it.told()[1] == DeviceChanged("output", "unavailable")
    assert down(it.reports)[0].reason == "no output here"
    assert blocks_of(it.reports) == list(range(1, 101))
    assert it.playback.reports() == [Started(A), Drained(A, 300, idle=True)]


def test_half_card_is_opened_again_when_the_other_half_is_there_and_nothing_plays() -> None:
    it, _ = room(has_output=False)
    it.playback.push(A, level(500), HZ)
    it.cards.append(SimulatedCard(it.clock))
    it.clock.at(0.2, lambda: it.duplex.available(frozenset({"output"})))

    it.run(1.0)

    assert len(it.opened) == 2
    assert it.opened[0].closed
    assert it.told()[-1] == opened("output", SimulatedCard(it.clock).output)
    # What is up already is not told again.
    assert len(it.told()) == 3
    assert it.duplex.beat > 0.5


def test_half_card_stays_as_it_is_while_the_other_half_is_missing() -> None:
    it, _ = room(has_output=False)
    it.clock.at(0.2, lambda: it.duplex.available(frozenset({"input"})))

    it.run(5.0)

    assert len(it.opened) == 1


def test_half_card_that_opened_as_half_again_stays_so_until_more_is_told() -> None:
    it, _ = room(has_output=False)
    it.cards += [SimulatedCard(it.clock, has_output=False), SimulatedCard(it.clock)]
    it.clock.at(0.2, lambda: it.duplex.available(frozenset({"input", "output"})))
    it.clock.at(2.0, lambda: before.append(len(it.opened)))
    it.clock.at(2.0, lambda: it.duplex.available(frozenset({"input", "output"})))
    before: list[int] = []

    it.run(3.0)

    assert before == [2]
    assert len(it.opened) == 3


def test_another_card_takes_over_when_it_is_quiet() -> None:
    it, card = room()
    other = SimulatedCard(it.clock)
    other.input = OpenDevice("another microphone", HZ, 0.0)
    it.cards.append(other)
    it.clock.at(0.1, lambda: it.playback.push(A, level(300), HZ))
    it.clock.at(0.1, lambda: it.playback.finish(A))
    it.clock.at(0.2, lambda: it.duplex.reopen(Reopen.WHEN_QUIET))

    it.run(1.0)

    assert np.count_nonzero(np.frombuffer(bytes(card.heard), np.int16)) == WIRE.frames(300)
    assert card.closed
    assert other._began < 0.5
    # Of the speaker nothing changed, so nothing is told.
    assert it.told()[2:] == [opened("input", other.input)]


def test_another_speaker_takes_over_at_once_and_what_the_old_one_held_is_lost() -> None:
    it, card = room()
    other = SimulatedCard(it.clock)
    it.cards.append(other)
    it.playback.push(A, level(1000), HZ)
    heard = []

    def cut_at_the_loss() -> None:
        heard.append(it.playback.cut(down(it.reports)[0].lost_frames).parts[0])
        it.playback.push(NEXT, level(100, 2000), HZ)
        it.playback.finish(NEXT)

    it.clock.at(0.5, lambda: it.duplex.reopen(Reopen.AT_ONCE))
    it.clock.at(0.6, cut_at_the_loss)
    it.run(2.0)

    old, new = (np.frombuffer(bytes(each.heard), np.int16) for each in (card, other))
    (lost,) = down(it.reports)
    assert (lost.direction, lost.name, lost.status) == ("output", "simulated speaker", "lost")
    assert lost.reason == "another was chosen"
    assert heard[0].played_ms == WIRE.ms_of_frames(int(np.count_nonzero(old == 1000)))
    assert np.count_nonzero(new == 1000) == 0
    assert np.count_nonzero(new == 2000) == WIRE.frames(100)
    assert it.told()[-1] == opened("output", OpenDevice("simulated speaker", HZ, 0.0))


def test_asking_for_another_card_while_there_is_none_changes_nothing() -> None:
    it = Room()
    it.clock.at(0.5, lambda: it.duplex.reopen(Reopen.AT_ONCE))
    it.clock.at(1.0, lambda: it.cards.append(SimulatedCard(it.clock)))

    it.run(5.0)

    assert len(it.opened) == 1


def test_bug_is_told_and_ends_the_thread() -> None:
    crashed: list[Report] = []
    done = threading.Event()

    def post(report: Report) -> None:
        crashed.append(report)
        done.set()

    def broken() -> Card:
        raise ZeroDivisionError

    duplex = Duplex(broken, PlaybackQueue(HZ), post, bare())
    duplex.start()
    assert done.wait(5)
    duplex.stop()

    assert isinstance(crashed[0], AudioCrashed)
    assert isinstance(crashed[0].error, ZeroDivisionError)


@pytest.fixture
def wall() -> WallClock:
    return WallClock()


def running(open_card: Callable[[], Card], playback: PlaybackQueue, reports: list[Report]) -> Duplex:
    duplex = Duplex(open_card, playback, reports.append, bare())
    duplex.start()
    return duplex


def test_busy_python_thread_costs_no_block_of_the_microphone(wall: WallClock) -> None:
    reports: list[Report] = []
    cards: list[SimulatedCard] = []

    def open_card() -> Card:
        cards.append(SimulatedCard(wall, microphone=numbered, input_ms=250))
        return cards[-1]

    stop = threading.Event()

    def spin() -> None:
        n = 0
        while not stop.is_set():
            n += 1

    hog = threading.Thread(target=spin)
    duplex = running(open_card, PlaybackQueue(HZ), reports)
    hog.start()
    time.sleep(2.0)
    stop.set()
    hog.join()
    duplex.stop()

    blocks = blocks_of(reports)
    assert len(blocks) > 150
    assert blocks == list(range(1, len(blocks) + 1))
    assert cards[0].blocks_lost == 0
    assert sys.getswitchinterval() == pytest.approx(0.0005)


def test_stop_gives_the_card_back_and_is_quick(wall: WallClock) -> None:
    cards: list[SimulatedCard] = []

    def open_card() -> Card:
        cards.append(SimulatedCard(wall))
        return cards[-1]

    duplex = running(open_card, PlaybackQueue(HZ), [])
    time.sleep(0.05)

    began = time.monotonic()
    duplex.stop()

    assert time.monotonic() - began < 1.0
    assert cards[0].closed


def test_without_a_card_the_thread_costs_next_to_nothing() -> None:
    def no_card() -> Card:
        raise AudioError("there is no card")

    before = time.process_time()
    duplex = running(no_card, PlaybackQueue(HZ), [])
    time.sleep(1.0)
    duplex.stop()

    assert time.process_time() - before < 0.2
