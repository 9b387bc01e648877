"""Checks of what a client sends, with the real server's refusals.

A check takes the new value, the current one and their dotted path. It returns
what is to stand there, or raises `Refused`. Checks are put together to the schemas
of sessions, responses and items:

    AUDIO = table({"speed": number(0.25, 1.5), "voice": string})
    AUDIO({"speed": 1.5}, {"voice": "slt"}, "audio") == {"voice": "slt", "speed": 1.5}

Tables merge deeply. Nothing is changed in place, so that a refused update leaves
no trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rtvoiced_server.protocol.wire import Refused, listed

Check = Callable[[Any, Any, str], Any]
"""From the new value, the current one and the path to the value that is to stand there."""

DEEPEST = 32
"""How many levels an object may have that is only echoed."""
LONGEST_TEXT = 100_000
"""Characters of one string; this bounds what a session holds."""


def kind_of(value: object) -> str:
    """Return the name that the server gives the type of *value* in its messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def wrong_type(path: str, wanted: str, value: object) -> Refused:
    """Return the refusal of a value that isn't *wanted*."""
    return Refused(
        "invalid_type",
        f"Invalid type for '{path}': expected {wanted}, but got {kind_of(value)} instead.",
        path,
    )


def unknown(path: str) -> Refused:
    """Return the refusal of a key that nobody knows."""
    return Refused("unknown_parameter", f"Unknown parameter: '{path}'.", path)


def missing(path: str) -> Refused:
    """Return the refusal of an object without the key *path*."""
    return Refused("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def bad_value(path: str, value: object, *allowed: str) -> Refused:
    """Return the refusal of a value that isn't one of *allowed*."""
    return Refused(
        "invalid_value", f"Invalid value: '{value}'. Supported values are: {listed(allowed)}.", path
    )


def text(most: int) -> Check:
    """Take a string of at most *most* characters."""

    def check(value: Any, _: Any, path: str) -> Any:
        if not isinstance(value, str):
            raise wrong_type(path, "a string", value)
        if len(value) > most:
            raise Refused(
                "string_above_max_length",
                f"Invalid '{path}': string too long. Expected a string with maximum length {most}, "
                f"but got a string with length {len(value)} instead.",
                path,
            )
        return value

    return check


def string(value: Any, current: Any, path: str) -> Any:
    """Take a string of any sensible length."""
    return text(LONGEST_TEXT)(value, current, path)


def boolean(value: Any, _: Any, path: str) -> Any:
    """Take true or false, never null."""
    if not isinstance(value, bool):
        raise wrong_type(path, "a boolean", value)
    return value


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """Take a number from *low* to *high*."""
    kind = "integer" if whole else "decimal"

    def check(value: Any, _: Any, path: str) -> Any:
        if (
            isinstance(value, bool)
            or not isinstance(value, int if whole else (int, float))
            or (isinstance(value, float) and not math.isfinite(value))
        ):
            raise wrong_type(path, f"{'an' if whole else 'a'} {kind}", value)
        if value < low:
            raise Refused(
                f"{kind}_below_min_value",
                f"Invalid '{path}': {kind} below minimum value. "
                f"Expected a value >= {low}, but got {value} instead.",
                path,
            )
        if value > high:
            raise Refused(
                f"{kind}_above_max_value",
                f"Invalid '{path}': {kind} above maximum value. "
                f"Expected a value <= {high}, but got {value} instead.",
                path,
            )
        return value

    return check


def one_of(*allowed: str) -> Check:
    """Take one of these strings."""

    def check(value: Any, current: Any, path: str) -> Any:
        if string(value, current, path) not in allowed:
            raise bad_value(path, value, *allowed)
        return value

    return check


def constant(value: Any, current: Any, path: str) -> Any:
    """Take only the value that is there already."""
    if value != current:
        raise Refused("invalid_value", f"Invalid '{path}': it cannot be changed.", path)
    return value


def optional(check: Check) -> Check:
    """Take null too."""
    return lambda value, current, path: None if value is None else check(value, current, path)


def anything(value: Any, _: Any, __: str) -> Any:
    """Take any value: it is checked elsewhere."""
    return value


def whole(check: Check) -> Check:
    """Take the new value as it is: it is not merged into the current one."""
    return lambda value, _, path: check(value, None, path)


def listing(check: Check, most: int = 128) -> Check:
    """Take an array of at most *most* values that *check* takes."""

    def every(value: Any, _: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise wrong_type(path, "an array", value)
        if len(value) > most:
            raise Refused("array_above_max_length", f"Invalid '{path}': array too long.", path)
        return [check(one, None, f"{path}[{n}]") for n, one in enumerate(value)]

    return every


def free(value: Any, _: Any, path: str) -> Any:
    """Take an object of any keys, which this server echoes and does not read."""
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    if _deeper(value, DEEPEST):
        raise Refused("invalid_value", f"Invalid '{path}': nested too deeply.", path)
    string(str(value), None, path)
    return value


def _deeper(value: object, levels: int) -> bool:
    """Tell whether *value* has more than so many *levels*: what nests too deeply can't be written again."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner)


def either(name: Check, table_check: Check) -> Check:
    """Take a string by the check *name*, or an object by *table_check*."""
    return lambda value, current, path: (name if isinstance(value, str) else table_check)(
        value, current, path
    )


def table(fields: dict[str, Check], *required: str) -> Check:
    """Take an object of these *fields* and merge it into the current one; either must have the *required*."""

    def merge(value: Any, current: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        was = current if isinstance(current, dict) else {}
        if "type" in fields and "type" in value:
            # The type says which keys there may be: a wrong type is refused before them.
            fields["type"](value["type"], was.get("type"), f"{path}.type")
        for key in value:
            if key not in fields:
                raise unknown(f"{path}.{key}")
        for key in required:
            if key not in value and key not in was:
                raise missing(f"{path}.{key}")
        return {**was, **{key: fields[key](new, was.get(key), f"{path}.{key}") for key, new in value.items()}}

    return merge
