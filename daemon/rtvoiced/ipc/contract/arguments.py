"""From the ``args`` of a request to its command: everything that the declaration says is checked here. Pure.

Called by `rtvoiced.ipc.contract.protocol` for each request. What comes out
makes sense: types, words and bounds are right, and so are the rules that join
several arguments, which the command checks itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_origin

from rtvoiced.ipc.contract.declaration import CommandDeclaration, bad_args
from rtvoiced.ipc.contract.fields import MessageField, fields_of

LIST_OF_TEXTS = tuple[str, ...]
KINDS: dict[Any, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    LIST_OF_TEXTS: "a list of strings",
}


def command_of(declared: CommandDeclaration, args: Mapping[str, Any]) -> Any:
    """Return the command that *args* make; raises `CommandError` ``bad_args`` where they make none."""
    known = fields_of(declared.kind)
    for key in args:
        if key not in known:
            raise bad_args(key, f"unknown; {declared.name} takes {', '.join(known) or 'no arguments'}")
    values = {key: _value(known[key], value) for key, value in args.items()}
    for key, each in known.items():
        if each.required and key not in values:
            raise bad_args(key, "is missing")
        if values.get(key) is not None:
            _check(each, values[key])
    return declared.kind(**values)


def _value(wanted: MessageField, value: object) -> Any:
    """Return *value*, a list as a tuple, if it is of a type that the field declares."""
    if value is None and wanted.nullable:
        return None
    for kind in wanted.kinds:
        if kind == LIST_OF_TEXTS and isinstance(value, list):
            if all(isinstance(each, str) and _is_text(each) for each in value):
                return tuple(value)
        elif _is_a(kind, value):
            return value
    told = [KINDS.get(kind, KINDS[str]) for kind in wanted.kinds]
    raise bad_args(wanted.name, f"must be {', '.join(told)}")


def _is_a(kind: Any, value: object) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, str):
        # Whether it is a word of its vocabulary is told in its own sentence.
        return (kind is str or get_origin(kind) is Literal) and _is_text(value)
    return isinstance(value, int) if kind is int else kind is float and is_number(value)


def _check(wanted: MessageField, value: Any) -> None:
    """Raise ``bad_args`` for a value of the right type that is outside of the vocabulary or the bounds."""
    if wanted.words and value not in wanted.words:
        raise bad_args(wanted.name, f"must be one of {', '.join(wanted.words)}")
    if problem := wanted.bounds.objection(value):
        raise bad_args(wanted.name, problem)


def is_number(value: object) -> bool:
    """Return whether *value* is a finite number, and no boolean."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON knows no limit: an integer of 400 digits fits no float.
        return False


def _is_text(value: str) -> bool:
    """Return whether *value* can be written as UTF-8: half a surrogate pair, which JSON can hold, can't."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
