"""The plan of a response: it says something, has tools called, or fails.

`rtvoiced_server.protocol.response_handler` asks `answer_plan` once the words of
everything in the chat are known, and does what the plan says. What comes first
wins: a tool that must be called, the output of a tool, a simulated failure, a
tool that is named, pictures, and at last the rules (`rules`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rtvoiced_server.answers import calls, rules, simulations
from rtvoiced_server.answers.calls import ToolInvocation
from rtvoiced_server.answers.chat import ChatEntry, ChatMessage, ChatToolCall, ChatToolOutput
from rtvoiced_server.answers.local_time import LocalTime
from rtvoiced_server.answers.tool_names import spoken_name, spoken_names
from rtvoiced_server.json_text import Json
from rtvoiced_server.vocabulary import ItemRole, ToolChoice

IDLE_NOTICE = "Nobody has spoken for a while: the idle timeout of the session is over."
"""The system's message that comes before the empty turn of an idle timeout."""
MOST_TOOLS_OFFERED = 5
"""How many tools are offered to somebody who was not understood."""


@dataclass(frozen=True, slots=True)
class SayText:
    """Say *text*."""

    text: str
    filtered: bool = False
    """Whether a content filter stops the answer at its end."""


@dataclass(frozen=True, slots=True)
class CallTools:
    """Have tools called, one after the other."""

    calls: Sequence[ToolInvocation]


@dataclass(frozen=True, slots=True)
class FailResponse:
    """Fail before anything is said."""

    error: Json


AnswerPlan = SayText | CallTools | FailResponse
"""What a response does."""


class Toolbox(NamedTuple):
    """The tools that a response may have called."""

    declared: Sequence[Json]
    choice: str | Json
    """A `ToolChoice`, or the one function that is to be called."""
    parallel: bool
    """Whether it may call several."""


def answer_plan(chat: Sequence[ChatEntry], toolbox: Toolbox, now: LocalTime) -> AnswerPlan:
    """Return what a response to *chat*, oldest first, does at the local time *now*."""
    said = [each for each in chat if not (isinstance(each, ChatMessage) and each.role == ItemRole.SYSTEM)]
    last = said[-1] if said else None
    asked = next(
        (each for each in reversed(said) if isinstance(each, ChatMessage) and each.role == ItemRole.USER),
        None,
    )
    if toolbox.choice not in (ToolChoice.AUTO, ToolChoice.NONE):
        forced = calls.tool_invocations(asked.text if asked is not None else "", *toolbox)
        if forced:
            return CallTools(forced)
    match last:
        case ChatToolOutput():
            return SayText(_outputs_told(said))
        case ChatToolCall(name=name):
            return SayText(f"I have no result of {spoken_name(name) or name} yet.")
        case ChatMessage(role=ItemRole.USER):
            return _plan_for_user(chat, last, toolbox, now)
        case _:
            return SayText(rules.greeting())


def _plan_for_user(
    chat: Sequence[ChatEntry], asked: ChatMessage, toolbox: Toolbox, now: LocalTime
) -> AnswerPlan:
    """Return the plan for *asked*, the user's last message."""
    text = asked.text
    at = next(n for n, each in enumerate(chat) if each is asked)
    if not text and at and isinstance(before := chat[at - 1], ChatMessage) and before.text == IDLE_NOTICE:
        return SayText("Are you still there?")
    failure = simulations.simulated_failure(text)
    if failure is not None:
        return FailResponse(failure)
    if simulations.asks_for_content_filter(text):
        return SayText(simulations.FILTERED, filtered=True)
    wanted = [] if rules.asks_to_say(text) else calls.tool_invocations(text, *toolbox)
    if wanted:
        return CallTools(wanted)
    history = [each for each in chat[:at] if isinstance(each, ChatMessage)]
    pictures = _new_pictures(chat[: at + 1])
    if pictures:
        return SayText(rules.pictures(pictures, text, history, now))
    answer = rules.answer(text, history, now)
    return SayText(answer + (_offer(toolbox) if answer == rules.NOT_UNDERSTOOD else ""))


def _new_pictures(chat: Sequence[ChatEntry]) -> int:
    """Return how many pictures came since the assistant's last word."""
    count = 0
    for each in reversed(chat):
        if not isinstance(each, ChatMessage) or each.role == ItemRole.ASSISTANT:
            break
        count += each.pictures
    return count


def _offer(toolbox: Toolbox) -> str:
    """Return a sentence that names some tools; nothing where none may be called."""
    may_call = toolbox.choice != ToolChoice.NONE
    names = spoken_names(toolbox.declared)[:MOST_TOOLS_OFFERED] if may_call else ()
    return f" Say {' or '.join(names)}, and I call that tool." if names else ""


def _outputs_told(chat: Sequence[ChatEntry]) -> str:
    """Return what the tools' outputs at the end of *chat* say."""
    names = {each.call_id: each.name for each in chat if isinstance(each, ChatToolCall)}
    outputs: list[ChatToolOutput] = []
    for each in reversed(chat):
        if not isinstance(each, ChatToolOutput):
            break
        outputs.insert(0, each)
    sentences = []
    for output in outputs:
        name = names.get(output.call_id, "")
        sentences.append(f"{spoken_name(name) or name or 'The tool'} says: {output.output or 'nothing'}")
    return " ".join(each if each.endswith((".", "!", "?")) else f"{each}." for each in sentences)
