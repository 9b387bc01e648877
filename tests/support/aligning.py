"""When words end in audio, by a recogniser that lays their text beside it."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from rtvoiced.dsp import resample
from rtvoiced.dsp.vad import VAD_HZ
from rtvoiced_server.speech.recogniser_worker import samples
from rtvoiced_server.speech.sentences import SpokenSentence
from support.kept import kept


@lru_cache
def _aligner() -> Any:
    import pocketsphinx

    return pocketsphinx.Decoder(lm=None, samprate=VAD_HZ, loglevel="FATAL")


def alignable(text: str) -> bool:
    """Tell whether the recogniser's dictionary has all words of *text*: it has no numbers and no names."""
    return all(_aligner().lookup_word(word) for word in _words(text))


def aligned(spoken: SpokenSentence) -> list[int]:
    """When each word ends, in milliseconds."""
    return kept(_aligned, spoken.text, spoken.pcm, version("pocketsphinx"), sources=(resample,))


def _aligned(text: str, pcm: bytes, _recogniser: str) -> list[int]:
    decoder = _aligner()
    decoder.set_align_text(" ".join(_words(text)))
    decoder.start_utt()
    decoder.process_raw(samples(pcm).tobytes(), full_utt=True)
    decoder.end_utt()
    return [(one.end_frame + 1) * 10 for one in decoder.seg() if not one.word.startswith(("<", "(", "["))]


def _words(text: str) -> list[str]:
    return [re.sub(r"[^\w']", "", word.lower()) for word in text.split()]
