"""When the words of a sentence end in its audio.

flite tells when each of its phones ends (-psdur), but not which word it is
part of. So it is also asked how it says the words one by one, and the two
rows of phones, which differ a little, are laid beside each other. Where there are
no phones, as with espeak-ng, the audio is shared out by letters.
`rtvoiced_server.speech.synthesis` runs the programs and calls these functions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol.word_end import WordEnd

AUDIBLE = 330
"""Of 32,768, -40 dB of full scale: what is softer at the ends of a sentence is its pause."""
MOST_PHONES = 600
"""How many phones of one sentence are looked at: a number of 300 digits has more, and would take its time."""
PAUSE = "pau"
"""flite's name of the phone that is silence."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A single sound, as it was spoken."""

    name: str
    end_ms: int
    """Where it ends in the audio of the sentence."""


def phones_spoken(psdur: str) -> list[Phone]:
    """Return the phones of what ``flite -psdur`` wrote: ``pau:0.164 hh:0.255``, in seconds."""
    pairs = re.findall(r"(\S+):(\d+\.\d+)", psdur)
    return [Phone(name, round(float(seconds) * 1000)) for name, seconds in pairs]


def words_apart(text: str) -> str:
    """Return the words of *text* as sentences of their own, so that flite pauses behind each."""
    return " ".join(f"{word}!" for word in map(_core, text.split()) if word)


def phones_of_words(ps: str) -> list[list[str]]:
    """Return the phones between the pauses of what ``flite -ps`` wrote."""
    return [list(run) for silent, run in groupby(ps.split(), lambda name: name == PAUSE) if not silent]


def word_ends(text: str, spoken: Sequence[Phone], words: Sequence[Sequence[str]]) -> tuple[WordEnd, ...]:
    """Return where each word of *text* ends in what was *spoken*; none when the *words* are not those of it.

    *words* are the phones of the words that have any, each said alone. What
    has no sound, such as a dash, ends where the word before it ends.
    """
    tokens = list(re.finditer(r"\S+", text))
    sounding = [token for token in tokens if _core(token[0])]
    sounds = [phone for phone in spoken if phone.name != PAUSE]
    if len(sounding) != len(words) or not sounds or len(sounds) > MOST_PHONES:
        return ()
    ends = iter(_ends(sounds, words))
    found: list[WordEnd] = []
    ms = 0
    for token in tokens:
        ms = next(ends) if _core(token[0]) else ms
        found.append(WordEnd(ms, token.end()))
    return tuple(found)


def word_ends_by_letters(text: str, samples: NDArray[np.int16]) -> tuple[WordEnd, ...]:
    """Return about where each word of *text* ends in *samples* (24 kHz): by its share of the letters."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    first, last = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(samples))
    ends = [found.end() for found in re.finditer(r"\S+", text)]
    longest = max(len(text), 1)
    return tuple(WordEnd(WIRE.ms_of_frames(first + (last - first) * end // longest), end) for end in ends)


def _core(word: str) -> str:
    """Return *word* without what stands around it; empty when flite has no sound for it."""
    return re.sub(r"^[^A-Za-z0-9$]+|[^A-Za-z0-9%]+$", "", word)


def _ends(sounds: Sequence[Phone], words: Sequence[Sequence[str]]) -> list[int]:
    """Return when each of *words* ends, in milliseconds."""
    alone = [name for word in words for name in word]
    matcher = SequenceMatcher(None, alone, [phone.name for phone in sounds], autojunk=False)
    # How many sounds are spoken by the end of so many phones said alone; between the matches, by proportion.
    said, done = [0.0], [0.0]
    for at, to, size in matcher.get_matching_blocks():
        for n in range(size):
            said.append(at + n + 1.0)
            done.append(to + n + 1.0)
    said.append(float(len(alone)))
    done.append(float(len(sounds)))
    last = np.cumsum([len(word) for word in words])
    return [sounds[max(0, round(count) - 1)].end_ms for count in np.interp(last, said, done)]
