"""How well the echo canceller works, by the powers of what goes in and comes out. Pure."""

from __future__ import annotations

import math

FRAME_S = 0.02
LOUD = 30.0**2
"""Power of a reference that an echo can be expected of: -61 dB of full scale."""
TAIL = 25
"""Frames, 0.5 s, after a loud reference in which its echo may still come: late speakers, long rooms."""
FORGET = 0.98
"""A frame: a second counts."""
CONVERGED_DB, CONVERGED_S = 10.0, 2.0
"""For half a second AEC3 takes away whatever sounds; about the end of the first it lets an echo through."""
FAILED_DB, FAILED_S = 6.0, 10.0
NOTHING_S = 5.0
"""So much sound without an echo that can be told from the rest: headphones."""
OVER_NOISE = 8.0
"""Power of an echo over the noise: of noise alone, noise suppression takes 12 dB."""
SHARE, EARLY_SHARE = 10 ** (-12 / 10), 10 ** (-5 / 10)
"""What the canceller leaves of a voice at least; of an echo a thousandth, and early now and then a fifth."""
NOISE_RISE = 1.0007
"""A frame: the noise floor rises by 0.15 dB a second, and falls at once."""


class Convergence:
    """Learns from each frame of 20 ms; powers are mean squares of int16."""

    def __init__(self) -> None:
        self.erle_db: float | None = None
        """Echo return loss enhancement over the last second of sound; None before there was any."""
        self.sounded_s = 0.0
        """How long the speaker sounded so far."""
        self._best_db = -math.inf
        self._near = self._cleaned = self._frames = 0.0
        self._noise = math.inf
        self._before = self._share = 0.0
        self._left = 0

    @property
    def sounding(self) -> bool:
        """The speaker sounds, or its echo may still come."""
        return self._left > 0

    @property
    def early(self) -> bool:
        """The speaker sounds, and has not sounded for long: what is left may be echo still."""
        return self.sounding and self.sounded_s < CONVERGED_S

    @property
    def unexplained(self) -> bool:
        """The speaker sounds, and so much of what the microphone hears is left that it is not all echo."""
        return self.sounding and self._share > (EARLY_SHARE if self.early else SHARE)

    def frame(self, reference: float, near: float, cleaned: float) -> None:
        """Take one frame's powers: of the reference, of the microphone, of what the canceller left."""
        self._noise = min(near + 1.0, self._noise * NOISE_RISE)
        before, self._before = self._before, near
        self._share = cleaned / max(near, before, 1.0)
        self._left = TAIL if reference > LOUD else max(0, self._left - 1)
        self.sounded_s += FRAME_S if reference > LOUD else 0.0
        if not self._left:
            return
        self._near = FORGET * self._near + near
        self._cleaned = FORGET * self._cleaned + cleaned
        self._frames = FORGET * self._frames + 1
        self.erle_db = 10 * math.log10((self._near + 1.0) / (self._cleaned + 1.0))
        if self.sounded_s >= CONVERGED_S and self._near > OVER_NOISE * self._noise * self._frames:
            self._best_db = max(self._best_db, self.erle_db)

    def converged(self, *, echo_found: bool) -> bool:
        """Tell whether the canceller cancels, or there is no echo that stands out of the noise."""
        nothing = not echo_found or self._best_db == -math.inf
        return self._best_db >= CONVERGED_DB or (self.sounded_s >= NOTHING_S and nothing)

    def failed(self, *, echo_found: bool) -> bool:
        """Tell whether there is an echo of which, after a long time, most is still there."""
        measured = self._best_db > -math.inf
        return self.sounded_s >= FAILED_S and measured and self._best_db < FAILED_DB and echo_found
