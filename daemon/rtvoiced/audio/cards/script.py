"""A script of utterances for the WAV card: what is said, and when."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtvoiced.errors import ConfigError

QUIET_S = 0.5
"""An answer is over when nothing has sounded for so long."""
NO_ANSWER_S = 20.0
"""An utterance that nobody answered does not hold up the next for longer."""
ANSWER_MAX_S = 120.0
TAIL_S = 2.0
"""What still sounds when an utterance ends is the answer that it interrupts, for up to so long."""


@dataclass(frozen=True, slots=True)
class ScriptedUtterance:
    """One thing to be said."""

    text: str
    """What is spoken, or the name of the file."""
    file: Path | None
    voice: str
    after_audible_ms: int | None
    """Begin when the answer has been audible for so long; None: when it has drained."""
    pause_ms: int


def read_script(path: Path) -> tuple[ScriptedUtterance, ...]:
    """Return the utterances of a ``.toml`` script. Raises ConfigError naming file, utterance and key."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    for key in tables:
        if key != "utterance":
            raise ConfigError(f"{path}: unknown key {key!r}; a script is a list of [[utterance]]")
    rows = tables.get("utterance")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path}: no [[utterance]]")
    return tuple(_utterance(path, number, row) for number, row in enumerate(rows, 1))


def _utterance(path: Path, number: int, row: dict[str, Any]) -> ScriptedUtterance:
    def refuse(key: str, reason: str) -> ConfigError:
        return ConfigError(f"{path}: utterance {number}: {key}: {reason}")

    types = {"text": str, "file": str, "voice": str, "after": str, "after_audible_ms": int, "pause_ms": int}
    for key, value in row.items():
        if key not in types:
            raise refuse(key, f"unknown key; known are {', '.join(types)}")
        if type(value) is not types[key]:
            raise refuse(key, "must be a whole number" if types[key] is int else "must be a string")
        if isinstance(value, int) and value < 0:
            raise refuse(key, "must not be negative")
    if ("text" in row) == ("file" in row):
        raise refuse("text", "either text or file must be given, and not both")
    if not row.get("text", row.get("file")):
        raise refuse("text" if "text" in row else "file", "is empty")
    if row.get("after", "drained") != "drained":
        raise refuse("after", 'can only be "drained"')
    if "after" in row and "after_audible_ms" in row:
        raise refuse("after_audible_ms", "cannot be given together with after")
    if "file" in row and "voice" in row:
        raise refuse("voice", "is for text, not for a file")
    file = path.parent / row["file"] if "file" in row else None
    text = row.get("text") or Path(row["file"]).name
    return ScriptedUtterance(
        text, file, row.get("voice", ""), row.get("after_audible_ms"), row.get("pause_ms", 0)
    )


class Cue:
    """When the next utterance may begin; asked every block."""

    def __init__(self, first: bool, now: float) -> None:
        self._first = first
        self._since = self._last = self._quiet_since = now
        self._audible_s = 0.0
        self._tail = True
        self._met_at: float | None = None

    def reached(self, utterance: ScriptedUtterance, now: float, sounding: bool) -> bool:
        """Tell whether *utterance* begins now; *sounding*: whether an answer is heard now."""
        self._tail = self._tail and sounding and now - self._since < TAIL_S
        if sounding:
            self._audible_s += 0.0 if self._tail else now - self._last
            self._quiet_since = now
        self._last = now
        if self._met_at is None and (self._first or self._met(utterance, now)):
            self._met_at = now
        return self._met_at is not None and (now - self._met_at) * 1000 >= utterance.pause_ms

    def _met(self, utterance: ScriptedUtterance, now: float) -> bool:
        waited_s = now - self._since
        if waited_s >= ANSWER_MAX_S or (not self._audible_s and waited_s >= NO_ANSWER_S):
            return True
        # The answer was shorter than the script thought: then its end will do.
        drained = self._audible_s > 0 and now - self._quiet_since >= QUIET_S
        wanted_ms = utterance.after_audible_ms
        return drained or (
            wanted_ms is not None and self._audible_s > 0 and self._audible_s * 1000 >= wanted_ms
        )
