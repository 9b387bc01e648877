"""From a reply's JSON to the dataclasses of `rtvoiced.ipc.contract.replies`.

Both clients give programs typed replies. Fields that a newer daemon added are
ignored; one that lacks means that the daemon speaks another protocol.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rtctl.client.messages import unreadable

T = TypeVar("T")


def typed(kind: type[T], data: dict[str, Any]) -> T:
    """Return *data* as a *kind*, nested dataclasses too.

    Unknown further fields, of a newer daemon, are ignored; a missing one is
    `CommandError` ``unsupported_protocol``.
    """
    try:
        return kind(**{name: _value(hint, data[name]) for name, hint in _hints(kind).items()})
    except KeyError:
        raise unreadable() from None


def _hints(kind: type[Any]) -> dict[str, Any]:
    """Return the type of each field."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def _value(hint: Any, value: Any) -> Any:
    """Return *value* with dataclasses where *hint* has some."""
    if isinstance(hint, UnionType):
        if value is None:
            return None
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, dict):
            raise unreadable()
        return typed(hint, value)
    if get_origin(hint) is list:
        if not isinstance(value, list):
            raise unreadable()
        (element,) = get_args(hint)
        return [_value(element, each) for each in value]
    return value
