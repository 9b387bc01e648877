"""It really hears, and it really speaks."""

import asyncio

import numpy as np
import pytest

from rtvoice.audio.pcm import WIRE
from rtvoice.audio.resample import Resampler
from rtvoice.local.ears import Ears
from rtvoice.local.ears_worker import decoder, recognise
from rtvoice.local.rules import STORY
from rtvoice.local.voices import Mark, marks, sentences, speak, utter

COMMANDS = (
    "what time is it",
    "what is the date today",
    "what is seven plus five",
    "how much is ninety nine times three",
    "what is forty two minus seventeen",
    "repeat after me green house river",
    "say hello world",
    "tell me a long story",
    "hello",
    "thank you",
    "stop",
    "what did i say before",
    "what was my last question",
    "what can you do",
)


def voiced(text: str, voice: str) -> bytes:
    pcm, hz = speak(text, voice)
    resampler = Resampler(hz, WIRE.hz)
    spoken = np.concatenate((resampler.process(np.frombuffer(pcm, np.int16)), resampler.flush()))
    # As the server's VAD cuts it: 300 ms before, 500 ms after.
    return WIRE.silence(300) + spoken.tobytes() + WIRE.silence(500)


@pytest.mark.parametrize("voice", ["slt", "rms"])
def test_it_hears_its_commands(voice: str) -> None:
    ears = decoder()

    assert [recognise(ears, voiced(command, voice)) for command in COMMANDS] == list(COMMANDS)


def test_nothing_was_said() -> None:
    ears = decoder()

    assert recognise(ears, b"") == ""


def test_the_worker_answers_in_order_and_survives_a_cancelled_question() -> None:
    async def ask() -> list[str | None]:
        ears = Ears()
        try:
            async with asyncio.timeout(60):
                heard = [await ears.hear(voiced("hello", "slt"))]
                given_up = asyncio.create_task(ears.hear(voiced("what time is it", "slt")))
                await asyncio.sleep(0)
                given_up.cancel()
                await asyncio.wait([given_up])
                questions = ("stop", "thank you")
                heard += await asyncio.gather(*(ears.hear(voiced(text, "slt")) for text in questions))
                return heard
        finally:
            await ears.close()

    assert asyncio.run(ask()) == ["hello", "stop", "thank you"]


def test_a_sentence_is_spoken_at_the_wire_rate_and_its_words_have_ends() -> None:
    spoken = asyncio.run(utter("Hello there, computer.", "slt", 1.0))

    assert 800 < WIRE.duration_ms(len(spoken.pcm)) < 3000
    assert [mark.chars for mark in spoken.marks] == [5, 12, 22]
    assert spoken.marks[0].ms < spoken.marks[1].ms < spoken.marks[2].ms <= WIRE.duration_ms(len(spoken.pcm))


def test_speed_and_unknown_voices() -> None:
    slow, fast = speak("hello there", "marin", 0.5), speak("hello there", "marin", 1.5)

    assert slow[1] == fast[1] == 16_000
    assert len(slow[0]) > 2 * len(fast[0])


def test_the_story_lasts_40_seconds() -> None:
    pcm, hz = speak(STORY)

    assert len(pcm) / 2 / hz >= 40
    assert len(sentences(STORY)) >= 10


def test_pauses_around_the_words_belong_to_no_word() -> None:
    samples = np.concatenate((np.zeros(2400), np.full(4800, 9000), np.zeros(2400))).astype(np.int16)

    assert marks("ab cd", samples) == (Mark(180, 2), Mark(300, 5))


def test_long_sentences_are_cut_between_words() -> None:
    parts = sentences("word " * 100 + "end. Next one! " + "x" * 700)

    assert max(map(len, parts)) <= 300
    assert " ".join(parts[:2]) == "word " * 100 + "end."
    assert parts[2] == "Next one!"
