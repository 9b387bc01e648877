"""Speech as the synthesisers of this machine make it, kept from run to run (`support.kept`)."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rtvoiced.dsp import resample
from rtvoiced.dsp.resample import Resampler
from rtvoiced_server.speech import sentences, synthesis, voices, word_times
from rtvoiced_server.speech.sentences import SpokenSentence
from support.kept import kept

SOURCES = (sentences, synthesis, voices, word_times, resample)
ESPEAK = "en+f3"
"""A voice of espeak-ng's; all others are flite's."""
ESPEAK_HZ = 22_050


@lru_cache(maxsize=256)
def said(text: str, voice: str, hz: int) -> bytes:
    """Return *text*, spoken, s16le at *hz*."""
    return kept(_said, text, voice, hz, sources=SOURCES)


def spoken(text: str, voice: str = "slt") -> Sequence[SpokenSentence]:
    """Return the sentences of an answer as the embedded server says them."""
    return [spoken_sentence(each, voice) for each in sentences.sentences(text)]


@lru_cache(maxsize=256)
def spoken_sentence(text: str, voice: str = "slt", speed: float = 1.0) -> SpokenSentence:
    """Return a sentence as the embedded server says it: at 24 kHz, with the times of its words."""
    return kept(_spoken, text, voice, speed, sources=SOURCES)


def _said(text: str, voice: str, hz: int) -> bytes:
    if voice == ESPEAK:
        made = subprocess.run(("espeak-ng", "-v", voice, "--stdout", text), capture_output=True, check=True)
        pcm, made_hz = made.stdout[44:], ESPEAK_HZ
    else:
        pcm, made_hz = voices.speak(text, voice)
    resampler = Resampler(made_hz, hz)
    return np.concatenate((resampler.process(np.frombuffer(pcm, "<i2")), resampler.flush())).tobytes()


def _spoken(text: str, voice: str, speed: float) -> SpokenSentence:
    return asyncio.run(synthesis.speak_sentence(text, voice, speed))
