"""The texts of what is installed, made from the units and the plist that are shipped.

Pure but for the reading of those. Every file carries a mark, and only files
with that mark are ever overwritten or removed.
"""

from __future__ import annotations

import plistlib
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rtvoiced.errors import ConfigError

UNIT = "rtvoiced.service"
LABEL = "io.rtvoice.rtvoiced"
MARK = "rtctl service install"
"""Stands in every file that `rtctl service install` writes: another's is never overwritten."""
PLAIN = re.compile(r"[\w@+=:,./-]+")
"""A word that systemd and shells read as it is."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installed unit or plist starts."""

    program: str
    words: tuple[str, ...]
    """The flags behind it."""

    @property
    def provider(self) -> str | None:
        """The provider that stands there."""
        return next((after for word, after in pairwise(self.words) if word == "--provider"), None)


def shipped(name: str) -> str:
    """Return the text of a file of ``systemd/``, which a wheel carries as ``rtctl/units``."""
    package = Path(__file__).parents[1]
    units = package / "units"
    # In a checkout, which an editable installation is, it stands at the top.
    folder = units if units.is_dir() else package.parents[1] / "systemd"
    return (folder / name).read_text("utf-8")


def unit(name: str, command: Sequence[str]) -> str:
    """Return the shipped unit *name* that starts *command*."""
    line = "ExecStart=" + " ".join(_quoted(word, first=not at) for at, word in enumerate(command))
    text, count = re.subn(r"^ExecStart=.*$", lambda _: line, shipped(name), flags=re.MULTILINE)
    assert count == 1, f"{name} has {count} ExecStart="
    return text


def started_by_unit(text: str) -> Installed | None:
    """Return what the unit *text* starts, or None where it is none that `unit` made."""
    found = re.search(r"^ExecStart=(.+)$", text, re.MULTILINE)
    try:
        words = shlex.split(found[1]) if found else []
    except ValueError:
        return None
    words = [word.replace("%%", "%") for word in words]
    return Installed(words[0], tuple(word.replace("$$", "$") for word in words[1:])) if words else None


def key_conf(keys: Iterable[Path]) -> str:
    """Return the drop-in that hands *keys* to the service as credentials of their files' names."""
    lines = [f"LoadCredential={path.name}:{str(path).replace('%', '%%')}" for path in keys]
    return "\n".join([f"# Written by {MARK}: exists only while there is a key.", "[Service]", *lines, ""])


def plist(command: Sequence[str], logs: Path) -> str:
    """Return the shipped plist that starts *command* and logs into the directory *logs*."""
    made = plistlib.loads(shipped(f"{LABEL}.plist").encode())
    made["ProgramArguments"] = list(command)
    made["StandardOutPath"] = made["StandardErrorPath"] = str(logs / "rtvoiced.log")
    text = plistlib.dumps(made, sort_keys=False).decode()
    head, doctype, rest = text.partition('<plist version="1.0">')
    return f"{head}<!-- Written by {MARK}. -->\n{doctype}{rest}"


def started_by_plist(text: str) -> Installed | None:
    """Return what the plist *text* starts, or None where it can't be read."""
    try:
        words = plistlib.loads(text.encode())["ProgramArguments"]
    except (plistlib.InvalidFileException, ValueError, KeyError, TypeError):
        return None
    return Installed(words[0], tuple(words[1:])) if words else None


def _quoted(word: str, *, first: bool) -> str:
    """Return *word* as systemd.service(5) reads it back: no specifier, no variable, no second word."""
    if not word.isprintable():
        raise ConfigError(f"{word!r} can't stand in a unit: it has characters that are no letters")
    word = word.replace("%", "%%")
    if first and set(word) & set("\"'\\"):
        raise ConfigError(f"systemd starts no program whose path has a quote or a backslash: {word}")
    if not first:
        # The program's own path is the one word in which systemd expands no variable.
        word = word.replace("$", "$$")
    if PLAIN.fullmatch(word.replace("%", "").replace("$", "")):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
