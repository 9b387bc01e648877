"""What is said is heard: by real sessions, voice detection and recognisers, in three voices at once."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from support.serving import served
from support.speaking import COMMANDS, REPEATS, Repeat, heard, speaking, words_wrong
from support.talking import voiced

PATIENCE_S = 240
"""It is half a minute of work for a machine that has something else to do, too."""
pytestmark = [pytest.mark.process, pytest.mark.timeout(PATIENCE_S)]

VOICES = ("slt", "rms", "awb")
MOST_MISSED = 1
"""Of 20 commands: 95 % are right."""
REPEATED = dict(zip(VOICES, REPEATS[: len(VOICES)], strict=True))
"""One for each kind of request; `make bench` takes all in all voices, for each is a second of work."""
MOST_WRONG = 0.2
"""Of the words that are to be repeated: many times what it is, for these are few."""

Said = dict[tuple[str, str], str]
"""What was heard of a text in a voice."""


def texts_of(voice: str) -> Sequence[str]:
    """Return what a voice says."""
    return (*COMMANDS, REPEATED[voice].text)


async def said_to(url: str) -> Said:
    """Let all voices speak, each in a session of its own, at the same time."""

    async def by(voice: str) -> Said:
        async with speaking(url) as websocket:
            return {(text, voice): await heard(websocket, text, voice) for text in texts_of(voice)}

    told: Said = {}
    for one in await asyncio.gather(*map(by, VOICES)):
        told |= one
    return told


@pytest.fixture(scope="module")
def told() -> Said:
    for voice in VOICES:
        for text in texts_of(voice):
            # Made before, and kept: a voice that is waited for keeps the other sessions waiting.
            voiced(text, voice)

    async def talk() -> Said:
        async with served(patience_s=PATIENCE_S) as (_, url):
            return await said_to(url)

    return asyncio.run(talk())


@pytest.mark.parametrize("voice", VOICES)
def test_nineteen_of_twenty_commands_are_heard_in_every_voice(
    voice: str, told: Said, record_property: Callable[[str, object], None]
) -> None:
    missed = {command: told[command, voice] for command in COMMANDS if told[command, voice] != command}
    record_property(f"commands right of 20, {voice}", len(COMMANDS) - len(missed))

    assert len(set(COMMANDS)) == 20
    assert len(missed) <= MOST_MISSED, missed


def test_the_words_to_be_repeated_are_heard(
    told: Said, record_property: Callable[[str, object], None]
) -> None:
    wrong = words = 0
    for voice, each in REPEATED.items():
        words += len(each.sentence.split())
        wrong += each.wrong(told[each.text, voice])
        if told[each.text, voice] != each.text:
            print(f"{voice}: {each.text!r} was heard as {told[each.text, voice]!r}")
    record_property("word error rate of what is to be repeated", f"{wrong / words:.3f}, {wrong} of {words}")

    assert wrong / words <= MOST_WRONG


@pytest.mark.parametrize(
    ("said", "heard", "wrong"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a b", "a x b", 1),
        ("a b", "", 2),
        ("", "a", 1),
        ("a b", "b a", 2),
    ],
)
def test_wrong_words_are_counted(said: str, heard: str, wrong: int) -> None:
    assert words_wrong(said, heard) == wrong


def test_a_request_that_was_not_understood_costs_all_its_words() -> None:
    repeat = Repeat("say", "one two three")

    assert [repeat.wrong(each) for each in ("say one two three", "say one three", "one two three", "")] == [
        0,
        1,
        3,
        3,
    ]
