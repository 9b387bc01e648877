"""Failures on demand: what goes wrong when somebody asks for it, so that people can try their clients.

The whole text, typed or spoken, has to be one of "simulate content filter",
"simulate failure", "simulate rate limit" and "simulate transcription failure".
The rules ask here before they look for an answer; the recognition queue asks
whether a transcription is to fail.
"""

from __future__ import annotations

from rtvoiced_server.answers.rules import LONGEST_COMMAND, plain
from rtvoiced_server.json_text import Json

FILTERED = "This answer will be cut off by the content filter before it"
"""What is still said of an answer that the content filter stops."""
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
_FAILED_TRANSCRIPTION = "simulate transcription failure"
TEXTS = (*_FAILURES, _FILTER, _FAILED_TRANSCRIPTION)
"""All that can be asked for; the recogniser's grammar listens for it."""


def simulated_failure(text: str) -> Json | None:
    """Return the error that *text* asks a response to fail with; None where it asks for none."""
    return _FAILURES.get(_asked(text))


def asks_for_content_filter(text: str) -> bool:
    """Tell whether *text* asks for an answer that the content filter stops."""
    return _asked(text) == _FILTER


def asks_for_failed_transcription(text: str) -> bool:
    """Tell whether *text*, which was heard, asks for its own transcription to fail."""
    return _asked(text) == _FAILED_TRANSCRIPTION


def _asked(text: str) -> str:
    return "" if len(text) > LONGEST_COMMAND else plain(text)
