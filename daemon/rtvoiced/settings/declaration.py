"""What a declaration of a setting is made of, and how the declarations are found.

`settings.schema` declares each setting once, as a field of its section's
dataclass. This module reads such a field: its key, type, default, range, and
whether it changes while the daemon runs. Everything that needs to know what
settings there are takes them from here: the reading of values, `rtvoiced
--check`, `rtctl get` and `set`, the completions and the manual page.

    silence_ms: Annotated[int, Range(100, 10_000), LIVE] = 500

The type of a setting is one of `str`, `int`, `float` and `bool`, a vocabulary
(`Literal`), one of these or None (then an empty text means None), or
``Mapping[str, str]`` for a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from rtvoiced.vocabulary import words

ORIGINS = "origins"
"""The one field of `Settings` that is no section."""


@dataclass(frozen=True, slots=True)
class Range:
    """Says from where to where the value of a setting may lie, both ends included."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Tell whether *value* lies in it; NaN does not."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class _Live:
    """Says that a setting can change while the daemon runs; any other needs a restart."""


LIVE: Final = _Live()
"""Stands in the `Annotated` type of a setting that can change while the daemon runs."""

TABLE = Mapping[str, str]
"""The type of a setting that is a table of the file."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is declared."""

    key: str
    """``section.name``."""
    kind: type
    """The plain type of a value: `str`, `int`, `float`, `bool`; `dict` for a table."""
    default: Any
    words: tuple[str, ...] = ()
    """The words that it can have; empty: any value of its type."""
    optional: bool = False
    """Whether it can be None, which an empty text means."""
    span: Range | None = None
    live: bool = False
    """Whether it can change while the daemon runs."""

    @property
    def section(self) -> str:
        """The section of the file that it stands in."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """Its name within the section."""
        return self.key.partition(".")[2]


def declarations(defaults: Any) -> dict[str, Setting]:
    """Return every setting by its key, in the order of their declaration.

    *defaults* are the settings, a dataclass of sections, with nothing given.
    """
    found = {}
    for section in fields(defaults):
        if section.name == ORIGINS:
            continue
        part = getattr(defaults, section.name)
        hints = get_type_hints(type(part), include_extras=True)
        for each in fields(part):
            key = f"{section.name}.{each.name}"
            found[key] = _setting(key, hints[each.name], getattr(part, each.name))
    return found


def _setting(key: str, hint: Any, default: object) -> Setting:
    """Read one field of a section: *hint* is its type, with what `Annotated` adds."""
    kind, extras = (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())
    parts = get_args(kind) if isinstance(kind, UnionType) or get_origin(kind) is Union else (kind,)
    (plain,) = (part for part in parts if part is not NoneType)
    literal = get_origin(plain) is Literal
    return Setting(
        key,
        kind=dict if plain == TABLE else str if literal else plain,
        default=default,
        words=words(plain) if literal else (),
        optional=NoneType in parts,
        span=next((each for each in extras if isinstance(each, Range)), None),
        live=LIVE in extras,
    )
