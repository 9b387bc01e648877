"""Stand-ins for the world outside: a sound card and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from rtvoiced.audio.capture.front_end import FrontEnd
from rtvoiced.dsp.pcm import BLOCK_MS, FRAME_BYTES, OpenDevice, Pcm
from rtvoiced.errors import AudioError
from rtvoiced.settings.schema import EchoSettings, VadSettings


class Clock(Protocol):
    """Tells the time, and waits."""

    def __call__(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SimulatedClock:
    """Time that passes only where somebody waits; what is due at a time then happens on the way."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, Callable[[], object]]] = []

    def __call__(self) -> float:
        return self.now

    def at(self, when: float, action: Callable[[], object]) -> None:
        self._due.append((when, action))
        self._due.sort(key=lambda due: due[0])

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            when, action = self._due.pop(0)
            self.now = max(self.now, when)
            action()
        self.now = max(self.now, until)


class WallClock:
    """The real time."""

    def __call__(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


def bare() -> FrontEnd:
    """A front end that leaves the microphone as it is."""
    return FrontEnd(EchoSettings(mode="off"), VadSettings(), lambda: False)


def silent_microphone(_block: int, frames: int) -> bytes:
    return bytes(frames * FRAME_BYTES)


class SimulatedCard:
    """A duplex card on its own clock: it speaks and listens at its rate, whoever comes late.

    `heard` is what a listener hears, gaps included. The microphone's buffer
    holds *input_ms*; what comes on top of that is lost.
    """

    def __init__(
        self,
        clock: Clock,
        hz: int = 24_000,
        microphone: Callable[[int, int], bytes] = silent_microphone,
        capacity_blocks: int = 3,
        input_ms: int = 100,
        latency_ms: float = 0.0,
        has_input: bool = True,
        has_output: bool = True,
    ) -> None:
        self.input = OpenDevice("simulated microphone", hz, 0.0) if has_input else None
        self.output = OpenDevice("simulated speaker", hz, latency_ms) if has_output else None
        self.heard = bytearray()
        self.gaps = 0
        self.blocks_lost = 0
        self.lost = False
        self.closed = False
        self.problems = {
            name: f"no {name} here" for name, has in (("input", has_input), ("output", has_output)) if not has
        }
        self.stalls: dict[int, float] = {}
        """Seconds by which a block comes late, as when the whole machine stood still."""
        self._clock = clock
        self._pcm = Pcm(hz)
        self._microphone = microphone
        self._capacity = capacity_blocks * self._pcm.block * FRAME_BYTES
        self._input_blocks = input_ms // BLOCK_MS
        self._began = clock()
        self._speaker = bytearray()
        self._next_block = 0
        self._reads = 0

    def read(self) -> bytes:
        self._check()
        self._clock.sleep(self.stalls.pop(self._reads, 0.0))
        self._clock.sleep(self._began + (self._next_block + 1) * BLOCK_MS / 1000 - self._clock())
        self._check()
        recorded = int((self._clock() - self._began) * 1000 + 1e-6) // BLOCK_MS
        overrun = max(0, recorded - self._next_block - self._input_blocks)
        self.blocks_lost += overrun
        self._next_block += overrun + 1
        self._reads += 1
        return self._microphone(self._next_block - 1, self._pcm.block)

    def write(self, block: bytes) -> None:
        self._check()
        self._play()
        while len(self._speaker) + len(block) > self._capacity:
            self._clock.sleep(0.001)
            self._play()
        self._speaker += block

    def fill(self) -> int:
        self._check()
        self._play()
        return len(self._speaker) // FRAME_BYTES

    def close(self) -> None:
        if not self.closed and not self.lost:
            self._play()
        self.closed = True

    def lose(self) -> None:
        """Pull the plug: what the card holds is never heard."""
        self._play()
        self.lost = True

    def _check(self) -> None:
        assert not self.closed, "a closed card is used"
        if self.lost:
            raise AudioError("the device is gone")

    def _play(self) -> None:
        """Let the speaker play what its clock says it has played by now."""
        if not self.output:
            return
        due = int((self._clock() - self._began) * self._pcm.hz + 1e-6) * FRAME_BYTES - len(self.heard)
        if due > len(self._speaker) and self.heard and any(self.heard[-FRAME_BYTES:]):
            self.gaps += 1
        played = self._speaker[:due]
        del self._speaker[:due]
        self.heard += played + bytes(due - len(played))
