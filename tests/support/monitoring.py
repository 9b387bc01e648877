"""What our own VAD tells of a sound, and sounds that are no voice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rtvoiced.audio.capture.voice import VoiceMonitor, load_vad_model
from rtvoiced.audio.events import VoiceStarted, VoiceStopped
from rtvoiced.dsp.resample import Resampler
from rtvoiced.dsp.vad import VAD_HZ
from rtvoiced.settings.schema import VadSettings
from support.overlaps import chord, click, cough
from support.room import Signal, as_pcm, at_level
from support.scene import HZ

FRAME = VAD_HZ // 50
Told = list[tuple[float, VoiceStarted | VoiceStopped]]
"""When it was told, and what."""


def heard(sound: Signal, settings: VadSettings = VadSettings(), **facts: bool) -> Told:  # noqa: B008
    """What is told of *sound*, 24 kHz, with a microphone's noise of -62 dB of full scale."""
    noisy = sound + np.random.default_rng(9).normal(0, 26, len(sound))
    samples = Resampler(HZ, VAD_HZ).process(as_pcm(noisy))
    voice, told = VoiceMonitor(settings, load_vad_model), []
    for at in range(0, len(samples) - FRAME + 1, FRAME):
        now = (at + FRAME) / VAD_HZ
        told += [(now, each) for each in voice.hear(samples[at : at + FRAME], now, **facts)]
    return told


def placed(make: Callable[[np.random.Generator], Signal], seconds: float, dbfs: float = -24) -> Signal:
    """The same kind of sound every 2 s."""
    rng, sound = np.random.default_rng(4), np.zeros(int((seconds + 3) * HZ))
    for at in range(HZ, int(seconds * HZ), 2 * HZ):
        one = at_level(make(rng), dbfs)
        sound[at : at + len(one)] += one
    return sound


def hum(_: np.random.Generator) -> Signal:
    """A bad ground: 50 Hz and its harmonics, 2 s."""
    at = np.arange(2 * HZ) / HZ
    return np.asarray(np.sum([np.sin(2 * np.pi * 50 * k * at) / k for k in (1, 2, 3, 5, 7)], axis=0))


def pink(rng: np.random.Generator) -> Signal:
    """Rain, or a fan: as loud in every octave, 2 s."""
    spectrum = np.fft.rfft(rng.normal(0, 1, 2 * HZ))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.asarray(np.fft.irfft(spectrum))


NO_VOICES: tuple[Callable[[np.random.Generator], Signal], ...] = (click, chord, hum, pink, cough)
