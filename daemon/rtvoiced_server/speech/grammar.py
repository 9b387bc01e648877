"""The grammars of the recogniser, in JSGF: what the rules and a session's tools answer.

The commands are those of `rtvoiced_server.answers.rules` and ``simulations``; a new
one is added here, too. With a grammar pocketsphinx is right nearly always and cheap (20 ms of work a
second of audio). Where anything at all may be said, a loop of the language's
sounds stands in the grammar: behind "say", where a language model listens
again, and beside the commands, so that what is none of them is none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from rtvoiced_server.answers import simulations
from rtvoiced_server.answers.rules import TENS, UNITS

VOCABULARY = (  # noqa: SIM905 - sixty lines else
    "red blue green yellow orange black white silver golden dog cat bird horse rabbit elephant house garden "
    "river mountain ocean water coffee bread butter sugar apple banana lemon chocolate paper window table "
    "kitchen radio music summer winter morning evening tomorrow yesterday doctor teacher computer telephone "
    "airplane bicycle hello world sunshine happy little beautiful"
).split()
"""The words that can be repeated where there is no language model."""
MOST_WORDS = 6
"""How many of them are heard at a time."""

COMMANDS = (
    "[please] tell me the time",
    "what time is it [now]",
    "what is the time",
    "what is the date [today]",
    "what day is it [today]",
    "what is today's date",
    "[what is] <sum>",
    "how much is <sum>",
    "repeat after me <sounds>",
    "repeat <sounds>",
    "say <sounds>",
    "say that again",
    "repeat that",
    "[please] tell me a [long] story",
    "hello [there | computer]",
    "good morning",
    "good evening",
    "who are you",
    "what is your name",
    "how are you [today]",
    "what can you do",
    "help [me]",
    "thank you [very much]",
    "goodbye",
    "good night",
    "stop [it | talking]",
    "be quiet",
    "what did i say [before]",
    "what did you say",
    "what was my last question",
    "yes",
    "no",
    *simulations.TEXTS,
)
PHONES = (  # noqa: SIM905 - forty lines else
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
).split()
"""The phones of the acoustic model."""
SOUND = "_"
"""The words of single phones and the decoys begin with this; no other word does."""
DECOYS = ("she", "they", "so", "some", "thanks", "people", "report", "reply")
"""Words that sound like "say" or "repeat", and begin sentences that ask for no such thing.

Not "save" nor "same": they are "say" and a sound."""
VARIANTS = (("who", "HH Y UW"),)
"""Ways of saying words that the dictionary lacks; flite's slt says this one."""
# Measured over 300 commands, 108 requests to repeat and 120 other sentences by four voices: 298, 107 and 119
# are right. With more weight the loops win over short commands that were spoken well, with less they miss
# what is no command.
WEIGHT_OF_OPEN = 1e-12
"""The weight of a command that goes on with sounds; one without has 1."""
WEIGHT_OF_SOUNDS = 1e-26
"""The weight of sounds alone."""
ONE_MORE = 0.05
"""The weight of another sound."""
MOST_PHRASES = 128
"""How many names of tools are listened for."""
LONGEST_PHRASE = 8
"""Words of such a name."""
LONGEST_SPELLED = 5
"""Letters of a name that is no word, such as ``api``, and is spelled out."""


def sounds() -> list[tuple[str, str]]:
    """Return the words of single phones, and how each is pronounced."""
    return [(SOUND + phone, phone) for phone in PHONES]


def commands(phrases: Sequence[str]) -> str:
    """Return the grammar of the commands, and of *phrases*: names of what can be called or used."""
    known = [phrase for phrase in phrases if len(phrase.split()) <= LONGEST_PHRASE][:MOST_PHRASES]
    rules = {
        "digit": " | ".join(UNITS[1:10]),
        "number": f"{' | '.join(UNITS)} | ({' | '.join(TENS)}) [<digit>]",
        "operator": "plus | minus | times",
        "sum": "<number> <operator> <number>",
        "sound": " | ".join(word for word, _ in sounds()),
        "sounds": f"/{1 - ONE_MORE}/ <sound> | /{ONE_MORE}/ <sound> <sounds>",
    }
    alternatives = list(COMMANDS)
    if known:
        rules["name"] = " | ".join(f"({phrase})" for phrase in known)
        alternatives += [
            "[please] [call | use | run] <name> [and <name>]",
            "[call | use | run] <name> with <sounds>",
        ]
    alternatives.append(f"({' | '.join(SOUND + word for word in DECOYS)}) <sounds>")
    weighted = [f"/{_weight(one)}/ ({one})" for one in alternatives]
    return _jsgf(rules, " | ".join([*weighted, f"/{WEIGHT_OF_SOUNDS}/ <sounds>"]))


def vocabulary() -> str:
    """Return the grammar of the words that can be repeated without a language model."""
    words = "<word>" + " [<word>" * (MOST_WORDS - 1) + "]" * (MOST_WORDS - 1)
    return _jsgf({"word": " | ".join(VOCABULARY)}, words)


def opening(words: Sequence[str]) -> tuple[list[str], bool]:
    """Return the words before any mere sounds, and whether sounds follow them."""
    known = list(takewhile(lambda word: not word.startswith(SOUND), words))
    return known, len(known) < len(words)


def readings(word: str) -> Iterator[tuple[str, ...]]:
    """Yield what *word* may be read as, in words that a dictionary may have, the likeliest first."""
    yield (word,)
    for at in range(3, len(word) - 2):
        yield word[:at], word[at:]
    if len(word) <= LONGEST_SPELLED:
        # The dictionary has the letters' names as "a." and so on.
        yield tuple(UNITS[int(letter)] if letter.isdigit() else f"{letter}." for letter in word)


def _weight(command: str) -> float:
    # A command that begins like one that goes on must not win by its weight alone.
    return WEIGHT_OF_OPEN if "<sounds>" in command or command.startswith(("say", "repeat")) else 1.0


def _jsgf(rules: dict[str, str], public: str) -> str:
    lines = [f"<{name}> = {rule};" for name, rule in rules.items()]
    return "\n".join(["#JSGF V1.0;", "grammar rtvoice;", *lines, f"public <heard> = {public};", ""])
