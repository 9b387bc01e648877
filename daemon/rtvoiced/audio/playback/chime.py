"""The chime: three tones that say that the card is open, and that the echo canceller learns its room from.

The audio thread makes one for each card that it opens, where `echo.chime` asks for
it, and mixes it into what it writes until it is over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import FRAME_BYTES, Pcm

TONES_HZ = (523.25, 659.26, 783.99)
"""C, E and G."""
TONE_MS = 130
"""Milliseconds of each tone; the chime takes 0.4 s."""
PEAK = 6000
"""The loudest sample: −15 dB of full scale, no louder than an answer."""
SHARE = 0.5
"""How loud the tones are beside noise of 1. Of tones alone the canceller learns its room wrongly, and lets
the first words through; of noise it learns all of the room."""


class Chime:
    """The chime of one open card at *hz*, taken block by block and mixed into whatever else is played."""

    def __init__(self, hz: int) -> None:
        self._left = _tones(hz).tobytes()
        self._begun = False

    def __bool__(self) -> bool:
        """Return whether any of it is still to be played."""
        return bool(self._left)

    def over(self, block: bytes, *, quiet: bool) -> bytes:
        """Return *block* with the next of the chime mixed in; the chime begins when it is *quiet*."""
        self._begun = self._begun or quiet
        if not self._begun:
            return block
        here, self._left = self._left[: len(block)], self._left[len(block) :]
        sum_ = np.frombuffer(block, "<i2").astype(np.int32)
        sum_[: len(here) // FRAME_BYTES] += np.frombuffer(here, "<i2")
        return np.clip(sum_, -32768, 32767).astype("<i2").tobytes()


def _tones(hz: int) -> NDArray[np.int16]:
    """Return the tones one after the other (int16, shape (frames,)), each struck softly as with a brush."""
    frames = Pcm(hz).frames(TONE_MS)
    at = np.arange(frames) / hz
    struck = (
        (1 - np.exp(-at / 0.01)) * np.exp(-at / 0.1) * np.sin(np.pi * np.arange(frames) / (frames - 1)) ** 0.2
    )
    noise = np.random.default_rng(1).normal(0, 1, (len(TONES_HZ), frames))
    tones = [sum(np.sin(2 * np.pi * hz_ * k * at) / k for k in (1, 2, 3)) for hz_ in TONES_HZ]
    sound = np.concatenate([(SHARE * tone + hiss) * struck for tone, hiss in zip(tones, noise, strict=True)])
    return np.asarray(np.rint(sound * PEAK / np.max(np.abs(sound))), "<i2")
