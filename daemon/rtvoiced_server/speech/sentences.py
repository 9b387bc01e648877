"""Sentences: a text cut into them, and a spoken one cut into stretches.

A text is spoken sentence by sentence, so that the first is heard while the next is
made. A spoken sentence is sent in stretches of a few words, so that its words come
about when they are heard, and a client can tell by them what was heard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol.word_end import WordEnd

LONGEST_SENTENCE = 300
"""Characters, some 20 s: what an interruption may have to wait for is small, and so is an argument."""
LONGEST_FIRST = 100
"""Characters of the first sentence; of a longer one its beginning is said by itself, if a comma ends it."""
SHORTEST_FIRST = 20
"""Characters of such a beginning."""
DELTA_MS = 200
"""Audio in one delta, unless the options say otherwise; recorded of the real server: 100 to 400."""
STRETCH_MS = 3 * DELTA_MS
"""The least audio of a stretch, whose words are sent with it: two or three words."""


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence that was spoken, or a stretch of one."""

    text: str
    pcm: bytes
    """At 24 kHz."""
    word_ends: tuple[WordEnd, ...]

    def stretches(self) -> list[SpokenSentence]:
        """Cut it, so that its words are sent about when they are spoken."""
        found: list[SpokenSentence] = []
        lasts_ms = WIRE.duration_ms(len(self.pcm))
        begin = WordEnd(0, 0)
        while end := self._cut(begin, lasts_ms - STRETCH_MS):
            found.append(self._between(begin, end))
            begin = end
        return [*found, self._between(begin, WordEnd(lasts_ms + 1, len(self.text)))]

    def _cut(self, begin: WordEnd, latest_ms: int) -> WordEnd | None:
        """Return where the stretch from *begin* ends: after a few whole deltas, where a word ends, too.

        It has as few deltas as there is such an end for: a long number is one word.
        """
        cuts = [
            (abs(end.ms - ms), WordEnd(ms, end.chars))
            for ms in range(begin.ms + STRETCH_MS, latest_ms, DELTA_MS)
            for end in self.word_ends
            if begin.chars < end.chars < len(self.text) and abs(end.ms - ms) <= DELTA_MS // 2
        ]
        if not cuts:
            return None
        least = (min(cut.ms for _, cut in cuts) - begin.ms) // STRETCH_MS * STRETCH_MS + begin.ms
        return min((cut for cut in cuts if cut[1].ms < least + STRETCH_MS), key=lambda cut: cut[0])[1]

    def _between(self, begin: WordEnd, end: WordEnd) -> SpokenSentence:
        text = self.text[begin.chars : end.chars]
        chars = begin.chars + len(text) - len(text.lstrip())
        word_ends = [
            WordEnd(word.ms - begin.ms, word.chars - chars)
            for word in self.word_ends
            if begin.chars < word.chars <= end.chars
        ]
        pcm = self.pcm[WIRE.size(begin.ms) : WIRE.size(end.ms)]
        return SpokenSentence(text.lstrip(), pcm, tuple(word_ends))


def sentences(text: str) -> list[str]:
    """Cut *text* into sentences, and what is too long between two words or behind a comma."""
    parts: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text.strip()):
        rest = sentence.strip()
        if not parts and len(rest) > LONGEST_FIRST:
            parts += _beginning(rest)
            rest = rest[len(parts[0]) :].lstrip() if parts else rest
        while len(rest) > LONGEST_SENTENCE:
            cut = rest.rfind(" ", 1, LONGEST_SENTENCE)
            cut = cut if cut > 0 else LONGEST_SENTENCE
            parts.append(rest[:cut])
            rest = rest[cut:].lstrip()
        if rest:
            parts.append(rest)
    return parts


def _beginning(sentence: str) -> list[str]:
    """Return the beginning of a long *sentence* that can be said by itself, if there is one."""
    ends = [found.start() + 1 for found in re.finditer(r"[,;:](?=\s)", sentence[: LONGEST_FIRST + 1])]
    return [sentence[: ends[-1]]] if ends and ends[-1] >= SHORTEST_FIRST else []
