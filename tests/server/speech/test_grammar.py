"""The grammars of the ears, as text."""

import pytest

from rtvoiced_server.speech import grammar


def test_names_that_may_be_said_are_alternatives() -> None:
    told = grammar.commands(["get weather", "lights"])

    assert "<name> = (get weather) | (lights);" in told.splitlines()
    assert "<name>" not in grammar.commands([])


def test_too_many_names_and_too_long_ones_are_left_out() -> None:
    many = [f"tool{n}" for n in range(1_000)]
    told = grammar.commands([" ".join("abcdefghi"), *many])

    (names,) = [line for line in told.splitlines() if line.startswith("<name> = ")]
    assert names.split(" = ")[1].split(" | ") == [
        f"({name})" for name in many[: grammar.MOST_PHRASES - 1]
    ] + [f"({many[grammar.MOST_PHRASES - 1]});"]


@pytest.mark.parametrize(
    ("words", "known", "more"),
    [
        (["stop", "it"], ["stop", "it"], False),
        (["say", "_AA", "_B"], ["say"], True),
        (["_AA", "_B"], [], True),
        ([], [], False),
    ],
)
def test_words_stop_where_mere_sounds_begin(words: list[str], known: list[str], more: bool) -> None:
    assert grammar.opening(words) == (known, more)


def test_a_word_is_read_whole_as_two_words_or_letter_by_letter() -> None:
    assert list(grammar.readings("api2")) == [("api2",), ("a.", "p.", "i.", "two")]
    assert list(grammar.readings("homework")) == [
        ("homework",),
        ("hom", "ework"),
        ("home", "work"),
        ("homew", "ork"),
    ]


def test_the_vocabulary_names_every_word_once() -> None:
    assert len(set(grammar.VOCABULARY)) == len(grammar.VOCABULARY)
    assert 40 <= len(grammar.VOCABULARY) <= 60
    assert not any(word.startswith(grammar.SOUND) for word in grammar.VOCABULARY)
