"""Reads an API key from a file: nobody else may open it, and it holds one word.

The daemon and the embedded server use it. A key is never part of a message: errors name the file or the
variable in which it was found.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rtvoiced.errors import ConfigError


def private(path: Path, origin: str) -> str:
    """Return the key in *path*, which nobody else may open; raises ConfigError that names *origin*."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{origin}: cannot read {path}: {error.strerror}") from None
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{origin}: {path} is open to others ({stat.S_IMODE(mode):04o}); chmod 600 it")
    return one_line(path)


def one_line(path: Path) -> str:
    """Return the key in *path*, whoever may open it; raises ConfigError that names the file."""
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is no text"
        raise ConfigError(f"cannot read the key in {path}: {reason}") from None
    return checked(key, str(path))


def checked(key: str, where: str) -> str:
    """Return *key* if it is one word of ASCII; raises ConfigError that names *where* it was found."""
    # A key with a line break in it would become a second HTTP header.
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"the key in {where} is empty, or holds more than one word")
    return key
