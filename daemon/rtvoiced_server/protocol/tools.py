"""The tools of a session: what may be declared, which may be chosen, and their names as words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from rtvoiced_server.protocol import checks
from rtvoiced_server.protocol.wire import Json, Refused

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST = 128
MOST_CHARACTERS = 256 << 10
"""Of all tools together, as JSON."""


def name(value: Any, _: Any, path: str) -> Any:
    """Take the name of a function."""
    if not NAME.fullmatch(checks.string(value, None, path)):
        message = f"Invalid '{path}': string does not match pattern. Expected '^{NAME.pattern}$'."
        raise Refused("invalid_value", message, path)
    return value


# Tools of type mcp are refused: to serve one is to connect to a server somewhere, and this one stays at
# home; to take it and never list it would leave the client waiting.
TOOL = checks.table(
    {
        "type": checks.one_of("function"),
        "name": name,
        "description": checks.optional(checks.string),
        "parameters": checks.optional(checks.free),
    },
    "type",
    "name",
)
FUNCTION = checks.table({"type": checks.one_of("function"), "name": name}, "type", "name")
choice = checks.either(checks.one_of("none", "auto", "required"), checks.whole(FUNCTION))


def tools(value: Any, _: Any, path: str) -> Any:
    """Take all tools; an empty array clears them."""
    checked = checks.listing(TOOL, MOST)(value, None, path)
    if len(json.dumps(checked)) > MOST_CHARACTERS:
        message = f"Invalid '{path}': more than {MOST_CHARACTERS} characters altogether."
        raise Refused("string_above_max_length", message, path)
    return checked


def declares(declared: Sequence[Json], choice: str | Json) -> bool:
    """Tell whether the function that is chosen, if one is, is among the *declared* tools."""
    return isinstance(choice, str) or choice["name"] in {tool["name"] for tool in declared}


def check_choice(settings: Json, path: str) -> None:
    """Raise `Refused` where *settings* choose a function that they do not have."""
    if not declares(settings["tools"], settings["tool_choice"]):
        name = settings["tool_choice"]["name"]
        raise Refused("invalid_value", f"Tool choice '{name}' not found in 'tools'.", path)


def spoken(tool: str) -> str:
    """Return the name of a *tool* as one says it: ``get_weather`` and ``getWeather`` are "get weather"."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", tool)
    return " ".join(re.findall(r"[a-z0-9]+", parted.lower()))


def phrases(declared: Sequence[Json]) -> tuple[str, ...]:
    """Return what can be said to have the *declared* tools called."""
    return tuple(sorted({said for tool in declared if (said := spoken(tool["name"]))}))
