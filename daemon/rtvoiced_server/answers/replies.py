"""What a response does: it says something, has tools called, or fails. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from rtvoiced_server.answers import calls, rules, simulations
from rtvoiced_server.answers.calls import Wanted
from rtvoiced_server.answers.rules import Turn
from rtvoiced_server.protocol import tools
from rtvoiced_server.protocol.items import Call, CallOutput, Item, Message
from rtvoiced_server.protocol.wire import Json

IDLE = "Nobody has spoken for a while: the idle timeout of the session is over."
"""The system's message that comes before the empty turn of an idle timeout."""
MOST_TOLD = 5
"""Tools that are told of to somebody who was not understood."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say *text*."""

    text: str
    filtered: bool = False
    """Whether a content filter stops it at its end."""


@dataclass(frozen=True, slots=True)
class CallTools:
    """Have tools called."""

    calls: Sequence[Wanted]


@dataclass(frozen=True, slots=True)
class Fail:
    """Fail before anything is said."""

    error: Json


Reply = Say | CallTools | Fail


class Toolbox(NamedTuple):
    """The tools of a response."""

    declared: Sequence[Json]
    choice: str | Json
    parallel: bool


def reply(context: Sequence[Item], toolbox: Toolbox, now: datetime) -> Reply:
    """Return the reply to *context*, oldest first, at the local time *now*."""
    heard = [item for item in context if not (isinstance(item, Message) and item.role == "system")]
    last = heard[-1] if heard else None
    asked = next(
        (item for item in reversed(heard) if isinstance(item, Message) and item.role == "user"), None
    )
    text = asked.words if asked is not None else ""
    if toolbox.choice not in ("auto", "none"):
        forced = calls.wanted(text, *toolbox)
        if forced:
            return CallTools(forced)
    match last:
        case CallOutput():
            return Say(_told(heard))
        case Call(name=name):
            return Say(f"I have no result of {tools.spoken(name) or name} yet.")
        case Message(role="user"):
            return _answer(context, last, toolbox, now)
        case _:
            return Say(rules.greeting())


def _answer(context: Sequence[Item], asked: Message, toolbox: Toolbox, now: datetime) -> Reply:
    text = asked.words
    at = next(n for n, item in enumerate(context) if item is asked)
    if not text and at and isinstance(before := context[at - 1], Message) and before.words == IDLE:
        return Say("Are you still there?")
    failure = simulations.failure(text)
    if failure is not None:
        return Fail(failure)
    if simulations.filtered(text):
        return Say(simulations.FILTERED, filtered=True)
    wanted = [] if rules.asks_to_say(text) else calls.wanted(text, *toolbox)
    if wanted:
        return CallTools(wanted)
    history = [Turn(item.role, item.words) for item in context[:at] if isinstance(item, Message)]
    pictures = _pictures(context[: at + 1])
    if pictures:
        return Say(rules.pictures(pictures, text, history, now))
    answer = rules.answer(text, history, now)
    return Say(answer + (_offer(toolbox) if answer == rules.NOT_UNDERSTOOD else ""))


def _pictures(context: Sequence[Item]) -> int:
    """Return how many pictures came since the assistant's last word."""
    count = 0
    for item in reversed(context):
        if not isinstance(item, Message) or item.role == "assistant":
            break
        count += item.pictures
    return count


def _offer(toolbox: Toolbox) -> str:
    names = [] if toolbox.choice == "none" else tools.phrases(toolbox.declared)[:MOST_TOLD]
    return f" Say {' or '.join(names)}, and I call that tool." if names else ""


def _told(heard: Sequence[Item]) -> str:
    """Return what the outputs at the end of *heard* say."""
    names = {item.call_id: item.name for item in heard if isinstance(item, Call)}
    outputs: list[CallOutput] = []
    for item in reversed(heard):
        if not isinstance(item, CallOutput):
            break
        outputs.insert(0, item)
    told = []
    for output in outputs:
        name = names.get(output.call_id, "")
        told.append(f"{tools.spoken(name) or name or 'The tool'} says: {output.output or 'nothing'}")
    return " ".join(one if one.endswith((".", "!", "?")) else f"{one}." for one in told)
