"""The mute that survives a restart: a microphone that somebody switched off stays off.

The effect `SaveMute` writes the file (``mute.json`` in the state directory) whenever
the mute changes, and the next daemon begins as it says. A mute for a time goes on
for what is left of it. The file is replaced as a whole, so that a crash leaves the
old one or the new one:

    {"muted": true, "until": 1795204160.0}
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import structlog

from rtvoiced.clocks import WallClock
from rtvoiced.conversation.inputs import Begun

log = structlog.get_logger()


class MuteFile:
    """The file at *path*, of which this process is the only writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: tuple[bool, float | None] | None = None
        """What the file holds, as far as this run knows."""

    def read(self, start_muted: bool, wall: float) -> Begun:
        """Return how the last run left the microphone; *wall* is now, in Unix seconds.

        Without a file, and after a mute that has run out, *start_muted* decides. A file
        that can't be read means muted: that is the safe way to be wrong.
        """
        try:
            muted, until = _checked(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Begun(start_muted)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            log.warning("mute.unreadable", path=str(self._path), problem=str(error))
            return Begun(muted=True)
        if muted and until is None:
            return Begun(True)
        if muted and until is not None and until > wall:
            return Begun(True, until - wall, WallClock(until))
        return Begun(start_muted)

    def write(self, muted: bool, until: float | None) -> None:
        """Keep the mute and its end, in Unix seconds or None; where that fails, it is logged and no more."""
        if (muted, until) == self._written:
            return
        fresh = self._path.with_suffix(".new")
        try:
            if self._written is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps({"muted": muted, "until": until}), encoding="utf-8")
            fresh.replace(self._path)
            self._written = (muted, until)
        except OSError as error:
            self._written = None
            log.error("mute.not_kept", path=str(self._path), problem=error.strerror)


def _checked(raw: Any) -> tuple[bool, float | None]:
    """Return muted and until.

    Raises ValueError, KeyError or TypeError for anything that `MuteFile.write` never wrote.
    """
    muted, until = raw["muted"], raw["until"]
    if not isinstance(muted, bool) or isinstance(until, bool):
        raise TypeError("not written by rtvoice")
    if until is not None and not math.isfinite(until):
        raise ValueError("no time")
    return muted, until
