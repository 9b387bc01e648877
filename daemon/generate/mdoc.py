"""From the little Markdown of the declarations to mdoc(7), the language of the manual pages."""

from __future__ import annotations

import re

CODE = re.compile(r"`([^`]+)`")
OPENING, CLOSING = "(", ".,;:)"


def text(markdown: str) -> str:
    """Return sentences as lines of mdoc: a new sentence, a new line.

    What stands between backticks gets a macro: `--flag` is ``Fl``, `NAME` is
    ``Ar``, `name(1)` is ``Xr``, and all else is ``Li``.
    """
    plain = re.sub(r"\*\*(.+?)\*\*", r"\1", markdown)
    plain = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", plain)
    # In a docstring an argument stands between single stars, and a literal between double backticks.
    plain = re.sub(r"\*(\w+)\*", r"`\1`", plain.replace("``", "`"))
    lines = []
    for sentence in re.split(r"(?<=[.:]) (?=[A-Z`])", plain):
        lines += _lines(sentence)
    return "".join(f"{line}\n" for line in lines if line)


def _lines(sentence: str) -> list[str]:
    """Return a sentence as lines: each macro has one of its own, with the punctuation that touches it."""
    lines = [""]
    parts = CODE.split(sentence)
    for index, part in enumerate(parts):
        if index % 2 == 0:
            rest = part
            if index:
                closing = len(part) - len(part.lstrip(CLOSING))
                lines[-1] += "".join(f" {char}" for char in part[:closing])
                rest = part[closing:].lstrip()
                lines.append(rest)
            else:
                lines[-1] = rest
            continue
        opening = ""
        if lines[-1].endswith(OPENING):
            lines[-1], opening = lines[-1][:-1], f"{OPENING} "
        lines[-1] = lines[-1].rstrip()
        lines.append(macro(part, opening))
    return [line.rstrip() for line in lines]


def macro(code: str, opening: str = "") -> str:
    """Return the line that shows *code*."""
    if found := re.fullmatch(r"([a-z-]+)\((\d)\)", code):
        return f".Xr {opening}{found[1]} {found[2]}"
    if code.startswith("-"):
        return f".Fl {opening}{code[1:]}"
    return f".{'Ar' if code.isupper() else 'Li'} {opening}{code}"
