"""The JSON of the wire: events, ids, errors. Texts and codes are the real server's."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rtvoiced_server.protocol.ids import IDS

Json = dict[str, Any]
LONGEST_EVENT_ID = 512
"""Characters of an id that a client gives to its event."""


def finite(text: str) -> float:
    """Return the number in *text*; NaN and what is too large are no JSON, and could not be sent back."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


DECODER = json.JSONDecoder(parse_float=finite, parse_constant=finite)


def new_id(prefix: str) -> str:
    """Return a fresh id, such as ``item_3f9c…``: 26 characters at most."""
    return IDS.get().new(prefix)


def event(kind: str, **fields: object) -> Json:
    """Return a server event of type *kind*."""
    return {"type": kind, "event_id": new_id("event"), **fields}


class Refused(Exception):  # noqa: N818
    """A client event that is answered with an error event and changes nothing."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def error(refused: Refused, event_id: object = None) -> Json:
    """Return the error event for *refused*, an answer to the client's *event_id*."""
    return event(
        "error",
        error={
            "type": "invalid_request_error",
            "code": refused.code,
            "message": refused.message,
            "param": refused.param,
            "event_id": event_id if isinstance(event_id, str) and len(event_id) <= LONGEST_EVENT_ID else None,
        },
    )


def listed(values: Sequence[str]) -> str:
    """Return *values* as the server lists them: 'a', 'b', and 'c'."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


@dataclass(frozen=True, slots=True)
class Send:
    """Send *event* to the client."""

    event: Json
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Hear:
    """Recognise *audio* (PCM at 24 kHz) and tell `Session.heard`."""

    item_id: str
    """The item's, or another id where the item is no part of the conversation."""
    audio: bytes
    phrases: tuple[str, ...] = ()
    """What else may be said in this session: the names of its tools, as words."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Say *text* and tell `Session.begin_sentence`, `play` and `finish`."""

    response_id: str
    text: str
    voice: str
    speed: float


@dataclass(frozen=True, slots=True)
class Hush:
    """Stop saying the answer of *response_id*."""

    response_id: str


Output = Send | Hear | Speak | Hush
"""What a session wants done, in order."""
