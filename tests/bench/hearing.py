"""What recordings and the wire tell of an interruption: times in s of one clock, results in ms. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from support.listening import AUDIBLE, gaps_ms, loud, position_of, strengths
from support.virtual_card import RECORD_HZ, Samples

FADE_MS = 5.0
LATE_HZ = 8000.0
"""The pitch of late deltas: nothing else that is played goes so high."""
APART_MS = 50
"""A sound begins where it was silent for so long before."""
NEAR_S = 0.05
"""A click is recorded within so long, or it is not that click."""
LONGEST_S = 0.4
"""A sound that was not on the wire by then was never sent."""


@dataclass(frozen=True)
class Piece:
    """A piece of a recording."""

    samples: Samples
    time_of: Callable[[int], float]
    """When a sample of it sounded."""

    def begins(self) -> list[float]:
        """Return when each sound of it begins."""
        return [self.time_of(int(at)) for at in beginnings(self.samples, RECORD_HZ)]


@dataclass(frozen=True)
class Ending:
    """How an answer ended for a listener."""

    last: int
    """The last audible sample of the piece."""
    silence_ms: float
    """From the interruption until it sounded."""
    late_ms: float
    """How much of the late deltas was audible, in steps of 10."""


def ending(piece: Piece, interrupted_at: float) -> Ending:
    """Listen to the end of an answer that was interrupted then."""
    found = loud(piece.samples)
    assert len(found), "nothing was heard of the answer"
    last = int(found[-1])
    late = int(np.sum(strengths(piece.samples, LATE_HZ) > 3 * AUDIBLE))
    return Ending(last, (piece.time_of(last) - interrupted_at) * 1000, 10.0 * late)


def heard_ms(piece: Piece, last: int, answer: bytes) -> float:
    """Return which ms of *answer*, a `signal` that was faded out, its *last* audible sample is."""
    return position_of(last + 1, answer, piece.samples, FADE_MS)


def gaps_within(piece: Piece) -> list[float]:
    """Return how long each silence inside of an answer is."""
    found = loud(piece.samples)
    return gaps_ms(piece.samples[found[0] : found[-1] + 1]) if len(found) else []


def beginnings(samples: NDArray[np.int16], hz: int) -> NDArray[np.intp]:
    """Return the first audible sample of each sound."""
    found = loud(samples)
    apart = hz * APART_MS // 1000
    return found[np.diff(found, prepend=-apart - 1) > apart]


def offsets(clicked: Sequence[float], begins: Sequence[float]) -> list[float]:
    """Return how long after each click the nearest sound begins, in ms; one without is left out."""
    nearest = (min((begin - at for begin in begins), key=abs, default=NEAR_S) for at in clicked)
    return [1000 * each for each in nearest if abs(each) < NEAR_S]


@dataclass(frozen=True)
class Append:
    """Microphone audio as the server got it."""

    at: float
    """When it arrived."""
    pcm: bytes


def mic_to_wire(sounded: Sequence[float], appends: Sequence[Append]) -> list[float]:
    """Return how long after each sound the append arrived in which it begins; what never came is left out."""
    samples = np.frombuffer(b"".join(each.pcm for each in appends), "<i2")
    ends = np.cumsum([len(each.pcm) // FRAME_BYTES for each in appends])
    holding = np.searchsorted(ends, beginnings(samples, WIRE.hz), side="right")
    arrived = [appends[int(number)].at for number in holding]
    took = (next((at - each for at in arrived if at >= each), LONGEST_S) for each in sounded)
    return [1000 * each for each in took if each < LONGEST_S]


class ServerVad:
    """A server's VAD, by loudness: a voice is 60 ms in a row without a silent 10 ms."""

    NEEDS = 6

    def __init__(self) -> None:
        self._voiced = 0
        self._rest = b""

    def hears(self, pcm: bytes) -> bool:
        """Take audio of the wire; return whether a voice has just become one."""
        data, size = self._rest + pcm, WIRE.size(10)
        whole = len(data) - len(data) % size
        self._rest, begun = data[whole:], False
        for frame in np.frombuffer(data[:whole], "<i2").reshape(-1, size // FRAME_BYTES):
            self._voiced = self._voiced + 1 if len(loud(frame)) else 0
            begun = begun or self._voiced == self.NEEDS
        return begun
