"""The tools that a text asks for: those that it names, in its order.

A tool is named by its own name (``get_weather``) or as one says it ("get
weather"). What stands behind the name, up to the next one, gives its arguments:
a JSON object that is taken as it is, or words of which `arguments` makes values.
`replies` asks here before any other rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rtvoiced_server.answers import arguments
from rtvoiced_server.answers.tool_names import spoken_name
from rtvoiced_server.json_text import DECODER, Json
from rtvoiced_server.vocabulary import ToolChoice

LONGEST_TEXT = 2_000
"""How many characters of a text are searched for names."""
MOST_CALLS = 16
"""How many tools one response may have called."""
_SEPARATOR = r"[\s_-]+"


@dataclass(frozen=True, slots=True)
class ToolInvocation:
    """A tool that is to be called, with its arguments."""

    name: str
    arguments: str
    """JSON that is valid by the tool's own schema, as far as types go."""


@dataclass(frozen=True, slots=True)
class _NamedTool:
    """Where a text names a tool."""

    tool: Json
    start: int
    end: int
    """The first character behind the name."""


def tool_invocations(
    text: str, declared: Sequence[Json], choice: str | Json, parallel: bool = True
) -> list[ToolInvocation]:
    """Return the calls that *text* asks for, in its order; one at most unless *parallel*.

    *choice* is ``auto`` (those that are named), ``none``, ``required`` (the
    first where none is named), or the one function that is to be called.
    """
    if choice == ToolChoice.NONE or not declared:
        return []
    if isinstance(choice, dict):
        declared = [next(tool for tool in declared if tool["name"] == choice["name"])]
    text = text[:LONGEST_TEXT]
    named = _named(text, declared)
    if not named:
        return [] if choice == ToolChoice.AUTO else [_call(declared[0], text, None)]
    if isinstance(choice, dict) or not parallel:
        named = named[:1]
    return _calls(text, named)


def _named(text: str, declared: Sequence[Json]) -> list[_NamedTool]:
    """Return where tools are named; the longest name wins where names overlap."""
    found = [
        _NamedTool(tool, match.start(), match.end())
        for tool in declared
        for match in _pattern(tool["name"]).finditer(text)
    ]
    apart: list[_NamedTool] = []
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        if not apart or each.start >= apart[-1].end:
            apart.append(each)
    return apart


@lru_cache(maxsize=512)
def _pattern(name: str) -> re.Pattern[str]:
    words = _SEPARATOR.join(map(re.escape, spoken_name(name).split()))
    either = f"{re.escape(name)}|{words}" if words else re.escape(name)
    return re.compile(rf"(?<![\w-])(?:{either})(?![\w-])", re.IGNORECASE)


def _calls(text: str, named: list[_NamedTool]) -> list[ToolInvocation]:
    calls: list[ToolInvocation] = []
    done = 0
    for n, each in enumerate(named):
        if each.start < done or len(calls) == MOST_CALLS:
            # It stands in the JSON of the call before it.
            continue
        given, done = _json(text, each.end)
        until = next((later.start for later in named[n + 1 :] if later.start >= done), len(text))
        said = text[done:until]
        if len(named) == 1 and not re.search(r"\w", said):
            said = text[: each.start]
        calls.append(_call(each.tool, said, given))
    return calls


def _call(tool: Json, said: str, given: Json | None) -> ToolInvocation:
    made = arguments.arguments_for(tool.get("parameters") or {}, said, given)
    return ToolInvocation(tool["name"], json.dumps(made, ensure_ascii=False))


def _json(text: str, at: int) -> tuple[Json | None, int]:
    """Return the JSON object that stands at *at*, and where the text goes on."""
    begin = at + len(text[at:]) - len(text[at:].lstrip(" :=("))
    if not text.startswith("{", begin):
        return None, at
    try:
        value, end = DECODER.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None, at
    return value, end
