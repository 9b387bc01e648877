"""What goes wrong when somebody asks for it, so that people can try their clients. Pure.

Typed or spoken, as the whole text: "simulate content filter", "simulate
failure", "simulate rate limit" and "simulate transcription failure".
"""

from __future__ import annotations

from rtvoiced_server.answers.rules import LONGEST_COMMAND, plain
from rtvoiced_server.protocol.wire import Json

FILTERED = "This answer will be cut off by the content filter before it"
"""What is still said of an answer that the filter stops."""
_FAILURES: dict[str, Json] = {
    "simulate failure": {
        "type": "server_error",
        "code": "server_error",
        "message": "The response failed because the user asked for a failure.",
    },
    "simulate rate limit": {
        "type": "tokens",
        "code": "rate_limit_exceeded",
        "message": "The response failed because the user asked for an exceeded rate limit. "
        "Please try again in 1s.",
    },
}


_FILTER = "simulate content filter"
_UNHEARD = "simulate transcription failure"
TEXTS = (*_FAILURES, _FILTER, _UNHEARD)
"""All that can be asked for."""


def failure(text: str) -> Json | None:
    """Return the error that *text* asks a response to fail with."""
    return _FAILURES.get(_asked(text))


def filtered(text: str) -> bool:
    """Tell whether *text* asks for a content filter."""
    return _asked(text) == _FILTER


def unheard(text: str) -> bool:
    """Tell whether *text*, which was heard, asks for a failed transcription."""
    return _asked(text) == _UNHEARD


def _asked(text: str) -> str:
    return "" if len(text) > LONGEST_COMMAND else plain(text)
