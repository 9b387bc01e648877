"""The answers: simple rules on text. They are no intelligence, and say so.

The rules answer a fixed set of commands: the time and the date, sums, words to be
repeated, a long story, what was said before, and a few polite words. Everything
else is `NOT_UNDERSTOOD`. The recogniser's grammar
(`rtvoiced_server.speech.grammar`) listens for the same commands. For example:

    answer("what is seven plus five", (), now) == "7 plus 5 is 12."
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Sequence

from rtvoiced_server.answers.chat import ChatMessage
from rtvoiced_server.answers.local_time import LocalTime
from rtvoiced_server.vocabulary import ItemRole

UNITS = (  # noqa: SIM905 - twenty lines else
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBERS = {word: value for value, word in enumerate(UNITS)} | {
    word: 20 + 10 * n for n, word in enumerate(TENS)
}
OPERATORS: dict[str, tuple[str, Callable[[int, int], int]]] = {
    "plus": ("plus", operator.add),
    "+": ("plus", operator.add),
    "minus": ("minus", operator.sub),
    "-": ("minus", operator.sub),
    "times": ("times", operator.mul),
    "*": ("times", operator.mul),
    "x": ("times", operator.mul),
    "multiplied": ("times", operator.mul),
}
LONGEST_NUMBER = 12
"""Digits; nobody listens to an answer with more."""
MOST_TERMS = 10
"""How many numbers one sum may have."""
LONGEST_COMMAND = 1_000
"""A command is looked for in a text of at most so many characters; words to be repeated may be more."""

ABILITIES = (
    "I can tell you the time or the date, add, subtract or multiply two numbers, repeat words after you, "
    "tell you a long story, and say what you said before."
)
NOT_UNDERSTOOD = f"Sorry, I did not understand that. {ABILITIES}"
WHO = f"I am the local voice of rtvoice. I run on this computer, and I am only a set of rules. {ABILITIES}"
STORY = (
    "Once upon a time there was an old lighthouse on a small island, far out in the northern sea. "
    "The keeper of the lighthouse was called Martha, and she lived there alone "
    "with a grey cat and a very old radio. "
    "Every evening she climbed the two hundred steps to the top, and she lit the great lamp for the ships. "
    "One winter night a storm came up that was stronger than any storm before it. "
    "The waves rose as high as the windows of the kitchen, and the wind tore the door out of its frame. "
    "In the middle of the night the great lamp went dark. "
    "Martha heard the horn of a ship, and it was coming closer and closer to the rocks. "
    "She carried every candle that she owned up the stairs, and she put them all into the window. "
    "But the wind blew out one candle after another, until there was only a single flame left. "
    "Then the cat sat down in front of it, and it kept the wind away with its thick grey fur. "
    "The captain of the ship saw that tiny light, and he turned the wheel at the very last moment. "
    "In the morning the sea was calm, and the sailors came ashore to thank the keeper. "
    "They brought her oil for the lamp, a new door, and a whole barrel of fish for the cat. "
    "And since that day every ship that passes the island sounds its horn three times, "
    "once for the keeper, once for the candle, and once for the cat."
)

_SAY = re.compile(
    r"\s*(?:please[\s,]+)?(?:repeat(?:\s+after\s+me)?|say)[\s:,]+(?P<words>\S.*)", re.IGNORECASE | re.DOTALL
)
_AGAIN = re.compile(r"(?:say|repeat) (?:that|it)(?: again)?|what did you say(?: before)?|repeat")
_BEFORE = re.compile(
    r"what (?:did i|have i) (?:just )?(?:say|said|ask|asked)(?: you)?(?: before)?"
    r"|what was my (?:last|previous) (?:question|sentence)"
)
_QUOTE = re.compile(r"[\"“«]|(?<!\w)['‘]")
_CLOSING = {'"': '"', "“": "”", "«": "»", "'": "'", "‘": "’"}
_SPEAK = re.compile(r"\b(?:say|speak|read|repeat)\b", re.IGNORECASE)
_WORD_FOR_WORD = re.compile(r"\b(?:exactly|verbatim|word[ -]for[ -]word)\b", re.IGNORECASE)
_SUM = re.compile(r"(?:what is|what's|whats|how much is|calculate|compute)? ?(?P<sum>.+)")


def plain(text: str) -> str:
    """Return *text* in lower case without punctuation, one space between words; signs of sums stay."""
    lowered = text.lower().replace("’", "'")
    spaced = re.sub(r"([+*])|(?<=\d)\s*(-)\s*(?=\d)", lambda found: f" {found.group(0).strip()} ", lowered)
    words = re.sub(r"[^\w'+*\- ]+", " ", spaced).split()
    return " ".join(word for word in words if word.strip("'"))


def answer(text: str, history: Sequence[ChatMessage], now: LocalTime) -> str:
    """Return the answer to *text*, said after *history* at the local time *now*."""
    asked = "" if len(text) > LONGEST_COMMAND else re.sub(r"^please | please$", "", plain(text))
    if _AGAIN.fullmatch(asked):
        return _last(ItemRole.ASSISTANT, history) or "I have not said anything yet."
    said = _SAY.fullmatch(text)
    if said:
        return str(said["words"]).strip()
    if _BEFORE.fullmatch(asked):
        before = _last(ItemRole.USER, history)
        return f"You said: {before}" if before else "You have not said anything before."
    total = _sum(asked)
    if total is not None:
        return total
    return _phrase(asked, now)


def asks_to_say(text: str) -> bool:
    """Tell whether *text* gives words to be said again, whatever they are."""
    return _SAY.fullmatch(text) is not None


def words_to_say_exactly(instructions: str) -> str | None:
    """Return the text that *instructions* ask to be said word for word, or None where they ask no such thing.

    The text stands in quotation marks, as a JSON string or as people write
    it, or behind a colon.
    """
    quote = _QUOTE.search(instructions)
    asked = instructions[: quote.start()] if quote else instructions
    if not (_SPEAK.search(asked) and _WORD_FOR_WORD.search(asked)):
        return None
    if quote is None:
        return asked.partition(":")[2].strip() or None
    text = instructions[quote.start() :].strip()
    if text[0] == '"':
        try:
            value, end = json.JSONDecoder(strict=False).raw_decode(text)
        except ValueError:
            pass
        else:
            if not text[end:].strip(" .!)\n"):
                return str(value).strip() or None
    closed = text.rfind(_CLOSING[text[0]], 1)
    return (text[1:closed] if closed > 0 else text[1:]).strip() or None


def greeting() -> str:
    """Return what is said when nobody has said anything."""
    return "Hello. What can I do for you?"


def pictures(count: int, text: str, history: Sequence[ChatMessage], now: LocalTime) -> str:
    """Return the answer to *count* pictures and to the *text* that came with them."""
    got = (
        "a picture, but I cannot look at it" if count == 1 else f"{count} pictures, but I cannot look at them"
    )
    also = answer(text, history, now)
    return f"I got {got}." + ("" if also == NOT_UNDERSTOOD else f" {also}")


def _phrase(asked: str, now: LocalTime) -> str:
    words = set(asked.split())
    if "time" in words and words & {"what", "what's", "whats", "tell"}:
        return f"It is {now.hour % 12 or 12}:{now.minute:02d} {'AM' if now.hour < 12 else 'PM'}."
    if words & {"date", "day"} and words & {"what", "what's", "whats", "which", "tell"}:
        return f"Today is {now:%A}, {now:%B} {now.day}, {now.year}."
    for known, reply in _FIXED:
        if known.fullmatch(asked):
            return reply
    return NOT_UNDERSTOOD


_FIXED = (
    (
        re.compile(
            r"(?:(?:please )?tell|read) (?:me )?(?:a |another )?(?:long )?story|(?:a )?(?:long )?story"
        ),
        STORY,
    ),
    (
        re.compile(r"(?:hello|hi|hey|good (?:morning|afternoon|evening))(?: there| world| computer)?"),
        "Hello! What can I do for you?",
    ),
    (re.compile(r"(?:who|what) are you|what(?:'s| is) your name"), WHO),
    (re.compile(r"help(?: me)?|what can you do"), ABILITIES),
    (re.compile(r"(?:thank you|thanks)(?: very much| a lot)?"), "You are welcome."),
    (re.compile(r"good ?bye|bye(?: bye)?|good night|see you"), "Goodbye! Talk to you soon."),
    (re.compile(r"stop(?: it| that| talking)?|be quiet|quiet|cancel|enough"), "Okay."),
    (re.compile(r"how are you(?: today)?"), "I am fine, thank you. How are you?"),
    (re.compile(r"yes|yeah|no|okay|ok"), "All right."),
)


def _last(role: ItemRole, history: Sequence[ChatMessage]) -> str:
    return next((turn.text for turn in reversed(history) if turn.role == role and turn.text), "")


def _sum(asked: str) -> str | None:
    found = _SUM.fullmatch(asked)
    words = re.sub(r"multiplied by", "multiplied", found["sum"]).replace("-", " - ").split() if found else []
    terms: list[int] = []
    signs: list[str] = []
    at = 0
    while at < len(words):
        term, at = number(words, at)
        if term is None:
            return None
        terms.append(term)
        if at < len(words):
            if words[at] not in OPERATORS:
                return None
            signs.append(words[at])
            at += 1
            if at == len(words):
                return None
    if not signs or len(terms) > MOST_TERMS:
        return None
    spoken = " ".join(f"{term} {OPERATORS[sign][0]}" for term, sign in zip(terms, signs, strict=False))
    return f"{spoken} {terms[-1]} is {_total(terms, signs)}."


def _total(terms: list[int], signs: list[str]) -> int:
    """Return the sum; times binds more strongly than plus."""
    values, rest = [terms[0]], []
    for sign, term in zip(signs, terms[1:], strict=True):
        if OPERATORS[sign][0] == "times":
            values[-1] *= term
        else:
            rest.append(OPERATORS[sign][1])
            values.append(term)
    total = values[0]
    for apply, value in zip(rest, values[1:], strict=True):
        total = apply(total, value)
    return total


def number(words: list[str], at: int) -> tuple[int | None, int]:
    """Return the number that begins at *at*, digits or words up to ninety nine, and where it ends."""
    word = words[at]
    if word.isascii() and word.isdigit() and len(word) <= LONGEST_NUMBER:
        return int(word), at + 1
    value = NUMBERS.get(word)
    if value is None:
        return None, at
    at += 1
    if value >= 20:
        while at < len(words) and words[at] == "-":
            at += 1
        unit = NUMBERS.get(words[at], 0) if at < len(words) else 0
        if 1 <= unit <= 9:
            return value + unit, at + 1
    return value, at
