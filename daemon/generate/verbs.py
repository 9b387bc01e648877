"""Makes rtctl's verbs: ``generated_verbs.py``, which imports nothing of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generate.texts import python
from rtvoiced.ipc.contract.commands import DECLARED
from rtvoiced.ipc.contract.declaration import (
    Alias,
    CommandDeclaration,
    GivenBy,
    Option,
    Positional,
    Verb,
)
from rtvoiced.ipc.contract.fields import MessageField, fields_of
from rtvoiced.vocabulary import ProviderName, words

FILE = "ctl/rtctl/cli/generated_verbs.py"
HEAD = '''"""The verbs that are commands of the daemon. Made by ``make generate``: do not edit.

They follow from the declarations in `rtvoiced.ipc.contract.commands`.
"""

from __future__ import annotations

'''
READER_OF_KIND = {int: "whole", float: "number"}


class Code(str):
    """Text that stands in the file as it is, without quotation marks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def files(root: Path) -> dict[str, str]:
    """Return the text of the file by its path."""
    verbs = {name: made for group in ("do", "look") for name, made in verbs_of(group)}
    body = ",\n".join(f"{name!r}: {made}" for name, made in verbs.items())
    imports = "from rtctl.cli import readers\n" if "readers." in body else ""
    source = f"{HEAD}{imports}from rtctl.cli.command_verb import CommandVerb\n\n"
    source += f"PROVIDERS = {words(ProviderName)!r}\nVERBS = {{{body}}}\n"
    return {FILE: python(source)}


def ordered(group: str) -> list[CommandDeclaration]:
    """Return the commands that have a verb of this group, in the order in which it is named."""
    wanted = [each for each in DECLARED.values() if each.verb is not None and each.verb.group == group]
    placed: list[CommandDeclaration] = []
    for each in [*wanted, *wanted]:
        behind = each.verb.after if each.verb else ""
        names = [other.name for other in placed]
        if each.name in names:
            continue
        if not behind:
            placed.append(each)
        elif behind in names:
            placed.insert(names.index(behind) + 1, each)
    return placed


def verbs_of(group: str) -> Iterator[tuple[str, str]]:
    """Yield the verbs of a group as their names and the Python that makes them."""
    for each in ordered(group):
        assert each.verb is not None
        yield each.name, made(each.name, each.verb.help, arguments_of(each), sends_of(each))
        for alias in each.verb.aliases:
            yield alias.name, made(each.name, alias.help, switches_of(alias), (), tuple(alias.args.items()))


def made(command: str, help_: str, arguments: Any, sends: Any, args: Any = ()) -> str:
    """Return the Python that makes a verb."""
    parts = [repr(command), repr(help_)]
    parts += [f"arguments={arguments!r}"] if arguments else []
    parts += [f"sends={sends!r}"] if sends else []
    parts += [f"args={args!r}"] if args else []
    return f"CommandVerb({', '.join(parts)})"


def typed_as(field: MessageField) -> Positional | Option | GivenBy:
    """Return how a field is typed: as it is declared, else as a word if it is needed, else as a flag."""
    return field.typed_as or (Positional() if field.required else Option())


def arguments_of(declared: CommandDeclaration) -> tuple[tuple[tuple[str, ...], dict[str, Any]], ...]:
    """Return names and keywords of argparse for each argument that is typed."""
    found = []
    for field in fields_of(declared.kind).values():
        match typed_as(field):
            case Positional() as word:
                found.append(((field.name,), _positional(field, word)))
            case Option() as option:
                found.append(((option_name(field, option),), _option(field, option)))
            case GivenBy():
                pass
    return tuple(found)


def option_name(field: MessageField, option: Option) -> str:
    """Return the flag, ``--for``."""
    return option.name or f"--{field.name.replace('_', '-')}"


def metavar(field: MessageField, typed: Positional | Option) -> str:
    """Return what the help calls the value."""
    return typed.metavar or field.name.upper()


def switches_of(alias: Alias) -> tuple[tuple[tuple[str, ...], dict[str, Any]], ...]:
    """Return names and keywords of argparse for the flags that only this verb has."""
    return tuple((each.names, {"action": "store_true", "help": each.help}) for each in alias.switches)


def sends_of(declared: CommandDeclaration) -> tuple[tuple[str, Any], ...]:
    """Return the arguments that can be typed, each with the default that need not be sent."""
    return tuple(
        (field.name, None if field.required else field.default)
        for field in fields_of(declared.kind).values()
        if not isinstance(typed_as(field), GivenBy)
    )


def _positional(field: MessageField, word: Positional) -> dict[str, Any]:
    kind = _value(field, word)
    if word.joined:
        kind["nargs"] = "+"
    elif not field.required:
        kind["nargs"] = "?"
        if field.default is not None:
            kind["default"] = field.default
    return kind


def _option(field: MessageField, option: Option) -> dict[str, Any]:
    kind: dict[str, Any] = {}
    if option_name(field, option) != f"--{field.name.replace('_', '-')}":
        kind["dest"] = field.name
    if field.kinds == (bool,):
        kind["action"] = "store_false" if field.default else "store_true"
        return kind | ({"help": option.help} if option.help else {})
    kind |= _value(field, option)
    return kind if field.default is None else {**kind, "default": field.default}


def _value(field: MessageField, typed: Positional | Option) -> dict[str, Any]:
    """Return the keywords that say what the value is."""
    kind: dict[str, Any] = {}
    if field.words:
        kind["choices"] = field.words
    else:
        kind["metavar"] = metavar(field, typed)
    if reader := typed.reader or (READER_OF_KIND.get(field.kinds[0]) if len(field.kinds) == 1 else None):
        kind["type"] = Code(f"readers.{reader}")
    if typed.help:
        kind["help"] = typed.help
    return kind


def verb_of(declared: CommandDeclaration) -> Verb:
    """Return the verb of a command that has one."""
    assert declared.verb is not None
    return declared.verb
