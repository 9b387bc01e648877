"""What the ears know: a JSGF grammar of the commands that `rules` answers, and of those in `simulations`.

With a grammar pocketsphinx is right nearly always and cheap (10 ms a second
of audio); with its language model it is neither.
"""

from __future__ import annotations

from rtvoice.local import simulations
from rtvoice.local.rules import TENS, UNITS

VOCABULARY = (  # noqa: SIM905 - sixty lines else
    "red blue green yellow orange black white silver golden dog cat bird horse rabbit elephant house garden "
    "river mountain ocean water coffee bread butter sugar apple banana lemon chocolate paper window table "
    "kitchen radio music summer winter morning evening tomorrow yesterday doctor teacher computer telephone "
    "airplane bicycle hello world sunshine happy little beautiful"
).split()
"""The words that it can be asked aloud to repeat."""
MOST_WORDS = 6
FREE = 0.001
"""The weight of a command that goes on with free words."""

COMMANDS = (
    "[please] tell me the time",
    "what time is it [now]",
    "what is the time",
    "what is the date [today]",
    "what day is it [today]",
    "what is today's date",
    "[what is] <sum>",
    "how much is <sum>",
    "repeat after me <words>",
    "repeat <words>",
    "say <words>",
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


def jsgf() -> str:
    """Return the whole grammar."""
    rules = {
        "digit": " | ".join(UNITS[1:10]),
        "number": f"{' | '.join(UNITS)} | ({' | '.join(TENS)}) [<digit>]",
        "operator": "plus | minus | times",
        "sum": "<number> <operator> <number>",
        "word": " | ".join(VOCABULARY),
        "words": "<word>" + " [<word>" * (MOST_WORDS - 1) + "]" * (MOST_WORDS - 1),
    }
    lines = [f"<{name}> = {rule};" for name, rule in rules.items()]
    # Free words fit any sound a little; unweighted they win over short commands that were spoken well.
    command = " | ".join(f"/{FREE if '<words>' in command else 1}/ ({command})" for command in COMMANDS)
    return "\n".join(["#JSGF V1.0;", "grammar rtvoice;", *lines, f"public <command> = {command};", ""])
