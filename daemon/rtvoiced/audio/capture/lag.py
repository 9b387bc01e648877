"""How long after the reference its echo comes back: a cross-correlation of the two. Pure.

The loop measures so what the front end gives it as an `EchoProbe`; the audio
thread has no millisecond to spare.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DECIMATION = 4
"""From 16 kHz to 4: that leaves steps of 0.25 ms, and speech has its power there."""
STEPS_MS = 4
"""Steps a millisecond, after the decimation."""
LEAST_MS, MOST_MS = -60, 900
"""Lags that are looked for: from a card that records before it plays to a slow radio link."""
BAND_HZ = (150, 1800)
"""The band that is compared: below is hum, above is little left after the decimation."""
SURE = 8.0
"""How many times the root mean square of the correlation a peak must be: without an echo it reaches 4."""


def lag_ms(near: NDArray[np.int16], reference: NDArray[np.int16]) -> float | None:
    """Return by how many milliseconds *reference* leads its echo in *near*; None where none is found.

    Both are int16, shape (frames,), 16 kHz, and of the same time; 2 s are enough.
    Phases decide, and not powers (GCC-PHAT), so that neither the room's colour nor
    a voice beside the echo moves the peak. Takes about a millisecond.
    """
    x, y = (_decimated(samples) for samples in (near, reference))
    if not (np.any(x) and np.any(y)):
        return None
    size = 1 << (2 * len(x) - 1).bit_length()
    cross = np.fft.rfft(x, size) * np.conj(np.fft.rfft(y, size))
    hz = np.fft.rfftfreq(size, 1 / (1000 * STEPS_MS))
    cross[(hz < BAND_HZ[0]) | (hz > BAND_HZ[1])] = 0
    likeness = np.fft.irfft(cross / (np.abs(cross) + 1e-9 * np.max(np.abs(cross))))
    # Negative lags stand at the end.
    sought = np.concatenate((likeness[LEAST_MS * STEPS_MS :], likeness[: MOST_MS * STEPS_MS]))
    peak = int(np.argmax(sought))
    if sought[peak] < SURE * np.sqrt(np.mean(np.square(sought))):
        return None
    return peak / STEPS_MS + LEAST_MS


def _decimated(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the means of four frames each: shape (frames // 4,)."""
    whole = samples[: len(samples) - len(samples) % DECIMATION].astype(np.float64)
    return np.asarray(whole.reshape(-1, DECIMATION).mean(axis=1))
