"""Recognition: pocketsphinx with the grammars, and with its language model.

It holds the GIL while it works, so it runs in the processes of
`rtvoiced_server.speech.recogniser_worker` only. Whoever says what no grammar has is
forced into some command, but badly: `doubtful` finds such results by their scores,
and nothing was said then. Audio is int16 at 16 kHz, shape (frames,).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.vad import VAD_HZ
from rtvoiced_server.speech import grammar

FRAME_MS = 10
"""A frame of pocketsphinx."""
SHIFT = 1 << 10
"""What pocketsphinx divides the logarithms of the scores of single words by."""
# A score is a logarithm per frame, 0 where every sound is the likeliest that the model knows. Measured: what
# four voices of flite say correctly has -6.0 and more, eight words by a human speaker -4.1 and more; of 120
# sentences that are no commands one passes.
WORST = -6.5
"""The least score that words must have."""
WORST_OPENING = -6.0
"""The least score of words behind which others go on; measured: -5.1 and more where they are right."""
LEAST_COVERED = 0.7
"""The share of what is loud that the words must span; measured: 0.83 and more where they are right."""
LOUD_DB = 35.0
"""A frame is loud that is less than this below the loudest one, and above `FLOOR_DB`."""
FLOOR_DB = -60.0
PAST_MS = 30
"""What is skipped behind the last word before a dictation, while it dies away."""
KEPT_MS = 250
"""How much silence before and behind a voice is kept: the rest would only be work, a fifth of all."""
SHORTEST = VAD_HZ // 10
"""Samples, 100 ms: no word is so short, and some lengths of no frame at all are an error."""
SHORTEST_REST = 15
"""Loud frames, 150 ms, that there must be for words to go on."""
MOST_GRAMMARS = 8
"""How many grammars are kept, one for each set of phrases; each is some 100 kB."""
MOST_ADDED = 1_000
"""How many words may be added to the dictionary; then all of them are forgotten."""


class RecogniserTask(StrEnum):
    """What a recogniser can be asked to listen for."""

    COMMANDS = "commands"
    """What a grammar of commands, and of the names of tools, has."""
    VOCABULARY = "vocabulary"
    """The words that can be repeated without a language model."""
    DICTATION = "dictation"
    """Anything at all, by the language model."""


@dataclass(frozen=True, slots=True)
class RecognisedSpeech:
    """What was heard."""

    words: str
    """Empty when it was nothing that is known."""
    open_ms: int | None = None
    """Where in the audio other words follow these; None where none do."""


class DecodedSegment(NamedTuple):
    """A stretch of the path through a grammar: a word, a sound or a silence."""

    word: str
    begin: int
    """The first of its frames."""
    end: int
    """The first frame that is no part of it."""
    score: float
    """A logarithm, summed over its frames."""

    @property
    def spoken(self) -> bool:
        """Whether it is no silence."""
        return not self.word.startswith(("<", "[", "(NULL"))


class CommandRecogniser:
    """A decoder with the grammars: for commands, and for the words of a small vocabulary."""

    def __init__(self) -> None:
        self._load()

    def _load(self) -> None:
        """Load the acoustic model and the dictionary: 0.12 s, 40 MB."""
        import pocketsphinx

        # lm=None keeps the language model out. lw 10: measured, 77 of 80 commands right instead of 75.
        # compallsen: scores are then told beside the likeliest of all sounds; half as much work again.
        # Without bestpath as many are right, and the 10 ms after the last word are saved.
        self._decoder = pocketsphinx.Decoder(
            lm=None, samprate=VAD_HZ, lw=10, compallsen=True, bestpath=False, loglevel="FATAL"
        )
        self._grammars: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._added = 0
        for word, phones in grammar.sounds():
            self._decoder.add_word(word, phones, False)
        for word, phones in grammar.VARIANTS:
            self._decoder.add_word(f"{word}(2)", phones, False)
        for word in grammar.DECOYS:
            self._decoder.add_word(grammar.SOUND + word, self._decoder.lookup_word(word), False)
        self._decoder.add_jsgf_string("vocabulary", grammar.vocabulary())

    @property
    def grammars(self) -> list[tuple[str, ...]]:
        """The sets of phrases whose grammars are kept, the one used last at the end."""
        return list(self._grammars)

    def recognise(self, samples: NDArray[np.int16], phrases: Sequence[str]) -> RecognisedSpeech:
        """Return the command in *samples*; *phrases* are names that may be said, too."""
        name = self._grammar(tuple(phrases))
        self._decoder.activate_search(name)
        begin, samples = trimmed(samples)
        path = _path(self._decoder, samples)
        spoken = [one for one in path if one.spoken]
        known, more = grammar.opening([one.word for one in spoken])
        audible = loud(samples)
        if not known or doubtful(path, audible):
            return RecognisedSpeech("")
        words, end = " ".join(known), spoken[len(known) - 1].end
        # Who says "say" and stops breathes out behind it.
        if not more or np.count_nonzero(audible[end:]) < SHORTEST_REST:
            return RecognisedSpeech(words)
        return RecognisedSpeech(words, (begin + end) * FRAME_MS + PAST_MS)

    def recognise_vocabulary(self, samples: NDArray[np.int16]) -> RecognisedSpeech:
        """Return the words of the small vocabulary in *samples*."""
        self._decoder.activate_search("vocabulary")
        path = _path(self._decoder, samples)
        doubt = doubtful(path, loud(samples))
        return RecognisedSpeech("" if doubt else " ".join(one.word for one in path if one.spoken))

    def _grammar(self, phrases: tuple[str, ...]) -> str:
        """Return the name of the search with *phrases*; made at the first need, the oldest forgotten."""
        name = self._grammars.get(phrases)
        if name is None:
            if self._added > MOST_ADDED:
                self._load()
            while len(self._grammars) >= MOST_GRAMMARS:
                self._decoder.remove_search(self._grammars.popitem(last=False)[1])
            sayable = [phrase for phrase in phrases if all(map(self._knows, phrase.split()))]
            free = {f"commands{n}" for n in range(MOST_GRAMMARS)} - set(self._grammars.values())
            name = min(free)
            self._decoder.add_jsgf_string(name, grammar.commands(sayable))
        self._grammars[phrases] = name
        self._grammars.move_to_end(phrases)
        return name

    def _knows(self, word: str) -> bool:
        """Tell whether the decoder knows *word*; teach it how it is read, if it can be read."""
        if self._decoder.lookup_word(word) is not None:
            return True
        for parts in grammar.readings(word):
            phones = [self._decoder.lookup_word(part) for part in parts]
            if all(phones):
                self._decoder.add_word(word, " ".join(phones), False)
                self._added += 1
                return True
        return False


class DictationRecogniser:
    """A decoder with the language model: it takes a second for what a grammar does in 0.2 s."""

    def __init__(self) -> None:
        """Load the language model: 0.35 s, 106 MB. Raises RuntimeError where it is not installed."""
        import pocketsphinx

        # Measured over 48 sentences by four voices: 6.2 % of the words wrong, with the second pass (fwdflat)
        # 5.5 % and 1.6 times the work.
        self._decoder = pocketsphinx.Decoder(samprate=VAD_HZ, fwdflat=False, pl_window=7, loglevel="FATAL")

    def recognise(self, samples: NDArray[np.int16]) -> RecognisedSpeech:
        """Return whatever words are in *samples*."""
        found = self._decoder.hyp() if _decode(self._decoder, samples) else None
        return RecognisedSpeech(str(found.hypstr) if found else "")


def trimmed(samples: NDArray[np.int16]) -> tuple[int, NDArray[np.int16]]:
    """Return *samples* with `KEPT_MS` of silence at either end, and which frame of them is the first."""
    audible = np.flatnonzero(loud(samples))
    if not len(audible):
        return 0, samples
    kept, size = KEPT_MS // FRAME_MS, VAD_HZ * FRAME_MS // 1000
    begin = max(0, int(audible[0]) - kept)
    return begin, samples[begin * size : (int(audible[-1]) + 1 + kept) * size]


def loud(samples: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return which frames of *samples* are no silence, shape (frames,)."""
    size = VAD_HZ * FRAME_MS // 1000
    blocks = samples[: len(samples) - len(samples) % size].reshape(-1, size).astype(np.float64) / 32768.0
    levels: NDArray[np.float64] = 10.0 * np.log10(np.mean(np.square(blocks), axis=1) + 1e-12)
    return levels > max(float(levels.max(initial=FLOOR_DB)) - LOUD_DB, FLOOR_DB)


def doubtful(path: Sequence[DecodedSegment], audible: NDArray[np.bool_]) -> bool:
    """Tell whether *path*, the likeliest that the grammar has, is what was said in the *audible* frames.

    Whoever says something else is forced into some command, but badly: sounds
    do not fit, or what is loud is taken for silence.
    """
    scores = np.zeros(len(audible))
    spoken, worded = np.zeros(len(audible), bool), np.zeros(len(audible), bool)
    for one in path:
        at = slice(one.begin, one.end)
        scores[at] = one.score / max(1, one.end - one.begin)
        spoken[at] = one.spoken
        worded[at] = one.spoken and not one.word.startswith(grammar.SOUND)
    if not audible.any() or not worded.any():
        return True
    covered = np.count_nonzero(spoken & audible) / np.count_nonzero(audible)
    least = WORST if (spoken == worded).all() else WORST_OPENING
    return bool(scores[audible].mean() < WORST or scores[worded].mean() < least or covered < LEAST_COVERED)


def _decode(decoder: Any, samples: NDArray[np.int16]) -> bool:
    """Have *samples* decoded at once, for their mean is subtracted; False where they are too few."""
    if len(samples) < SHORTEST:
        return False
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    return True


def _path(decoder: Any, samples: NDArray[np.int16]) -> list[DecodedSegment]:
    if not _decode(decoder, samples):
        return []
    return [
        DecodedSegment(
            # Variants of a word are told as "who(2)".
            one.word.partition("(")[0] if not one.word.startswith("(") else one.word,
            one.start_frame,
            one.end_frame + 1,
            SHIFT * math.log(max(one.ascore, 1e-300)),
        )
        for one in decoder.seg() or ()
    ]
