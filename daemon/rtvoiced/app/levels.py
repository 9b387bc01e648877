"""How loud it is, for whoever looks on: the event `level`."""

from __future__ import annotations

import numpy as np

from rtvoiced.ipc.contract.events import Level

FLOOR_DBFS = -96.0
"""What 16 bits can hold: digital silence is no less."""
PERIOD_S = 0.05
"""At most 20 a second."""


class LevelMeter:
    """Decides when the next `level` is due."""

    def __init__(self) -> None:
        self._next = 0.0

    def measured(self, microphone: bytes, speaker: bytes, vad: float | None, now: float) -> Level | None:
        """Return the loudness of the newest blocks, s16le mono, or None while it is too soon.

        *vad*: the probability of speech, where a VAD of our own runs.
        """
        if now < self._next:
            return None
        self._next = now + PERIOD_S
        return Level(dbfs(microphone), dbfs(speaker), None if vad is None else round(vad, 2))


def dbfs(pcm: bytes) -> float:
    """Return the RMS of *pcm*, s16le mono, in dB below full scale (0 is a square wave at full scale)."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    if not np.any(samples):
        return FLOOR_DBFS
    return max(FLOOR_DBFS, round(float(10 * np.log10(np.mean(np.square(samples)))), 1))
