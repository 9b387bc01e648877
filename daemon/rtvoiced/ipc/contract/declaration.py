"""What a declaration of a command or an event is made of. Pure.

Each command and each event of the IPC contract (docs/ipc.md) is declared once,
as a class under `command` or `event`:

    @command("set-device", reply=SetDeviceReply, verb=Verb("use another microphone or speaker"))
    class SetDevice:
        \"\"\"Use another microphone or speaker until the daemon ends.\"\"\"

        direction: Direction
        name: Annotated[str, Positional("NAME", "a part of its name")]
        \"\"\"Part of its name, exact wins; empty: the system's default.\"\"\"

The class becomes a frozen dataclass. Everything else follows from it: the
reading of requests (`rtvoiced.ipc.contract.arguments`), the JSON Schemas, and
by ``make generate`` rtctl's verbs, the methods of both clients, the
completions, and the rows of docs/ipc.md and of the manual pages. A docstring
below a field describes it there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar, dataclass_transform

from rtvoiced.errors import CommandError

T = TypeVar("T")


class Reply(Protocol):
    """A dataclass that is declared as the reply of a command."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


# What may stand in the `Annotated` type of a field. These are tuples: a dataclass takes five times as long to
# make, and whoever imports the contract waits for it.


class Bounds(NamedTuple):
    """Says what values a field may have beyond its type; the ends belong to the range."""

    least: int | None = None
    most: int | None = None
    above: int | None = None
    """A least value that is itself too little."""
    filled: bool = False
    """The text has more in it than blanks."""
    most_items: int | None = None
    """Of a list that the daemon sends; no argument has it."""
    problem: str = ""
    """What is told of a wrong value, where the sentence made of the numbers would say too little."""

    def schema(self) -> dict[str, Any]:
        """Return the keywords of JSON Schema that say the same."""
        keywords = {
            "exclusiveMinimum": self.above,
            "minimum": self.least,
            "maximum": self.most,
            "pattern": r"\S" if self.filled else None,
            "maxItems": self.most_items,
        }
        return {key: value for key, value in keywords.items() if value is not None}

    def objection(self, value: Any) -> str | None:
        """Return what is wrong with *value*, which is of the field's type, or None."""
        if self.filled and not value.strip():
            return self.problem or "must not be empty"
        if (
            (self.above is not None and value <= self.above)
            or (self.least is not None and value < self.least)
            or (self.most is not None and value > self.most)
        ):
            return self.problem or f"must be from {self.least} to {self.most}"
        return None


FILLED = Bounds(filled=True)
"""A text that says something."""

Reader = Literal["seconds", "positive", "volume"]
"""A function of `rtctl.cli.readers`, which makes a value of a typed word."""


class Positional(NamedTuple):
    """Says that ``rtctl`` takes the field as a word; a field without a default is one anyhow."""

    metavar: str = ""
    """What the help calls it; the words themselves, where the field has a vocabulary."""
    help: str = ""
    reader: Reader | None = None
    joined: bool = False
    """Any number of words, which make one text."""


class Option(NamedTuple):
    """Says how ``rtctl`` calls the flag of a field; a field with a default has one anyhow, of its own name.

    The flag of a boolean takes no value and turns the default round.
    """

    name: str = ""
    """``--for``; empty: the field's name."""
    metavar: str = ""
    help: str = ""
    reader: Reader | None = None


class GivenBy(NamedTuple):
    """Says that another field's word gives this one, too: ``volume +5`` gives `relative`."""

    field: str


# What rtctl makes of a command


class Switch(NamedTuple):
    """A flag of a verb that says what rtctl does with the reply; the daemon does not see it."""

    names: tuple[str, ...]
    help: str


class Alias(NamedTuple):
    """Another verb for the same command."""

    name: str
    help: str
    manual: str
    args: Mapping[str, Any] = MappingProxyType({})
    """What it always sends; both clients then have a method of this name, too."""
    switches: tuple[Switch, ...] = ()


class Verb(NamedTuple):
    """How ``rtctl`` offers a command."""

    help: str
    """A sentence that begins small and ends without a full stop."""
    manual: str = ""
    """What rtctl(1) says, in Markdown; empty: the help."""
    group: Literal["look", "do"] = "do"
    """Where the help and rtctl(1) name it."""
    after: str = ""
    """The verb of the same group behind which it is named; empty: in the order of the declarations."""
    aliases: tuple[Alias, ...] = ()


# The declarations


class CommandDeclaration(NamedTuple):
    """What `command` was told."""

    name: str
    kind: type[Any]
    reply: type[Any]
    reads: bool
    """It changes nothing: its reply is not kept for a retry."""
    verb: Verb | None
    """None: no verb of rtctl and no method of the clients, which use it for themselves."""
    args_row: str
    """Its arguments in docs/ipc.md, with ``{field}`` for what the field itself says; empty: all of them."""
    reply_row: str
    """The same of the reply's data."""


class EventDeclaration(NamedTuple):
    """What `event` was told."""

    name: str
    kind: type[Any]
    counted: bool
    """It has a ``seq`` of its own, and can be replayed."""
    data_row: str
    """Its data in docs/ipc.md, with ``{field}`` for what the field itself says; empty: all of them."""
    when: str
    """When it comes, in docs/ipc.md and rtvoice-ipc(7), in Markdown; empty: the class's docstring."""


_COMMANDS: dict[type[Any], CommandDeclaration] = {}
_EVENTS: dict[type[Any], EventDeclaration] = {}
_NAMES: dict[type[Any], str] = {}


@dataclass_transform(frozen_default=True)
def command(
    name: str,
    *,
    reply: type[Any],
    reads: bool = False,
    verb: Verb | None = None,
    args_row: str = "",
    reply_row: str = "",
) -> Callable[[type[T]], type[T]]:
    """Declare a class as the command *name*: a frozen dataclass whose fields are its ``args``.

    See `CommandDeclaration` for what the parameters mean. A rule that joins
    several fields goes into ``__post_init__``, which raises `bad_args`.
    """

    def declare(kind: type[T]) -> type[T]:
        made = dataclass(frozen=True, slots=True)(kind)
        _COMMANDS[made] = CommandDeclaration(name, made, reply, reads, verb, args_row, reply_row)
        _NAMES[made] = name
        return made

    return declare


@dataclass_transform(frozen_default=True)
def event(
    name: str, *, counted: bool = True, data_row: str = "", when: str = ""
) -> Callable[[type[T]], type[T]]:
    """Declare a class as the event *name*: a frozen dataclass whose fields are its ``data``.

    See `EventDeclaration` for what the parameters mean.
    """

    def declare(kind: type[T]) -> type[T]:
        made = dataclass(frozen=True, slots=True)(kind)
        _EVENTS[made] = EventDeclaration(name, made, counted, data_row, when)
        _NAMES[made] = name
        return made

    return declare


def commands_of(*modules: str) -> dict[str, CommandDeclaration]:
    """Return by name the commands that the *modules* declare, in the order of the modules."""
    return {
        each.name: each for module in modules for each in _COMMANDS.values() if each.kind.__module__ == module
    }


def events_of(module: str) -> dict[str, EventDeclaration]:
    """Return by name the events that a *module* declares, as they stand there."""
    return {each.name: each for each in _EVENTS.values() if each.kind.__module__ == module}


def name_of(message: object) -> str:
    """Return the name of a command or an event, as it is on the wire."""
    return _NAMES[type(message)]


def bad_args(key: str, problem: str) -> CommandError:
    """Return the error for an argument that can't be used."""
    return CommandError("bad_args", f"{key:.60}: {problem}", details={"arg": key[:60]})
