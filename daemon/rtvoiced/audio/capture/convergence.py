"""How well the echo canceller works, by the powers of what goes into it and comes out. Pure.

`EchoPath` gives it the powers of every frame of 20 ms. From them follow the echo
return loss enhancement (ERLE, in dB: by how much the canceller makes the echo
quieter), whether the canceller has converged or failed, and whether what
the microphone hears can be explained as an echo at all.
"""

from __future__ import annotations

import math

FRAME_S = 0.02
"""Seconds of one frame."""
LOUD = 30.0**2
"""Power (mean square of int16) of a reference that an echo can be expected of: −61 dB of full scale."""
TAIL = 25
"""Frames after a loud reference in which its echo may still come: 0.5 s, for late speakers and long rooms."""
FORGET = 0.98
"""What is left of a sum after each frame: 50 frames count, which is a second."""
CONVERGED_DB, CONVERGED_S = 10.0, 2.0
"""The canceller has converged after so many seconds of sound with that ERLE. Not sooner: for half a second
AEC3 takes away whatever sounds, and about the end of the first second it lets an echo through."""
FAILED_DB, FAILED_S = 6.0, 10.0
"""The canceller has failed when after so many seconds of sound its ERLE was never that high."""
NOTHING_S = 5.0
"""Seconds of sound without an echo that can be told from the rest: headphones."""
OVER_NOISE = 8.0
"""How many times the noise's power an echo must have to be measured: of noise alone, noise suppression takes
12 dB."""
SHARE, EARLY_SHARE = 10 ** (-12 / 10), 10 ** (-5 / 10)
"""Shares of the microphone's power that the canceller leaves of a voice at least: later, and in the first
seconds. Of an echo it leaves a thousandth, and in the first seconds a fifth now and then."""
NOISE_RISE = 1.0007
"""By how many times the noise floor rises in a frame: 0.15 dB a second. It falls at once."""


class Convergence:
    """Follows one canceller on one card, frame by frame; powers are mean squares of int16."""

    def __init__(self) -> None:
        self.erle_db: float | None = None
        """ERLE over the last second of sound; None before there was any."""
        self.sounded_s = 0.0
        """Seconds in which the speaker sounded so far."""
        self._best_db = -math.inf
        """The best ERLE of an echo that stood out of the noise."""
        self._near = self._cleaned = self._frames = 0.0
        """Sums over the last second of sound: of the microphone's power, of what was left of it, and of
        frames."""
        self._noise = math.inf
        """The microphone's noise floor, as a power."""
        self._before = 0.0
        """The microphone's power in the frame before: the canceller may be late by some of a frame."""
        self._share = 0.0
        """The share of the microphone's power that the canceller left in the newest frame."""
        self._left = 0
        """Frames for which an echo may still come."""

    @property
    def sounding(self) -> bool:
        """Whether the speaker sounds, or its echo may still come."""
        return self._left > 0

    @property
    def early(self) -> bool:
        """Whether the speaker sounds and has not sounded for long: what is left may still be echo."""
        return self.sounding and self.sounded_s < CONVERGED_S

    @property
    def unexplained(self) -> bool:
        """Whether the speaker sounds, and so much of the microphone is left that it can't all be echo."""
        return self.sounding and self._share > (EARLY_SHARE if self.early else SHARE)

    def frame(self, reference: float, near: float, cleaned: float) -> None:
        """Take the powers of one frame: of the reference, of the microphone, of what the canceller left."""
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
        """Tell whether the canceller cancels, or whether there is no echo that stands out of the noise.

        *echo_found*: the lag of an echo was measured.
        """
        nothing = not echo_found or self._best_db == -math.inf
        return self._best_db >= CONVERGED_DB or (self.sounded_s >= NOTHING_S and nothing)

    def failed(self, *, echo_found: bool) -> bool:
        """Tell whether there is an echo, and most of it is still there after a long time."""
        measured = self._best_db > -math.inf
        return self.sounded_s >= FAILED_S and measured and self._best_db < FAILED_DB and echo_found
