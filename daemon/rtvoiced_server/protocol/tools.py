"""The tools of a session: what may be declared, and which of it may be chosen.

The checks are parts of the session's schema
(`rtvoiced_server.protocol.session_schema`); how a tool's name is said stands in
`rtvoiced_server.answers.tool_names`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import checks
from rtvoiced_server.protocol.wire import Refused
from rtvoiced_server.vocabulary import ToolChoice

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST = 128
"""How many tools a session may have."""
MOST_CHARACTERS = 256 << 10
"""Characters of all tools together, as JSON."""


def name(value: Any, _: Any, path: str) -> Any:
    """Take the name of a function: letters, digits, ``_`` and ``-``, 64 at most."""
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
choice = checks.either(checks.one_of(*ToolChoice), checks.whole(FUNCTION))


def tools(value: Any, _: Any, path: str) -> Any:
    """Take all tools; an empty array takes them away."""
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
