"""A tool's arguments, made from its JSON Schema and from what was said.

The values are always of the declared types. What the text gives comes first
(``with city Paris``, numbers in their order, the words of an enum, else the text
itself), then the schema's own default or example, then an example of ours.
Bounds keep a schema that refers to itself from growing without end. `calls` is
the only caller.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from rtvoiced_server.answers.rules import number
from rtvoiced_server.json_text import Json

MOST_VALUES = 200
"""How many values one call may have: a schema may refer to itself, and grows with every level then."""
DEEPEST = 8
"""Levels of objects and arrays in one argument."""
LONGEST_STRING = 500
"""Characters."""
MOST_ELEMENTS = 16
"""How many elements one array may have."""
EXAMPLE = "example"
"""The string where neither the text nor the schema gives one."""
EXAMPLES_OF_FORMAT = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
FALSE = frozenset(("false", "no", "off", "not"))
"""Words that make a boolean false."""
# What stands around the thing itself in "please get weather for the town of Paris".
FILLERS = (  # noqa: SIM905 - thirty lines else
    "a an and about at call can could for from function in invoke me my now of on please run that the to "
    "tool use using with would you"
).split()
_DECIMAL = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?")


def arguments_for(schema: Json, text: str, given: Json | None) -> Json:
    """Return the arguments for *schema*, from the *text* that was said and the JSON that was *given*.

    An argument that is not required is there only where the text or the JSON names it.
    """
    top = _ValueSource(schema, "").resolved(schema)
    properties = _object(top.get("properties"))
    named, rest = _named(text, list(properties))
    source = _ValueSource(schema, rest, _numbers(rest))
    arguments: Json = {}
    for name, described in properties.items():
        if given and name in given and _fits(given[name], source.resolved(described), source):
            arguments[name] = given[name]
        elif name in named:
            arguments[name] = _ValueSource(schema, named[name], _numbers(named[name]), exact=True).value(
                described
            )
        elif name in _array(top.get("required")):
            arguments[name] = source.value(described)
    if top.get("additionalProperties", True) is not False:
        arguments |= {name: value for name, value in (given or {}).items() if name not in properties}
    return arguments


@dataclass(slots=True)
class _ValueSource:
    """What values are made from; each word and number of it is used once."""

    root: Json
    text: str
    numbers: list[float] = field(default_factory=list)
    exact: bool = False
    """Whether the text is the value itself, not a sentence around it."""
    used: bool = False
    """Whether a string has taken the text."""
    left: int = MOST_VALUES
    """How many values may still be made."""

    def value(self, described: object, depth: int = 0) -> Any:
        """Return a value for the schema *described*."""
        self.left -= 1
        schema = self.resolved(described)
        if "const" in schema:
            return schema["const"]
        enum = _array(schema.get("enum"))
        if enum:
            return next((one for one in enum if _mentions(self.text, one)), enum[0])
        match _type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer" | "number" as kind:
                return self._number(schema, whole=kind == "integer")
            case "boolean":
                return self._boolean(schema)
            case "null":
                return None
            case _:
                return self._string(schema)

    def resolved(self, described: object) -> Json:
        """Follow references and take the first of alternatives, as far as is sensible."""
        schema = _object(described)
        for _ in range(DEEPEST):
            reference = schema.get("$ref")
            others = [one for key in ("anyOf", "oneOf", "allOf") for one in _array(schema.get(key))]
            if isinstance(reference, str):
                schema = self._referred(reference)
            elif others and "type" not in schema:
                schema = next(
                    (one for one in map(_object, others) if _type(one) != "null"), _object(others[0])
                )
            else:
                break
        return schema

    def _referred(self, reference: str) -> Json:
        found: object = self.root
        for name in reference.removeprefix("#").strip("/").split("/"):
            found = _object(found).get(name, {}) if name else found
        return _object(found)

    def _object(self, schema: Json, depth: int) -> Json:
        required = _array(schema.get("required"))
        arguments_for: Json = {}
        for name, described in _object(schema.get("properties")).items():
            if name in required and depth < DEEPEST and self.left > 0:
                arguments_for[name] = self.value(described, depth + 1)
        return arguments_for

    def _array(self, schema: Json, depth: int) -> list[Any]:
        if depth >= DEEPEST or self.left <= 0:
            return []
        items = schema.get("items", {})
        least = schema.get("minItems")
        count = min(max(1, least if isinstance(least, int) else 1), MOST_ELEMENTS)
        if _type(self.resolved(items)) in ("integer", "number"):
            count = min(max(count, len(self.numbers)), MOST_ELEMENTS)
        return [self.value(items, depth + 1) for _ in range(count) if self.left > 0]

    def _number(self, schema: Json, *, whole: bool) -> float:
        if self.numbers:
            found = self.numbers.pop(0)
        else:
            found = next((one for one in _examples(schema) if _is_number(one)), 1.0)
            low, high = schema.get("minimum"), schema.get("maximum")
            found = max(found, low) if _is_number(low) else found
            found = min(found, high) if _is_number(high) else found
        return int(found) if whole or found == int(found) else float(found)

    def _boolean(self, schema: Json) -> bool:
        words = set(re.findall(r"\w+", self.text.lower()))
        if words & FALSE:
            return False
        return next((one for one in _examples(schema) if isinstance(one, bool)), True)

    def _string(self, schema: Json) -> str:
        rest = "" if self.used else self.text if self.exact else _stripped(self.text)
        if rest:
            self.used = True
            return rest[:LONGEST_STRING]
        found = next((one for one in _examples(schema) if isinstance(one, str)), None)
        return found if found is not None else EXAMPLES_OF_FORMAT.get(str(schema.get("format")), EXAMPLE)


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _array(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_number(value: object) -> TypeGuard[float]:
    # An integer of JSON may be too large for a float, which isfinite() would make of it.
    return (isinstance(value, float) and math.isfinite(value)) or (
        isinstance(value, int) and not isinstance(value, bool)
    )


def _examples(schema: Json) -> list[Any]:
    return [*([schema["default"]] if "default" in schema else []), *_array(schema.get("examples"))]


def _type(schema: Json) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "string"


def _mentions(text: str, value: object) -> bool:
    return isinstance(value, str) and bool(
        re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE)
    )


def _fits(value: object, schema: Json, source: _ValueSource, depth: int = 0) -> bool:
    """Tell whether *value* is of the type that *schema* declares."""
    if "const" in schema:
        return bool(value == schema["const"])
    if _array(schema.get("enum")):
        return value in schema["enum"]
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [_type(schema)]
    return any(_is(value, kind, schema, source, depth) for kind in kinds)


def _is(value: object, kind: str, schema: Json, source: _ValueSource, depth: int) -> bool:
    match kind:
        case "object":
            properties = _object(schema.get("properties"))
            return (
                isinstance(value, dict)
                and depth < DEEPEST
                and all(name in value for name in _array(schema.get("required")) if isinstance(name, str))
                and all(
                    _fits(one, source.resolved(properties[name]), source, depth + 1)
                    for name, one in value.items()
                    if name in properties
                )
            )
        case "array":
            items = source.resolved(schema.get("items"))
            return isinstance(value, list) and (
                not items or (depth < DEEPEST and all(_fits(one, items, source, depth + 1) for one in value))
            )
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return _is_number(value)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case _:
            return isinstance(value, str)


def _named(text: str, names: Sequence[str]) -> tuple[dict[str, str], str]:
    """Return the values of the *names* in ``with city Paris and days 3`` or ``city: Paris``, and the rest."""
    forms = {_plain(name): name for name in names if _plain(name)}
    if not forms:
        return {}, text
    longest_first = sorted(forms, key=len, reverse=True)
    either = "|".join(r"[\s_-]+".join(map(re.escape, form.split())) for form in longest_first)
    introduced = re.search(r"(?<!\w)with(?!\w)", text, re.IGNORECASE)
    named_from = introduced.end() if introduced else len(text)
    pattern = re.compile(rf"(?<!\w)(?P<name>{either})(?!\w)\s*(?P<sign>[:=])?\s*", re.IGNORECASE)
    found = [each for each in pattern.finditer(text) if each["sign"] or each.start() >= named_from]
    if not found:
        return {}, text
    ends = [each.start() for each in found[1:]] + [len(text)]
    values: dict[str, str] = {}
    for each, end in zip(found, ends, strict=True):
        values.setdefault(forms[_plain(each["name"])], _without(text[each.end() : end], (), {"and"}))
    first = found[0].start()
    return values, text[: min(first, introduced.start() if introduced else first)]


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", name.lower()))


def _stripped(text: str) -> str:
    """Return *text* without the small words around it."""
    return _without(text, FILLERS, FILLERS)


def _without(text: str, before: Collection[str], after: Collection[str]) -> str:
    """Return *text* without the words *before* and *after* it, the quotes and the signs around it."""
    words = text.split()
    while words and (not _bare(words[0]) or _bare(words[0]).lower() in before):
        del words[0]
    while words and (not _bare(words[-1]) or _bare(words[-1]).lower() in after):
        del words[-1]
    return " ".join(words).strip(" \t\n\"'“”‘’«»().,:;?!")


def _bare(word: str) -> str:
    return re.sub(r"[^\w+*/-]+", "", word)


def _numbers(text: str) -> list[float]:
    """Return the numbers in *text*, in digits or in words."""
    words = [word for part in text.lower().split() if (word := part.strip("\"'“”,;:?!()."))]
    words = [piece for word in words for piece in ([word] if _DECIMAL.fullmatch(word) else word.split("-"))]
    found: list[float] = []
    at = 0
    while at < len(words):
        if _DECIMAL.fullmatch(words[at]):
            value = float(words[at])
            found.append(int(value) if value == int(value) else value)
            at += 1
            continue
        spoken, after = number(words, at)
        if spoken is not None:
            found.append(spoken)
        at = max(after, at + 1)
    return found
