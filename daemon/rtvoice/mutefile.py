"""The mute that survives a restart: a microphone that somebody switched off stays off."""

from __future__ import annotations

import json
from pathlib import Path

import structlog

from rtvoice.inputs import Begun

log = structlog.get_logger()


class MuteFile:
    """A small JSON file in the state directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, start_muted: bool, wall: float) -> Begun:
        """Return how the last run left the microphone; *wall* is now in Unix seconds.

        A file that can't be read means muted: the safe way to be wrong.
        """
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
            muted, until = bool(raw["muted"]), raw["until"]
            left = None if until is None else float(until) - wall
        except FileNotFoundError:
            return Begun(start_muted)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("mute.unreadable", path=str(self._path), problem=str(error))
            return Begun(muted=True)
        if muted and (left is None or left > 0):
            return Begun(True, left, until)
        return Begun(start_muted)

    def write(self, muted: bool, until: float | None) -> None:
        """Keep it; a full disk is logged and the daemon goes on."""
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps({"muted": muted, "until": until}), encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            log.error("mute.not_kept", path=str(self._path), problem=error.strerror)
