"""The virtual card as an instrument: sounds into its microphone, clicks that calibrate it, a listener."""

from __future__ import annotations

import subprocess
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.hearing import Piece, offsets
from rtvoiced.dsp.pcm import WIRE
from support.listening import loud, signal
from support.running import eventually, room
from support.virtual_card import RECORD_HZ, Recording, VirtualCard

QUIET_S = 0.3
"""So long nothing is heard: what was interrupted is over."""
CLICK_MS = 40
WORDS = ("okay", "all right", "wait a moment", "i know", "oh no", "are you sure", "and then", "excuse me")


class Listener:
    """A recording of one sink, calibrated: a sound is taken to sound when it was written.

    A null sink hands its audio to recorders some ms before its time, so that a
    click would seem to be heard before it was made.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._early_s = 0.0

    def __len__(self) -> int:
        """How many samples there are so far."""
        return len(self._recording)

    def since(self, begin: int) -> Piece:
        """Return what was recorded from sample *begin* until now."""
        early_s = self._early_s
        samples = self._recording.between(begin, len(self))
        return Piece(samples, lambda at: self._recording.time_of(begin + at) + early_s)

    def calibrate(self, clicked: Sequence[float], begin: int) -> list[float]:
        """Take the median of clicks that were written then as true; return how far off each is, in ms."""
        found = offsets(clicked, self.since(begin).begins())
        assert found, "no click was recorded"
        early_ms = -float(np.median(found))
        self._early_s += early_ms / 1000
        return [each + early_ms for each in found]

    def wait(self, seconds: float) -> None:
        """Wait until so much more is recorded."""
        enough = len(self) + int(seconds * RECORD_HZ)
        eventually(lambda: len(self) >= enough)

    def until_quiet(self, begin: int) -> None:
        """Wait until all that is audible since *begin* is over."""
        quiet = int(QUIET_S * RECORD_HZ)

        def over() -> bool:
            newest = self._recording.between(max(begin, len(self) - quiet), len(self))
            return len(newest) >= quiet and not len(loud(newest))

        self.wait(QUIET_S)
        eventually(over)


class Clicker:
    """Sounds of 40 ms that play at once: a stream that is open all the time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._pcm = signal(CLICK_MS / 1000, seed=4) + WIRE.silence(CLICK_MS)

    def click(self) -> float:
        """Click; return when that was written, CLOCK_MONOTONIC."""
        assert self._process.stdin
        at = time.monotonic()
        self._process.stdin.write(self._pcm)
        self._process.stdin.flush()
        return at


@contextmanager
def clicking(card: VirtualCard, sink: str) -> Iterator[Clicker]:
    """Open a stream to *sink* for clicks."""
    process = card.stream(sink, WIRE.hz)
    try:
        yield Clicker(process)
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Rig:
    """The card, and who listens to both of its sinks."""

    card: VirtualCard
    speaker: Listener
    microphone: Listener


@contextmanager
def listening(card: VirtualCard) -> Iterator[Rig]:
    """Record what is heard and what is said."""
    with ExitStack() as stack:
        recordings = [stack.enter_context(card.record(sink)) for sink in ("speaker", "micsink")]
        yield Rig(card, *map(Listener, recordings))


def words() -> list[tuple[bytes, int]]:
    """Return what users say, each with its rate; from its first audible sample on."""
    with room() as here:
        return [_uttered(text, here.path / "word.wav") for text in WORDS]


def _uttered(text: str, path: Path) -> tuple[bytes, int]:
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", path], check=True)
    with wave.open(str(path)) as file:
        samples, hz = np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
    return samples[loud(samples)[0] :].tobytes(), hz
