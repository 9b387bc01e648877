"""A streaming polyphase resampler: a windowed sinc, with no dependency but numpy.

Playback, the microphone's way to the server, the echo canceller and the embedded
server use it, each with a `Resampler` of its own for each stream.

Frame *n* of the output lies at frame ``n * in_hz / out_hz`` of the input, so
what was played can be told in frames of the source, whatever the card's rate.
The result is the same bit for bit however the stream was cut into chunks.

>>> resampler = Resampler(24_000, 48_000)
>>> output = [*resampler.process(chunk), *resampler.flush()]  # doctest: +SKIP
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

HALF_MAX = 24
"""Frames of the lower rate that the filter reaches to each side, at most: 1 ms at 24 kHz."""

HALF_MAX_S = 0.0019
"""Seconds that the filter reaches to each side, at most: 15 frames at 8 kHz, which so stays under 2 ms,
too."""

STOPBAND_DB = 72
"""By how many dB the Kaiser window is designed to attenuate what lies above the cutoff."""

SIMPLE = 4
"""Ratios of numbers up to this are resampled phase by phase: all but those with 44.1 kHz and its like."""

COEFFICIENT_ONE = 1 << 22
"""Coefficients are whole multiples of 1/2**22. With samples of 16 bits every sum of products is then exact in
float64 (2**37 a product, under 2**43 a sum), and the result is the same however the stream was chunked."""


class Resampler:
    """Resamples one stream of mono int16 from *in_hz* to *out_hz*.

    A frame comes out once 1.9 ms (at 8 kHz) or less (1 ms from 24 kHz on) of
    what follows it is known. That is the whole delay, for the filter is symmetrical.
    Whatever the chunks, the output is bit for bit the same, and with `flush`
    it is ``ceil(frames_in * out_hz / in_hz)`` frames long.

    Raises ValueError for a rate that is not positive.
    """

    def __init__(self, in_hz: int, out_hz: int) -> None:
        if in_hz <= 0 or out_hz <= 0:
            raise ValueError(f"not a sample rate: {min(in_hz, out_hz)}")
        divisor = gcd(in_hz, out_hz)
        self.up, self.down = out_hz // divisor, in_hz // divisor
        self._phases = _polyphase(self.up, in_hz, out_hz)
        self._ahead = self._phases.shape[1] // 2
        self.reset()

    def reset(self) -> None:
        """Forget the stream and begin a new one."""
        # Silence before the first frame: the filter's left half.
        self._kept = np.zeros(self._ahead - 1, np.float64)
        self._phase = 0
        self._frames_in = 0
        self._frames_out = 0

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Take any number of frames; return those that are ready. Both int16, shape (frames,)."""
        if self.up == self.down:
            return samples.copy()
        self._frames_in += len(samples)
        return self._run(samples)

    def flush(self) -> NDArray[np.int16]:
        """End the stream: return its last frames (int16, shape (frames,)), and be ready for a new stream."""
        if self.up == self.down:
            return np.zeros(0, np.int16)
        due = -(-self._frames_in * self.up // self.down) - self._frames_out
        tail = self._run(np.zeros(self._ahead, np.int16))[:due]
        self.reset()
        return tail

    def _run(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return the frames that *samples* make ready: one weighted sum of the input for each."""
        kept = np.concatenate((self._kept, samples))
        taps = 2 * self._ahead
        # Output k starts at frame (phase + k * down) // up of what is kept and needs `taps` of it.
        starts_below = len(kept) - taps + 1
        count = max(0, -(-(starts_below * self.up - self._phase) // self.down))
        if count == 0:
            self._kept = kept
            return np.zeros(0, np.int16)
        simple = max(self.up, self.down) <= SIMPLE
        sums = self._by_phase(kept, count) if simple else self._by_frame(kept, count)
        used, self._phase = divmod(self._phase + count * self.down, self.up)
        self._kept = kept[used:].copy()
        self._frames_out += count
        return np.asarray(np.clip(np.rint(sums), -32768, 32767), dtype=np.int16)

    def _by_frame(self, kept: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Return *count* sums over *kept*, each with the row of weights of its own phase."""
        at = self._phase + np.arange(count) * self.down
        windows = np.lib.stride_tricks.sliding_window_view(kept, 2 * self._ahead)[at // self.up]
        return np.asarray(np.einsum("ij,ij->i", windows, self._phases[at % self.up]))

    def _by_phase(self, kept: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Return the same in half the time: frames of the same phase, each `up`-th, are one correlation."""
        sums = np.empty(count)
        for first in range(min(self.up, count)):
            start, row = divmod(self._phase + first * self.down, self.up)
            last = (count - 1 - first) // self.up * self.down
            within = kept[start : start + last + 2 * self._ahead]
            sums[first :: self.up] = np.correlate(within, self._phases[row])[:: self.down]
        return sums


@lru_cache(maxsize=16)
def _polyphase(up: int, in_hz: int, out_hz: int) -> NDArray[np.float64]:
    """Return the filter, shape (up, taps): row p makes the output that lies p/up after an input frame.

    A sinc under a Kaiser window. Its transition ends at half the lower rate, so
    what would alias is at least 70 dB down.
    """
    low = min(in_hz, out_hz)
    half = min(HALF_MAX, int(HALF_MAX_S * low)) * in_hz / low
    ahead = int(half)
    transition = (STOPBAND_DB - 8) / (2.285 * 2 * half) / np.pi
    cutoff = low / in_hz - transition / 2
    beta = 0.1102 * (STOPBAND_DB - 8.7)
    # Tap j of row p is input frame j - (ahead - 1), seen from the output at p/up.
    distance = np.arange(2 * ahead) - (ahead - 1) - (np.arange(up) / up)[:, None]
    window = np.i0(beta * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, None))) / np.i0(beta)
    # A frame farther away than the filter is long has no weight at all.
    taps = np.sinc(cutoff * distance) * np.where(np.abs(distance) < half, window, 0)
    # Every phase lets the same level through, or silence with an offset would whistle.
    taps /= taps.sum(axis=1, keepdims=True)
    return np.rint(taps * COEFFICIENT_ONE) / COEFFICIENT_ONE
