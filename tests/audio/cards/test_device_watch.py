"""The watch lists devices only while half a card is open, ever more seldom in vain, and leaves no child."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rtvoiced.audio.cards.device_list import DeviceList
from rtvoiced.audio.cards.device_watch import PERIOD_MAX_S, PERIOD_S, DeviceWatch
from rtvoiced.audio.cards.portaudio import FoundDevice
from rtvoiced.audio.events import DeviceChanged
from rtvoiced.errors import AudioError
from rtvoiced.vocabulary import Direction
from support import virtual_time
from support.running import eventually

DESK = FoundDevice(0, "desk", "ALSA", 1, 0, 48_000, default_input=True, default_output=False)
HEADSET = FoundDevice(1, "headset", "ALSA", 1, 2, 48_000, default_input=False, default_output=True)

OUTPUT_OPEN = DeviceChanged("output", "open", "headset")
INPUT_OPEN = DeviceChanged("input", "open", "desk")
INPUT_MISSING = DeviceChanged("input", "unavailable")
BOTH: dict[Direction, str] = {"input": "", "output": ""}


@dataclass
class Listing:
    """Lists what it was given, and notes when it was asked."""

    devices: tuple[FoundDevice, ...] = (DESK, HEADSET)
    error: Exception | None = None
    took_s: float = 0.0
    asked_at: list[float] = field(default_factory=list)
    closed: bool = False

    async def now(self) -> tuple[FoundDevice, ...]:
        self.asked_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.took_s)
        if self.error:
            raise self.error
        return self.devices

    async def close(self) -> None:
        self.closed = True


@dataclass
class Watching:
    """What a watch told, and when."""

    listing: Listing
    told: list[tuple[float, frozenset[Direction]]]


def watched(
    *acts: tuple[float, Callable[[DeviceWatch], object]],
    until: float,
    listing: Listing | None = None,
    wanted: dict[Direction, str] = BOTH,
) -> Watching:
    """Run a watch until then; each of *acts* happens at its time."""
    it = Watching(listing or Listing(), [])

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        watch = DeviceWatch(it.listing, wanted)
        for at, act in acts:
            loop.call_at(at, act, watch)
        running = asyncio.create_task(watch.run(lambda found: it.told.append((loop.time(), found))))
        await asyncio.sleep(until)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    virtual_time.run(scenario())
    return it


def happens(*changes: DeviceChanged) -> Callable[[DeviceWatch], object]:
    def act(watch: DeviceWatch) -> None:
        for change in changes:
            watch.on_device_changed(change)

    return act


HALF = happens(INPUT_MISSING, OUTPUT_OPEN)


def test_a_missing_half_is_looked_for_every_ten_seconds() -> None:
    it = watched(
        (100.0, HALF), until=135.0, listing=Listing((HEADSET,)), wanted={"input": "desk", "output": ""}
    )

    assert it.told == [(100.0 + n * PERIOD_S, frozenset({"output"})) for n in (1, 2, 3)]


def test_what_was_found_is_told_by_direction() -> None:
    assert watched((0.0, HALF), until=10.5).told == [(10.0, frozenset({"input", "output"}))]


def test_a_whole_card_and_none_at_all_need_no_look() -> None:
    whole = watched((0.0, happens(INPUT_OPEN, OUTPUT_OPEN)), until=1000.0)
    none = watched((0.0, happens(INPUT_MISSING, DeviceChanged("output", "lost", "headset"))), until=1000.0)

    assert whole.listing.asked_at == none.listing.asked_at == []


def test_a_card_of_files_is_never_looked_for() -> None:
    assert watched((0.0, HALF), until=1000.0, wanted={}).listing.asked_at == []


def test_it_looks_less_often_while_opening_does_not_help() -> None:
    it = watched((0.0, HALF), until=1500.0)

    assert it.listing.asked_at == [10, 30, 70, 150, 310, 630, 950, 1270]
    assert it.listing.asked_at[-1] - it.listing.asked_at[-2] == PERIOD_MAX_S


def test_it_looks_as_often_as_at_first_once_the_card_was_whole() -> None:
    it = watched((0.0, HALF), (31.0, happens(INPUT_OPEN)), (200.0, HALF), until=225.0)

    assert it.listing.asked_at == [10, 30, 210]


def test_other_names_are_looked_for_from_the_next_time_on() -> None:
    it = watched(
        (0.0, HALF),
        (15.0, lambda watch: watch.look_for("nobody's", "headset")),
        until=31.0,
        listing=Listing(),
    )

    assert it.told == [(10.0, frozenset({"input", "output"})), (30.0, frozenset({"output"}))]


@pytest.mark.parametrize("error", [AudioError("no PyAudio"), TimeoutError(), OSError("no process")])
def test_a_list_that_fails_is_told_as_nothing_and_tried_again(error: Exception) -> None:
    it = watched((0.0, HALF), until=41.0, listing=Listing(error=error, took_s=5.0))

    assert it.told == [(15.0, frozenset()), (30.0, frozenset())]


def test_it_closes_its_list_at_the_end() -> None:
    assert watched((0.0, HALF), until=12.0, listing=Listing(took_s=5.0)).listing.closed


@pytest.mark.process
def test_no_child_is_left_behind(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"

    async def scenario() -> None:
        watch = DeviceWatch(DeviceList((sys.executable, "-c", code), 600.0), BOTH, period_s=0.01)
        running = asyncio.create_task(watch.run(lambda _found: None))
        watch.on_device_changed(OUTPUT_OPEN)
        await asyncio.to_thread(eventually, lambda: pid.exists() and pid.read_text())
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(scenario())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
