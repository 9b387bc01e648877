"""A script of utterances for the WAV card: what is said, and when.

A script is a TOML file with a list of ``[[utterance]]``; docs/examples/dialogue.toml is one. Each
has a ``text`` to be spoken or a ``file`` to be played, and begins when the answer to the
one before has drained, or has been audible for ``after_audible_ms``; after that it waits
for ``pause_ms``. `read_script` reads it, `Cue` finds the moment, block by block.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtvoiced.errors import ConfigError

QUIET_S = 0.5
"""Seconds without a sound after which an answer is over."""
NO_ANSWER_S = 20.0
"""Seconds that the next utterance waits for an answer that does not come."""
ANSWER_MAX_S = 120.0
"""Seconds that the next utterance waits in any case, at most."""
TAIL_S = 2.0
"""Seconds in which what still sounds after an utterance is taken for the answer that it interrupted."""


@dataclass(frozen=True, slots=True)
class ScriptedUtterance:
    """One thing to be said."""

    text: str
    """What is spoken, or the name of the file."""
    file: Path | None
    """The WAV file that is played; None where the text is spoken."""
    voice: str
    """The voice that speaks; empty: the synthesiser's own."""
    after_audible_ms: int | None
    """How long the answer has to be audible before this begins; None: it begins when the answer has
    drained."""
    pause_ms: int
    """How long it waits after that."""


def read_script(path: Path) -> tuple[ScriptedUtterance, ...]:
    """Return the utterances of a ``.toml`` script. Raises ConfigError that names file, utterance and key."""
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
    """Read one ``[[utterance]]``, the *number*-th. Raises ConfigError."""

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
    """Finds when the next utterance may begin; it is asked every block.

    *first*: there is no answer to wait for. *now* is when the utterance before ended.
    """

    def __init__(self, first: bool, now: float) -> None:
        self._first = first
        self._since = self._last = self._quiet_since = now
        self._audible_s = 0.0
        """How long the answer was audible so far."""
        self._tail = True
        """Whether what sounds is still the answer that was interrupted."""
        self._met_at: float | None = None
        """When the condition was met; then the pause begins."""

    def reached(self, utterance: ScriptedUtterance, now: float, sounding: bool) -> bool:
        """Tell whether *utterance* begins now; *sounding* tells whether an answer is heard now."""
        self._tail = self._tail and sounding and now - self._since < TAIL_S
        if sounding:
            self._audible_s += 0.0 if self._tail else now - self._last
            self._quiet_since = now
        self._last = now
        if self._met_at is None and (self._first or self._met(utterance, now)):
            self._met_at = now
        return self._met_at is not None and (now - self._met_at) * 1000 >= utterance.pause_ms

    def _met(self, utterance: ScriptedUtterance, now: float) -> bool:
        """Tell whether the answer before has gone far enough, or was waited for long enough."""
        waited_s = now - self._since
        if waited_s >= ANSWER_MAX_S or (not self._audible_s and waited_s >= NO_ANSWER_S):
            return True
        # The answer was shorter than the script thought: then its end will do.
        drained = self._audible_s > 0 and now - self._quiet_since >= QUIET_S
        wanted_ms = utterance.after_audible_ms
        return drained or (
            wanted_ms is not None and self._audible_s > 0 and self._audible_s * 1000 >= wanted_ms
        )
