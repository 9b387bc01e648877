"""Watches for the missing half of a card, without disturbing the half that works.

Where only a microphone or only a speaker could be opened, the other may be
plugged in later. To open it, the audio thread has to close the half that works,
so it must not try at random. The watch is a task of the loop: while exactly one
direction is open, it lists the devices every 10 s in a child process
(`DeviceList`) and tells which directions could be had. `Duplex.available`
takes that note; the audio thread reads it and opens the card anew when nothing
plays.

Where neither direction is open there is nothing to disturb: the audio thread
tries again by itself, and the watch rests. It also rests while nothing is
wanted, as with a card of files.

A device that is listed but can't be opened would cost the working half its
stream again and again. Where everything that is wanted is listed and the card is
still half, the time between two looks doubles each time, up to 320 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from rtvoiced.audio.cards.portaudio import FoundDevice, chosen
from rtvoiced.audio.events import DeviceChanged
from rtvoiced.errors import AudioError
from rtvoiced.vocabulary import Direction

PERIOD_S = 10.0
PERIOD_MAX_S = 320.0
"""Five doublings of `PERIOD_S`: a device that is listed but can't be opened costs a stream every 5 min."""
LOOK_S = 10.0
"""Seconds that a child may take. Nobody waits for it, and a busy machine starts Python slowly."""


class ListsDevices(Protocol):
    """What lists the devices: a `DeviceList`, or a test's own."""

    async def now(self) -> tuple[FoundDevice, ...]:
        """Return the devices; raises AudioError or OSError, a timeout among them."""
        ...

    async def close(self) -> None:
        """End what is still looking."""
        ...


class DeviceWatch:
    """The watch for one daemon; all of it runs in the loop.

    *wanted* holds for each direction the name that is looked for, as `chosen`
    takes it; a direction that is not in it is never looked for.
    """

    def __init__(
        self, devices: ListsDevices, wanted: Mapping[Direction, str], period_s: float = PERIOD_S
    ) -> None:
        self._devices = devices
        self._wanted = dict(wanted)
        self._shortest_s = period_s
        self._open: set[Direction] = set()
        self._half = asyncio.Event()
        """Set while one wanted direction is open and another is not."""

    def look_for(self, input_name: str, output_name: str) -> None:
        """Look for devices of these names from the next look on."""
        self._wanted = {"input": input_name, "output": output_name}

    def on_device_changed(self, changed: DeviceChanged) -> None:
        """Note that a direction opened, or is gone."""
        if changed.status == "open":
            self._open.add(changed.direction)
        else:
            self._open.discard(changed.direction)
        if self._open and self._wanted.keys() - self._open:
            self._half.set()
        else:
            self._half.clear()

    async def run(self, tell: Callable[[frozenset[Direction]], None]) -> None:
        """Watch until this is cancelled, and call *tell* with the directions that were found at each look.

        No child is left behind.
        """
        period_s = self._shortest_s
        try:
            while True:
                await self._half.wait()
                await asyncio.sleep(period_s)
                if not self._half.is_set():
                    period_s = self._shortest_s
                    continue
                found = await self._look()
                tell(found)
                everything = found == self._wanted.keys()
                period_s = min(2 * period_s, PERIOD_MAX_S) if everything else self._shortest_s
        finally:
            await self._devices.close()

    async def _look(self) -> frozenset[Direction]:
        """Return the wanted directions that could be had now; none where the devices can't be listed."""
        try:
            devices = await self._devices.now()
        except (AudioError, OSError):
            return frozenset()
        return frozenset(
            direction for direction, name in self._wanted.items() if _there(devices, direction, name)
        )


def _there(devices: tuple[FoundDevice, ...], direction: Direction, name: str) -> bool:
    try:
        chosen(devices, direction, name)
    except AudioError:
        return False
    return True
