"""It really speaks: sentence by sentence, by programs that end when nobody listens."""

import asyncio
import os
import re
import sys
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.answers.rules import STORY
from rtvoiced_server.protocol.word_end import WordEnd
from rtvoiced_server.speech import synthesis, voices
from rtvoiced_server.speech.sentences import SpokenSentence, sentences
from rtvoiced_server.speech.synthesis import speak_sentence, speak_sentences
from rtvoiced_server.speech.voices import FliteVoice, VoiceError, speak


def programs() -> set[int]:
    """The processes that speak for us."""
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_a_sentence_is_spoken_at_the_wire_rate_and_its_words_have_ends() -> None:
    spoken = asyncio.run(speak_sentence("Hello there, computer.", "slt", 1.0))

    assert 800 < WIRE.duration_ms(len(spoken.pcm)) < 3000
    assert [mark.chars for mark in spoken.word_ends] == [5, 12, 22]
    assert (
        spoken.word_ends[0].ms
        < spoken.word_ends[1].ms
        < spoken.word_ends[2].ms
        <= WIRE.duration_ms(len(spoken.pcm))
    )


def test_a_sentence_is_sent_in_stretches_that_end_with_words() -> None:
    text = "One sentence, spoken in a few stretches."
    ends = (150, 790, 1290, 1400, 1450, 1900, 2600)
    marks = tuple(WordEnd(ms, found.end()) for ms, found in zip(ends, re.finditer(r"\S+", text), strict=True))
    spoken = SpokenSentence(text, WIRE.silence(3000), marks)

    assert [(one.text, WIRE.duration_ms(len(one.pcm)), one.word_ends) for one in spoken.stretches()] == [
        ("One sentence,", 800, (WordEnd(150, 3), WordEnd(790, 13))),
        ("spoken in", 600, (WordEnd(490, 6), WordEnd(600, 9))),
        ("a few", 600, (WordEnd(50, 1), WordEnd(500, 5))),
        ("stretches.", 1000, (WordEnd(600, 10),)),
    ]


@pytest.mark.parametrize(
    ("text", "speed", "longest_ms"),
    [
        ("Once upon a time there was  an old lighthouse, far out in the sea.", 1.0, 1_200),
        ("Once upon a time there was an old lighthouse, far out in the sea.", 0.5, 2_000),
        ("Once upon a time there was an old lighthouse, far out in the sea.", 0.25, 4_000),
        # A long number is one word.
        ("You said 123456789 and then a lot of other words that follow it.", 1.0, 6_000),
    ],
)
def test_stretches_are_the_sentence(text: str, speed: float, longest_ms: int) -> None:
    spoken = asyncio.run(speak_sentence(text, "slt", speed))
    stretches = spoken.stretches()
    lasts_ms = [WIRE.duration_ms(len(one.pcm)) for one in stretches]

    assert len(stretches) > 3
    assert b"".join(one.pcm for one in stretches) == spoken.pcm
    assert " ".join(one.text for one in stretches).split() == text.split()
    assert all(one.text for one in stretches)
    begins = [sum(lasts_ms[:n]) for n in range(len(stretches))]
    told = [mark.ms + begin for one, begin in zip(stretches, begins, strict=True) for mark in one.word_ends]
    assert told == [mark.ms for mark in spoken.word_ends]
    # Whole deltas of 200 ms, and none of a few words only.
    assert all(ms >= 600 and ms % 200 == 0 for ms in lasts_ms[:-1])
    assert max(lasts_ms) <= longest_ms


def test_silence_behind_the_last_word_belongs_to_it() -> None:
    marks = (WordEnd(300, 1), WordEnd(600, 3), WordEnd(1200, 5))
    spoken = SpokenSentence("a b c", WIRE.silence(1_900), marks)

    assert [(one.text, WIRE.duration_ms(len(one.pcm))) for one in spoken.stretches()] == [
        ("a b", 600),
        ("c", 1_300),
    ]


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.5])
def test_speed(speed: float) -> None:
    usual, (pcm, hz) = speak("hello there, computer")[0], speak("hello there, computer", speed=speed)

    assert hz == 16_000
    assert len(usual) / speed == pytest.approx(len(pcm), rel=0.05)


def test_every_name_speaks_and_no_two_of_openais_sound_alike() -> None:
    named = {name: speak("hello there", name)[0] for name in voices.VOICES}

    openai = set(named) - {"slt", "rms", "awb", "kal16", "kal"}
    assert openai == {"alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"}
    assert len({named[name] for name in openai}) == len(openai)
    assert all(np.abs(np.frombuffer(pcm, np.int16)).max() > 3000 for pcm in named.values())
    assert speak("hello there", "some name")[0] == named["slt"]


def test_the_documented_voices_are_those_there_are() -> None:
    page = (Path(__file__).parents[3] / "docs" / "server.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)`[^|]*\| `(\w+)`(?:, ([\d.]+) times as high)? \|$", page, re.MULTILINE)

    told = {name: FliteVoice(flite, float(pitch or 1.0)) for name, flite, pitch in rows}
    assert told == {name: made for name, made in voices.VOICES.items() if name != made.flite}


def test_the_story_lasts_40_seconds() -> None:
    pcm, hz = speak(STORY)

    assert len(pcm) / 2 / hz >= 40
    assert len(sentences(STORY)) >= 10


def test_long_sentences_are_cut_between_words() -> None:
    parts = sentences("word " * 100 + "end. Next one! " + "x" * 700)

    assert max(map(len, parts)) <= 300
    assert " ".join(parts[:2]) == "word " * 100 + "end."
    assert parts[2] == "Next one!"


def test_a_long_beginning_is_said_by_itself() -> None:
    long = "When the keeper had lit the lamp, she sat down, and " + "waited " * 10 + "for the ships. The end."

    assert sentences(long)[0] == "When the keeper had lit the lamp, she sat down,"
    assert " ".join(sentences(long)) == long
    assert sentences(f"Short, isn't it? {long}")[1:] == sentences(f"x. {long}")[1:]
    # A comma that ends too little, or that stands in a number, ends nothing.
    for unbroken in ("Well, " + "word " * 30 + "end.", "It costs 1000,000,000,000 " + "word " * 30 + "end."):
        assert sentences(unbroken) == [unbroken]


def test_sentences_come_in_order_and_the_next_is_made_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    async def listen() -> list[tuple[str, list[str]]]:
        async def spoken(text: str, voice: str, speed: float) -> SpokenSentence:
            begun.append(text)
            return SpokenSentence(text, b"", ())

        monkeypatch.setattr(synthesis, "speak_sentence", spoken)
        heard = []
        async with aclosing(speak_sentences("One. Two. Three.", "slt", 1.0)) as told:
            async for one in told:
                # The next one runs as soon as anybody waits.
                await asyncio.sleep(0)
                heard.append((one.text, list(begun)))
        return heard

    assert asyncio.run(listen()) == [
        ("One.", ["One.", "Two."]),
        ("Two.", ["One.", "Two.", "Three."]),
        ("Three.", ["One.", "Two.", "Three."]),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for children")
def test_who_stops_listening_ends_the_programs_at_once() -> None:
    async def listen() -> tuple[set[int], set[int], set[int]]:
        before = programs()
        story = asyncio.create_task(speak_sentence(STORY[:280], "slt", 1.0))
        while programs() == before:  # noqa: ASYNC110 - nobody tells of a child that is forked
            await asyncio.sleep(0)
        story.cancel()
        await asyncio.wait([story])
        cancelled = programs()
        async with aclosing(speak_sentences(STORY, "slt", 1.0)) as told:
            await anext(told)
        return before, cancelled, programs()

    before, cancelled, left = asyncio.run(listen())
    assert before == cancelled == left


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for children")
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 20])
def test_programs_have_ended_also_for_who_is_told_again_and_again_to_end(steps: int) -> None:
    async def listen() -> tuple[set[int], set[int]]:
        before = programs()
        story = asyncio.create_task(speak_sentence(STORY[:280], "slt", 1.0))
        for _ in range(steps):
            await asyncio.sleep(0)
        while not story.done():
            story.cancel()
            await asyncio.sleep(0)
        return before, programs()

    before, left = asyncio.run(listen())
    assert before == left


def test_nothing_that_speaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "speech_program", lambda: ("flite", "/nonexistent/flite"))

    with pytest.raises(VoiceError, match="cannot speak: /nonexistent/flite: No such file or directory"):
        asyncio.run(speak_sentence("Hello.", "slt", 1.0))
    with pytest.raises(VoiceError):
        asyncio.run(anext(speak_sentences("Hello.", "slt", 1.0)))


def test_espeak_ng_speaks_where_flite_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    path = shutil.which("espeak-ng")
    if path is None:
        pytest.skip("espeak-ng is not installed")
    monkeypatch.setattr(voices, "speech_program", lambda: ("espeak-ng", path))
    spoken = asyncio.run(speak_sentence("Hello there, computer.", "slt", 1.0))

    assert [mark.chars for mark in spoken.word_ends] == [5, 12, 22]
    assert 500 < spoken.word_ends[-1].ms <= WIRE.duration_ms(len(spoken.pcm))
