"""What is recognised, and what is not taken for a command."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.speech import recogniser
from rtvoiced_server.speech.recogniser import (
    CommandRecogniser,
    DecodedSegment,
    DictationRecogniser,
    RecognisedSpeech,
    doubtful,
    loud,
    trimmed,
)
from rtvoiced_server.speech.recogniser_worker import samples
from support.speaking import BEFORE_MS, uttered
from support.talking import turn, voiced

COMMANDS = (
    "what time is it",
    "what is the date today",
    "what is seven plus five",
    "how much is ninety nine times three",
    "what is forty two minus seventeen",
    "tell me a long story",
    "hello",
    "thank you",
    "who are you",
    "how are you",
    "stop",
    "yes",
    "what did i say before",
    "what was my last question",
    "what can you do",
)
OTHERS = (
    "my neighbor has bought an expensive violin",
    "the museum is closed on monday",
    "switch on the heating in the bathroom",
    "she is learning to play chess",
    "this soup needs a little more pepper",
    "do you know a good restaurant around here",
)
"""None of them was used to choose a threshold."""
REPEATED = ("say", "repeat", "repeat after me")


@pytest.fixture(scope="module")
def commands() -> CommandRecogniser:
    return CommandRecogniser()


def hear(
    commands: CommandRecogniser, text: str, voice: str = "slt", phrases: Sequence[str] = ()
) -> RecognisedSpeech:
    return commands.recognise(samples(turn(text, voice)), phrases)


def test_commands_are_heard_of_a_voice_that_is_hard_to_understand(commands: CommandRecogniser) -> None:
    """The others are heard in test_local_commands.py, by the whole way."""
    assert [hear(commands, command, "kal16") for command in COMMANDS] == [
        RecognisedSpeech(text) for text in COMMANDS
    ]


@pytest.mark.parametrize("voice", ["slt", "awb"])
def test_what_is_no_command_is_none(commands: CommandRecogniser, voice: str) -> None:
    assert [hear(commands, text, voice) for text in OTHERS] == [RecognisedSpeech("")] * len(OTHERS)


@pytest.mark.parametrize("voice", ["slt", "rms"])
def test_whatever_is_to_be_repeated_begins_where_the_request_ends(
    commands: CommandRecogniser, voice: str
) -> None:
    for request in REPEATED:
        heard = commands.recognise(samples(uttered(f"{request} {OTHERS[1]}", voice)), ())

        assert heard.words == request
        # Said alone the request ends about there, the silence before it and its own pauses counted.
        alone_ms = WIRE.duration_ms(len(voiced(request, voice)))
        assert heard.open_ms is not None
        assert BEFORE_MS < heard.open_ms < BEFORE_MS + alone_ms


@pytest.mark.parametrize("audio", [b"", WIRE.silence(5), WIRE.silence(1_000)])
def test_silence_says_nothing(commands: CommandRecogniser, audio: bytes) -> None:
    assert commands.recognise(samples(audio), ()) == RecognisedSpeech("")
    assert commands.recognise_vocabulary(samples(audio)) == RecognisedSpeech("")


def test_noise_says_nothing(commands: CommandRecogniser) -> None:
    noise = np.random.default_rng(1).normal(0, 3_000, WIRE.hz).astype(np.int16)

    assert commands.recognise(samples(noise.tobytes()), ()) == RecognisedSpeech("")


def test_names_are_heard_when_they_may_be_said(commands: CommandRecogniser) -> None:
    names = ("get weather", "set light", "api lookup", "xqzvw")
    said = ("get weather", "call set light", "use get weather", "api lookup", "get weather and set light")

    assert [hear(commands, text, phrases=names).words for text in said] == list(said)
    assert hear(commands, "what time is it", phrases=names) == RecognisedSpeech("what time is it")
    assert hear(commands, "call set light").words == ""


def test_what_a_tool_is_to_be_called_with_follows_its_name(commands: CommandRecogniser) -> None:
    heard = hear(commands, "use get weather with city paris", phrases=("get weather",))

    assert (heard.words, heard.open_ms is None) == ("use get weather with", False)


def test_only_so_many_grammars_are_kept() -> None:
    commands = CommandRecogniser()
    audio = samples(turn("hello"))
    for n in range(recogniser.MOST_GRAMMARS + 3):
        assert commands.recognise(audio, (f"number {n}",)) == RecognisedSpeech("hello")

    assert len(commands.grammars) == recogniser.MOST_GRAMMARS
    assert commands.grammars[-1] == ("number 10",)


def test_added_words_are_forgotten_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recogniser, "MOST_ADDED", 1)
    commands = CommandRecogniser()
    audio = samples(turn("hello"))
    for name in ("ab1", "cd2", "ef3"):
        assert commands.recognise(audio, (name,)) == RecognisedSpeech("hello")

    assert commands.grammars == [("ef3",)]


def test_the_small_vocabulary(commands: CommandRecogniser) -> None:
    assert commands.recognise_vocabulary(samples(turn("green house river"))) == RecognisedSpeech(
        "green house river"
    )


def test_dictation_takes_any_words() -> None:
    dictation = DictationRecogniser()

    assert dictation.recognise(samples(turn("the museum is closed on monday"))) == RecognisedSpeech(
        "the museum is closed on monday"
    )
    assert dictation.recognise(samples(b"")) == RecognisedSpeech("")


LOUD = np.ones(100, bool)


@pytest.mark.parametrize(
    ("path", "audible", "doubt"),
    [
        ([DecodedSegment("stop", 0, 100, -300.0)], LOUD, False),
        ([DecodedSegment("stop", 0, 100, -800.0)], LOUD, True),
        # Sounds may fit whatever is said; it is the words that must.
        ([DecodedSegment("say", 0, 30, -300.0), DecodedSegment("_AA", 30, 100, -10.0)], LOUD, True),
        ([DecodedSegment("say", 0, 30, -90.0), DecodedSegment("_AA", 30, 100, -140.0)], LOUD, False),
        ([DecodedSegment("say", 0, 30, -186.0), DecodedSegment("_AA", 30, 100, -140.0)], LOUD, True),
        ([DecodedSegment("stop", 0, 100, -620.0)], LOUD, False),
        ([DecodedSegment("_AA", 0, 100, -10.0)], LOUD, True),
        # Most of what is loud is taken for silence.
        ([DecodedSegment("stop", 0, 50, -150.0), DecodedSegment("<sil>", 50, 100, -50.0)], LOUD, True),
        (
            [DecodedSegment("stop", 0, 50, -150.0), DecodedSegment("<sil>", 50, 100, -50.0)],
            np.arange(100) < 50,
            False,
        ),
        ([DecodedSegment("stop", 0, 100, -300.0)], np.zeros(100, bool), True),
        ([], LOUD, True),
    ],
)
def test_doubt(path: list[DecodedSegment], audible: NDArray[np.bool_], doubt: bool) -> None:
    assert doubtful(path, audible) is doubt


def test_loud_is_what_comes_near_the_loudest() -> None:
    at_db = [-20.0, -50.0, -56.0, -90.0]
    frames = [np.tile([1, -1], 80) * 32768 * 10 ** (db / 20) for db in at_db]

    assert loud(np.concatenate(frames).astype(np.int16)).tolist() == [True, True, False, False]
    assert loud(np.zeros(0, np.int16)).tolist() == []


def test_of_silence_around_a_voice_a_quarter_of_a_second_is_kept() -> None:
    silence, tone = np.zeros(16_000, np.int16), np.full(8_000, 9_000, np.int16)
    begin, kept = trimmed(np.concatenate((silence, tone, silence)))

    assert (begin, len(kept)) == (75, 16_000)
    assert np.array_equal(kept[4_000:12_000], tone)


@pytest.mark.parametrize(
    "samples", [np.zeros(8_000, np.int16), np.zeros(0, np.int16), np.full(900, 9_000, np.int16)]
)
def test_without_much_silence_nothing_is_left_out(samples: NDArray[np.int16]) -> None:
    begin, kept = trimmed(samples)

    assert begin == 0
    assert np.array_equal(kept, samples)


def test_words_go_on_where_they_do_whatever_silence_is_before_them(commands: CommandRecogniser) -> None:
    said = turn("say the museum is closed on monday")
    early, late = (commands.recognise(samples(WIRE.silence(ms) + said), ()) for ms in (0, 2_000))

    assert early.words == late.words == "say"
    assert early.open_ms is not None
    assert late.open_ms == early.open_ms + 2_000
