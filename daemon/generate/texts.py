"""What the generators share: parts of a document between two marks, sentences, formatted Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MADE_BY = "made by make generate"


def between(page: str, name: str, made: str, comment: tuple[str, str]) -> str:
    """Return *page* with *made* between its marks called *name*; *comment* begins and ends a comment there.

    Raises ValueError where the page does not have the marks.
    """
    begin, end = (f"{comment[0]}{name}: {word}{comment[1]}\n" for word in (MADE_BY, "end"))
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the page has no marks {begin!r} and {end!r}")
    return f"{before}{begin}{made}{end}{after}"


def sentence(text: str) -> str:
    """Return a phrase as a sentence: a capital in front, a full stop behind."""
    return f"{text[0].upper()}{text[1:]}".rstrip(".") + "."


def phrase(text: str) -> str:
    """Return a sentence as a phrase, for a cell of a table."""
    return f"{text[0].lower()}{text[1:]}".rstrip(".")


def python(source: str) -> str:
    """Return Python in the format of this project."""
    command = [str(Path(sys.executable).with_name("ruff")), "format", "--stdin-filename", "generated.py", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
