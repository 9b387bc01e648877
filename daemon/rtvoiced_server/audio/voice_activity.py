"""Where voices begin and end: Silero behind a level gate, and the pool of its models.

The detector resamples the session's audio, PCM at 24 kHz, to the 16 kHz that
`rtvoiced.dsp.vad` works at, and tells edges in milliseconds. Loading a model costs
a few milliseconds and three threads, so the models are lent to one session after
the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from rtvoiced.dsp.pcm import WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced.dsp.vad import VAD_HZ, WINDOW_MS, Onset, VadModel, VoiceDetector, silero
from rtvoiced_server.protocol.audio_port import VoiceEdge


class VadModelPool:
    """The models that are loaded: one for each session at a time, and the next session's after it.

    Loaded and freed by many sessions at once, models leave holes that no other fits into: every 50 sessions
    at once left 100 MB more.
    """

    def __init__(self) -> None:
        self._free: list[VadModel] = []

    @contextmanager
    def lent(self) -> Iterator[VadModel]:
        """Lend a model; load one where none is free."""
        model = self._free.pop() if self._free else silero()
        try:
            yield model
        finally:
            self._free.append(model)


class SileroDetector:
    """Finds voices in one session's audio, with one model."""

    def __init__(self, model: VadModel) -> None:
        self._model = model
        self._resampler = Resampler(WIRE.hz, VAD_HZ)
        self._detector = VoiceDetector(model=model)

    @property
    def window_ms(self) -> int:
        """How much audio the model judges at a time: 32 ms."""
        return WINDOW_MS

    def begin(self, threshold: float, silence_ms: int) -> None:
        """Listen anew: a voice is likelier than *threshold*, and over after *silence_ms* without one."""
        self._model.reset()
        self._detector = VoiceDetector(threshold=threshold, silence_ms=silence_ms, model=self._model)

    def process(self, pcm: bytes) -> list[VoiceEdge]:
        """Listen to *pcm*, whole frames at 24 kHz; return the edges that it decided, in order."""
        samples = self._resampler.process(np.frombuffer(pcm, np.int16))
        return [
            VoiceEdge(isinstance(decision, Onset), decision.frame * 1000 // VAD_HZ)
            for decision in self._detector.process(samples)
        ]

    def reset(self) -> None:
        """Forget a voice that has begun and what led to one; the time goes on."""
        self._detector.reset()
