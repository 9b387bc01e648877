"""Makes the parts of the manual pages that tell of commands, events and settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generate import mdoc, setting_rows
from generate.texts import between, sentence
from generate.verbs import metavar, option_name, ordered, typed_as, verb_of
from rtvoiced.ipc.contract import commands, events
from rtvoiced.ipc.contract.declaration import Alias, CommandDeclaration, EventDeclaration, Option, Positional
from rtvoiced.ipc.contract.fields import MessageField, fields_of
from rtvoiced.ipc.contract.schema import documented_fields, one_line

RTCTL, IPC, RTVOICED = "docs/man/rtctl.1", "docs/man/rtvoice-ipc.7", "docs/man/rtvoiced.1"
COMMENT = ('.\\" ', "")


def files(root: Path) -> dict[str, str]:
    """Return the texts of the pages by their paths."""
    rtctl, ipc, rtvoiced = ((root / each).read_text("utf-8") for each in (RTCTL, IPC, RTVOICED))
    for group, name in (("look", "Verbs that look"), ("do", "Verbs that do something")):
        rtctl = between(rtctl, name, "".join(_verb(each) for each in ordered(group)), COMMENT)
    told = sorted(events.DECLARED.values(), key=lambda each: not each.counted)
    ipc = between(ipc, "Events", "".join(map(_event, told)), COMMENT)
    ipc = between(ipc, "Commands", "".join(map(_command, commands.DECLARED.values())), COMMENT)
    return {RTCTL: rtctl, IPC: ipc, RTVOICED: between(rtvoiced, "Settings", setting_rows.rows(), COMMENT)}


# The page of rtctl


def _verb(declared: CommandDeclaration) -> str:
    verb = verb_of(declared)
    words = [word for field in fields_of(declared.kind).values() if (word := _typed(field))]
    # Flags first, as they are typed.
    told = sorted(words, key=lambda word: not word.text.startswith("Fl"))
    own = f".It Cm {declared.name}{_synopsis(told)}\n{mdoc.text(verb.manual or sentence(verb.help))}"
    return own + "".join(map(_alias, verb.aliases))


def _alias(alias: Alias) -> str:
    words = [SynopsisWord(f"Fl {each.names[0][1:]}", required=False) for each in alias.switches]
    return f".It Cm {alias.name}{_synopsis(words)}\n{mdoc.text(alias.manual)}"


@dataclass(frozen=True, slots=True)
class SynopsisWord:
    """One argument in the line that shows how a verb is typed."""

    text: str
    required: bool


def _typed(field: MessageField) -> SynopsisWord | None:
    match typed_as(field):
        case Positional() as word:
            shown = f"Cm {' | '.join(field.words)}" if field.words else f"Ar {metavar(field, word)}"
            return SynopsisWord(shown + (" ..." if word.joined else ""), field.required)
        case Option() as option:
            value = "" if field.kinds == (bool,) else f" Ar {metavar(field, option)}"
            return SynopsisWord(f"Fl {option_name(field, option)[1:]}{value}", required=False)
        case _:
            return None


def _synopsis(words: list[SynopsisWord]) -> str:
    told = [
        word.text if word.required else f"Op {word.text}" if word is words[-1] else f"Oo {word.text} Oc"
        for word in words
    ]
    return "".join(f" {each}" for each in told)


# The page of the contract


def _event(declared: EventDeclaration) -> str:
    names = ", ".join(_name(each) for each in fields_of(declared.kind).values())
    told = sentence(declared.when or one_line(declared.kind.__doc__ or ""))
    return f".It Li {declared.name}\n.Pq {names}\n.br\n{mdoc.text(told)}{_words(declared.kind)}"


def _command(declared: CommandDeclaration) -> str:
    args = ", ".join(_name(each) + _default(each) for each in fields_of(declared.kind).values())
    told = mdoc.text(one_line(declared.kind.__doc__ or ""))
    for name, text in documented_fields(declared.kind).items():
        told += f".Va {name} :\n{mdoc.text(text[0].lower() + text[1:])}"
    returned = ", ".join(_name(each) for each in fields_of(declared.reply).values())
    head = f".It Li {declared.name}" + (f" Pq {args}" if args else "")
    return f"{head}\n{told}Returns\n{returned}.\n{_words(declared.reply)}"


def _name(field: MessageField) -> str:
    return f"{field.name}{'?' if field.nullable else ''}"


def _default(field: MessageField) -> str:
    if field.words:
        return f" = {' | '.join(field.words)}"
    return "" if field.required or field.default is None else f" = {str(field.default).lower()}"


def _words(kind: type[Any]) -> str:
    """Return a sentence for each field that has a vocabulary."""
    told = [
        f".Va {field.name}\nis {', '.join(field.words[:-1])} or {field.words[-1]}.\n"
        for field in fields_of(kind).values()
        if field.words
    ]
    return "".join(told)
