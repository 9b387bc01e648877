"""Recordings of sessions: a file of JSON lines each, the events of both directions as they were on the wire.

`rtvoiced_server.net.connection` hands every message to its recording. A line is

    {"time": 1795204195.672, "direction": "client", "dialect": "ga", "event": {…}}

and the other words are ``server`` and ``beta``. Audio and pictures are left out, and
a string tells their size; so are the keys of MCP servers. A message that is no JSON
object has ``"event": null`` and the beginning of its text in ``"unreadable"``.
"""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import structlog

from rtvoiced.errors import ConfigError
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol.wire import Refused, decoded_event
from rtvoiced_server.vocabulary import DialectName

LARGEST_FILE = 32 << 20
"""Bytes of one session: 32 MiB, about an hour; its last line then says that it is not whole."""
MOST_FILES = 100
"""How many files a folder keeps; the oldest are deleted."""
SUFFIX = ".events.jsonl"
LONGEST_UNREADABLE = 200
"""Characters of a message that is no JSON object."""
AUDIO_DELTAS = ("response.output_audio.delta", "response.audio.delta")
DATA_URL = "data:"
SECRETS = ("authorization", "headers")
"""The fields of a tool of type ``mcp`` that hold keys."""

log = structlog.get_logger()


class SessionRecordings:
    """A folder of recordings. Raises ConfigError where it can't be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(0, "not allowed to write there")
        except OSError as error:
            raise ConfigError(f"--record: cannot use {folder}: {error.strerror}") from None

    def begin(self, dialect: DialectName) -> SessionRecording | None:
        """Return a new recording; None when the folder can't take it, which is logged."""
        self._count += 1
        begun = f"{datetime.now().astimezone():%Y%m%dT%H%M%S}-{os.getpid()}-{self._count:05}"
        path = self._folder / f"{begun}{SUFFIX}"
        try:
            for old in sorted(self._folder.glob(f"*{SUFFIX}"))[: 1 - MOST_FILES]:
                old.unlink(missing_ok=True)
            file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
        except OSError as error:
            log.warning("recording.failed", path=str(path), reason=error.strerror)
            return None
        return SessionRecording(file, dialect)


class SessionRecording:
    """One session's file; each line is written at once, so that it is there whatever happens next."""

    def __init__(self, file: IO[bytes], dialect: DialectName) -> None:
        self._file = file
        self._dialect = dialect
        self._size = 0

    def client(self, message: str | bytes) -> None:
        """Record what the client sent."""
        try:
            self._line("client", event=elided(decoded_event(message)))
        except (Refused, RecursionError):
            text = message[:LONGEST_UNREADABLE]
            shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
            self._line("client", event=None, unreadable=shown)

    def server(self, event: Json) -> None:
        """Record what the client is sent."""
        self._line("server", event=elided(event))

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _line(self, direction: str, **fields: Any) -> None:
        if self._file.closed:
            return
        head = {"time": round(time.time(), 3), "direction": direction, "dialect": self._dialect}
        line = json.dumps({**head, **fields}).encode() + b"\n"
        self._size += len(line)
        if self._size > LARGEST_FILE:
            line = (
                json.dumps({**head, "event": None, "unreadable": "the recording ends here"}).encode() + b"\n"
            )
        try:
            self._file.write(line)
        except OSError as error:
            log.warning("recording.failed", reason=error.strerror)
            self.close()
        if self._size > LARGEST_FILE:
            self.close()


def elided(event: Json) -> Json:
    """Return *event* with the size of all audio and pictures in their place, and no keys."""
    kind = event.get("type")
    if kind in AUDIO_DELTAS and isinstance(event.get("delta"), str):
        return {**event, "delta": _size(event["delta"])}
    made: Json = _without(event)
    return made


def _without(value: Any) -> Any:
    if isinstance(value, list):
        return [_without(each) for each in value]
    if not isinstance(value, dict):
        return value
    secret = SECRETS if value.get("type") == "mcp" else ()
    return {
        key: "(not recorded)" if key in secret else _elided_field(key, each) for key, each in value.items()
    }


def _elided_field(key: str, value: Any) -> Any:
    if isinstance(value, str) and (key == "audio" or (key == "image_url" and value.startswith(DATA_URL))):
        return _size(value)
    return _without(value)


def _size(text: str) -> str:
    return f"({len(text)} characters of base64)"
