"""How loud a piece of sound is, in dB below full scale."""

from __future__ import annotations

import numpy as np

FLOOR_DBFS = -96.0
"""Digital silence, as the events tell it. 16 bits hold 20 · log10(32768) = 90 dB, an RMS a little more."""


def dbfs(pcm: bytes) -> float:
    """Return the RMS of *pcm*, s16le mono, in dBFS with one decimal.

    0 is a square wave at full scale. Nothing is below `FLOOR_DBFS`.
    """
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    if not np.any(samples):
        return FLOOR_DBFS
    return max(FLOOR_DBFS, round(float(10 * np.log10(np.mean(np.square(samples)))), 1))
