"""The JSON of the wire: client events read, server events and error events made.

The texts and codes of the errors are the real server's. Everything in the session
that refuses a client event raises `Refused`; `rtvoiced_server.protocol.session`
turns it into the error event of `error_event`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from rtvoiced_server.json_text import Json, finite
from rtvoiced_server.protocol.ids import new_id

LONGEST_EVENT_ID = 512
"""Characters of an id that a client gives to its event."""


def event(kind: str, **fields: object) -> Json:
    """Return a server event of type *kind*."""
    return {"type": kind, "event_id": new_id("event"), **fields}


class Refused(Exception):  # noqa: N818
    """A client event is answered with an error event, and changes nothing."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def error_event(refused: Refused, event_id: object = None) -> Json:
    """Return the error event for *refused*, an answer to the client's event *event_id*."""
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


def decoded_event(message: str | bytes) -> Json:
    """Return the JSON object in the client's *message*, or raise `Refused`."""
    try:
        decoded = json.loads(message, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError) as failed:
        raise Refused("invalid_json", "The event is not valid JSON.") from failed
    if not isinstance(decoded, dict):
        raise Refused("invalid_event", "The event is not a JSON object.")
    return decoded


def listed(values: Sequence[str]) -> str:
    """Return *values* as the server lists them: 'a', 'b', and 'c'."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
