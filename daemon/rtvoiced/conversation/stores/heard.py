"""Which words of an item were heard, by how much of its audio was played. Pure.

No server tells when a word is spoken, so it is estimated. A `WordArrival` stands
at each item of the history, and is told of words and audio as they come
(`ResponseStore`): some servers send the words of a sentence right before its
audio, and that says where in the audio the sentence begins. Within such a
stretch, and where words run ahead of all audio, each letter is taken to last
equally long. At a cut, and while a response is held, `WordArrival.heard` gives
the words to the end of the last whole one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

LETTERS_PER_S = 15
"""How many letters a second are spoken in English that is read aloud."""
OWN_PACE = 30
"""After how many letters the pace of a voice counts as much as the usual one: a first pause must not stretch
all that follows. Measured: 10 to 60 do equally well."""
SHORTEST_MS = 500
"""The least audio of a stretch that came behind its words: where words run ahead, less comes between them."""
MOST_LETTERS_PER_S = 30
"""The most letters that a stretch can hold, twice as fast as usual: where more came, some are said later."""
MOST_STRETCHES = 500
"""How many stretches of an item are kept; beyond that all words belong to all audio."""


class TextPosition(NamedTuple):
    """A place in an item, in letters of its text and in milliseconds of its audio."""

    chars: int
    ms: float


@dataclass(slots=True)
class WordArrival:
    """How the words of an item came beside its audio.

    Some servers send the words of a sentence when its audio begins, and then
    it is known where in the audio it begins. Others let the words run ahead.
    """

    ms: float = 0.0
    """How much audio has come."""
    begins: list[TextPosition] = field(default_factory=list)
    """Where the stretches begin whose words came right before their audio; else only the first begin."""
    apart: bool = False
    """Words came behind their audio, or long before it: only all of them belong to all of it."""

    @property
    def beside(self) -> bool:
        """Whether the words of one stretch came after the audio of another."""
        return len(self.begins) > 1

    def words(self, text: str) -> None:
        """Know that more words come, behind *text*."""
        if not self.begins:
            self.begins, self.apart = [TextPosition(0, 0.0)], self.ms > 0
        last = self.begins[-1]
        since_ms, letters = self.ms - last.ms, len(text) - last.chars
        if self.apart or not since_ms:
            return
        too_many = letters * 1000 > MOST_LETTERS_PER_S * since_ms
        self.apart = too_many or since_ms < SHORTEST_MS or len(self.begins) == MOST_STRETCHES
        self.begins = self.begins[:1] if self.apart else [*self.begins, TextPosition(len(text), self.ms)]

    def audio(self, ms: float) -> None:
        """Know that so much more audio came."""
        self.ms += ms

    def heard(self, text: str, played_ms: int, received_ms: int, *, whole: bool) -> str:
        """Return the words of *text* in the first *played_ms* of *received_ms* of audio.

        Without *whole* the audio of the last words may still have to come: it is taken to
        last as long as it takes to say them, if that is longer than what has come.
        """
        if whole and played_ms >= received_ms:
            return text.strip() if received_ms else ""
        begins = self.begins or [TextPosition(0, 0.0)]
        last = begins[-1]
        a_letter_ms = (last.ms + OWN_PACE * 1000 / LETTERS_PER_S) / (last.chars + OWN_PACE)
        rest_ms = last.ms + (len(text) - last.chars) * a_letter_ms
        end = TextPosition(len(text), received_ms if whole else max(received_ms, rest_ms))
        before = [begin for begin in begins if begin.ms <= played_ms] or begins[:1]
        begin, after = before[-1], [*begins, end][len(before)]
        played, lasts = max(0, round(played_ms - begin.ms)), round(after.ms - begin.ms)
        return _words(text, begin.chars + _share(after.chars - begin.chars, played, lasts))


def words_heard(text: str, played_ms: int, received_ms: int) -> str:
    """Return the share played_ms / received_ms of *text*, cut back to the end of a word.

    An estimate: speech is not evenly spread over its letters.
    """
    return _words(text, _share(len(text), played_ms, received_ms))


def _share(chars: int, played_ms: int, received_ms: int) -> int:
    if played_ms >= received_ms:
        return chars if received_ms else 0
    return chars * played_ms // received_ms


def _words(text: str, end: int) -> str:
    """Return the beginning of *text* to *end*, cut back to the end of a word."""
    while 0 < end < len(text) and not _between_words(text[end - 1], text[end]):
        end -= 1
    return text[:end].strip()


def _between_words(before: str, after: str) -> bool:
    return before.isspace() or after.isspace() or _is_word(before) or _is_word(after)


def _is_word(letter: str) -> bool:
    """Return True for Chinese and Japanese characters and their punctuation, which stand without spaces."""
    code = ord(letter)
    return 0x3000 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0x20000 <= code <= 0x3FFFF
