"""When words end, held against a recogniser that lays the text beside the audio."""

import asyncio

import numpy as np
import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.answers.rules import STORY
from rtvoiced_server.protocol.content_parts import OutputAudioPart
from rtvoiced_server.protocol.word_end import WordEnd
from rtvoiced_server.speech.sentences import sentences
from rtvoiced_server.speech.synthesis import speak_sentence
from rtvoiced_server.speech.word_times import (
    MOST_PHONES,
    Phone,
    phones_of_words,
    phones_spoken,
    word_ends,
    word_ends_by_letters,
    words_apart,
)
from support.aligning import aligned
from support.speech import spoken_sentence

SENTENCES = (*sentences(STORY)[:6], "Hello! What can I do for you?", "You are welcome.")
EXACT_MS = 60
"""For nine words of ten: the recogniser's own grid is 10 ms, and it draws a consonant to either side."""
A_WORD_MS = 300


@pytest.mark.parametrize(("voice", "speed"), [("slt", 1.0), ("rms", 1.0), ("slt", 1.5)])
def test_words_end_when_they_are_heard_to_end(voice: str, speed: float) -> None:
    off: list[int] = []
    for sentence in SENTENCES:
        said = spoken_sentence(sentence, voice, speed)
        ends = aligned(said)
        assert len(ends) == len(said.word_ends) == len(sentence.split())
        off += [abs(mark.ms - end) for mark, end in zip(said.word_ends, ends, strict=True)]

    assert len(off) > 90
    assert np.percentile(off, 90) <= EXACT_MS
    assert max(off) <= A_WORD_MS


def test_numbers_and_names_have_their_time() -> None:
    spoken = asyncio.run(speak_sentence("Today is Wednesday, November 25, 2026 - 7:05 PM.", "slt", 1.0))

    assert [mark.chars for mark in spoken.word_ends] == [5, 8, 19, 28, 32, 37, 39, 44, 48]
    ends = [mark.ms for mark in spoken.word_ends]
    lasts = dict(zip(spoken.text.split(), np.diff([0, *ends]).tolist(), strict=True))
    assert lasts["-"] == 0
    # "twenty twenty six" takes its time, "is" does not.
    assert lasts["2026"] > 4 * lasts["is"]


def test_phones_are_laid_beside_those_of_the_words_said_alone() -> None:
    spoken = phones_spoken(
        "pau:0.100 hh:0.200 ax:0.250 l:0.300 ow:0.400 dh:0.450 ax:0.500 pau:0.700 k:0.800 ae:0.900 t:1.000"
    )
    alone = phones_of_words("pau hh ax l ow pau dh iy pau k ae t pau")

    assert spoken[1] == Phone("hh", 200)
    assert alone == [["hh", "ax", "l", "ow"], ["dh", "iy"], ["k", "ae", "t"]]
    assert word_ends("hello -- the cat.", spoken, alone) == (
        WordEnd(400, 5),
        WordEnd(400, 8),
        WordEnd(500, 12),
        WordEnd(1000, 17),
    )


def test_words_of_which_nothing_is_known_have_no_marks() -> None:
    spoken = phones_spoken("pau:0.1 k:0.2 ae:0.3 t:0.4")

    assert word_ends("two words", spoken, [["k", "ae", "t"]]) == ()
    assert word_ends("cat", [], [["k", "ae", "t"]]) == ()
    many = [Phone("s", n) for n in range(MOST_PHONES + 1)]
    assert word_ends("sss", many, [["s"] * (MOST_PHONES + 1)]) == ()


def test_words_are_asked_for_one_by_one() -> None:
    assert words_apart('"Hello," she said -- (twice) for $5, 日本.') == "Hello! she! said! twice! for! $5!"


def test_pauses_around_the_words_belong_to_no_word() -> None:
    silence, tone = np.zeros(2400), np.full(4800, 9000)
    audio = np.concatenate((silence, tone, silence)).astype(np.int16)

    assert word_ends_by_letters("ab cd", audio) == (WordEnd(180, 2), WordEnd(300, 5))


def test_an_item_that_is_truncated_keeps_the_words_that_were_played() -> None:
    said = [spoken_sentence(sentence, "rms") for sentence in SENTENCES[:2]]
    ends: list[int] = []
    for begin, one in zip((0, WIRE.duration_ms(len(said[0].pcm))), said, strict=True):
        ends += [begin + end for end in aligned(one)]
    for cut_ms in range(0, ends[-1] + 300, 97):
        part = OutputAudioPart()
        for one in (stretch for sentence in said for stretch in sentence.stretches()):
            part.extend(" " if part.words else "", one.text, one.word_ends)
            part.made_ms += WIRE.duration_ms(len(one.pcm))
        part.truncate(cut_ms)

        assert abs(len(part.words.split()) - sum(end <= cut_ms for end in ends)) <= 1
