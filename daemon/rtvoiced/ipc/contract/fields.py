"""What the fields of a message say by their types: the words, the bounds, whether there may be nothing. Pure.

Read once a class and kept. `rtvoiced.ipc.contract.arguments` holds requests
against it, the schemas and the generated documents are made of it.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from rtvoiced.ipc.contract.declaration import Bounds, GivenBy, Option, Positional


class MessageField(NamedTuple):
    """One field of a message."""

    name: str
    type: Any
    """As it is declared, without what `Annotated` adds."""
    bounds: Bounds
    typed_as: Positional | Option | GivenBy | None
    """How rtctl takes it, where its declaration says so."""
    default: Any
    """MISSING where it has to be given; of what the daemon sends no field has a default that counts."""

    @property
    def kinds(self) -> tuple[Any, ...]:
        """What types a value may have, None's left out."""
        return tuple(part for part in parts_of(self.type) if part is not NoneType)

    @property
    def nullable(self) -> bool:
        """Whether it may be null."""
        return NoneType in parts_of(self.type)

    @property
    def words(self) -> tuple[str, ...]:
        """The words that it can have; none where it is free."""
        return next((get_args(kind) for kind in self.kinds if get_origin(kind) is Literal), ())

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING


_KNOWN: dict[type[Any], dict[str, MessageField]] = {}


def fields_of(kind: type[Any]) -> dict[str, MessageField]:
    """Return the fields of a dataclass by name, in their order."""
    if kind not in _KNOWN:
        hints = get_type_hints(kind, include_extras=True)
        _KNOWN[kind] = {each.name: _field(each.name, hints[each.name], each.default) for each in fields(kind)}
    return _KNOWN[kind]


def _field(name: str, hint: Any, default: Any) -> MessageField:
    further: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        further = tuple(rest)
    bounds = next((each for each in further if isinstance(each, Bounds)), Bounds())
    typed_as = next((each for each in further if isinstance(each, Positional | Option | GivenBy)), None)
    return MessageField(name, hint, bounds, typed_as, default)


def parts_of(hint: Any) -> tuple[Any, ...]:
    """Return the types that a union joins; of any other type, itself."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
