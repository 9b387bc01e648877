"""The embedded server's answers."""

import re
from datetime import datetime

import pytest

from rtvoiced_server.answers import simulations
from rtvoiced_server.answers.chat import ChatMessage
from rtvoiced_server.answers.rules import ABILITIES, NOT_UNDERSTOOD, STORY, WHO, answer
from rtvoiced_server.speech.grammar import COMMANDS
from rtvoiced_server.vocabulary import ItemRole

NOW = datetime(2026, 11, 21, 14, 5)  # noqa: DTZ001 - local time, as a clock on the wall


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("what time is it", "It is 2:05 PM."),
        ("What's the time?", "It is 2:05 PM."),
        ("what is the date today", "Today is Saturday, November 21, 2026."),
        ("what day is it", "Today is Saturday, November 21, 2026."),
        ("what is seven plus five", "7 plus 5 is 12."),
        ("What is 7 plus 5?", "7 plus 5 is 12."),
        ("12+7", "12 plus 7 is 19."),
        ("how much is ninety nine times three", "99 times 3 is 297."),
        ("what is ninety-nine minus forty-two", "99 minus 42 is 57."),
        ("3 - 5", "3 minus 5 is -2."),
        ("2 + 3 * 4", "2 plus 3 times 4 is 14."),
        ("six multiplied by seven", "6 times 7 is 42."),
        ("repeat after me green house river", "green house river"),
        ("Say: Hello, World!", "Hello, World!"),
        ("please repeat what time is it", "what time is it"),
        ("tell me a long story", STORY),
        ("Hello!", "Hello! What can I do for you?"),
        ("who are you", WHO),
        ("thank you very much", "You are welcome."),
        ("Goodbye.", "Goodbye! Talk to you soon."),
        ("stop", "Okay."),
        ("help", ABILITIES),
        ("sing the national anthem", NOT_UNDERSTOOD),
        ("what is seven plus", NOT_UNDERSTOOD),
        ("plus", NOT_UNDERSTOOD),
        (" * ".join(["999999999999"] * 1000), NOT_UNDERSTOOD),
        ("", NOT_UNDERSTOOD),
    ],
)
def test_answer(asked: str, answered: str) -> None:
    assert answer(asked, [], NOW) == answered


def test_it_remembers_what_was_said_before() -> None:
    history = [
        ChatMessage(ItemRole.USER, "what time is it"),
        ChatMessage(ItemRole.ASSISTANT, "It is 2:05 PM."),
        ChatMessage(ItemRole.SYSTEM, "Be brief."),
    ]

    assert answer("what did I say before?", history, NOW) == "You said: what time is it"
    assert answer("what was my last question", history, NOW) == "You said: what time is it"
    assert answer("say that again", history, NOW) == "It is 2:05 PM."


def test_it_says_when_nothing_was_said_before() -> None:
    assert answer("what did i say before", [], NOW) == "You have not said anything before."
    assert answer("repeat that", [], NOW) == "I have not said anything yet."


def test_every_command_of_the_grammar_is_understood() -> None:
    filled = {"<sum>": "two plus three", "<sounds>": "red house"}
    for command in set(COMMANDS) - set(simulations.TEXTS):
        plain = re.sub(r" \| \w+|[\[\]]", "", command)
        for name, words in filled.items():
            plain = plain.replace(name, words)
        assert answer(plain, [], NOW) != NOT_UNDERSTOOD, command
