"""Makes the tables of docs/ipc.md: a row for each event and each command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generate.texts import between, phrase
from rtvoiced.ipc.contract import commands, events
from rtvoiced.ipc.contract.fields import MessageField, fields_of
from rtvoiced.ipc.contract.schema import one_line

PAGE = "docs/ipc.md"
COMMENT = ("<!-- ", " -->")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a field says of itself in a table: its name, ``?`` where it may be null, words, default."""

    field: MessageField
    default: str = ""

    @property
    def name(self) -> str:
        """Return it without words and default."""
        return f"`{self.field.name}`{'?' if self.field.nullable else ''}"

    def __str__(self) -> str:
        words = "\\|".join(self.field.words)
        return self.name + (f" `{words}`" if words else "") + self.default


def files(root: Path) -> dict[str, str]:
    """Return the text of the page by its path."""
    page = (root / PAGE).read_text("utf-8")
    page = between(page, "events", events_table(), COMMENT)
    return {PAGE: between(page, "commands", commands_table(), COMMENT)}


def events_table() -> str:
    """Return the table of the events, those first that tell of the conversation."""
    told = sorted(events.DECLARED.values(), key=lambda each: not each.counted)
    rows = [
        (
            f"`{each.name}`",
            _row(each.kind, each.data_row),
            each.when or phrase(one_line(each.kind.__doc__ or "")),
        )
        for each in told
    ]
    return _table(("event", "data", "when"), rows)


def commands_table() -> str:
    """Return the table of the commands."""
    rows = [
        (
            f"`{each.name}`",
            _row(each.kind, each.args_row, with_defaults=True) or "–",
            _row(each.reply, each.reply_row),
        )
        for each in commands.DECLARED.values()
    ]
    return _table(("command", "args (default)", "data of the reply"), rows)


def _row(kind: type[Any], template: str, *, with_defaults: bool = False) -> str:
    cells: Mapping[str, Cell] = {
        name: Cell(field, _default(field) if with_defaults else "") for name, field in fields_of(kind).items()
    }
    return template.format_map(cells) if template else ", ".join(map(str, cells.values()))


def _default(field: MessageField) -> str:
    if field.required or field.default is None:
        return ""
    if isinstance(field.default, bool):
        return f" ({str(field.default).lower()})"
    return f" (`{field.default}`)"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(line)} |\n" for line in (head, *rows)]
    return "".join([lines[0], f"|{'---|' * len(head)}\n", *lines[1:]])
