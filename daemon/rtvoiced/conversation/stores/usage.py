"""What the responses cost: tokens by kind, of each response and of the run. Pure.

Written by `ResponseHandler` at each ``response.done``. The numbers go out with
the event `usage`; nothing else in the daemon depends on them.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from rtvoiced.conversation.effects import Effect, Publish
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events

KINDS = (
    "total",
    "input",
    "input_text",
    "input_audio",
    "input_image",
    "input_cached",
    "input_cached_text",
    "input_cached_audio",
    "output",
    "output_text",
    "output_audio",
)
"""``input_cached`` is a part of ``input``, as the other kinds of input are: never add it to them."""
REMEMBERED = 16
"""How many responses are remembered whose tokens are counted already: none counts twice."""


class UsageStore:
    """The sums over the run of the daemon."""

    def __init__(self) -> None:
        self._run = dict.fromkeys(KINDS, 0)
        self._counted: deque[str] = deque(maxlen=REMEMBERED)

    def on_response_done(self, event: events.ResponseDone) -> list[Effect]:
        """Count the tokens of a response, wanted or not: a cut one is paid for as well."""
        if event.usage is None or event.response_id in self._counted:
            return []
        self._counted.append(event.response_id)
        response = flat(event.usage)
        for kind, tokens in response.items():
            self._run[kind] += tokens
        return [Publish(ipc.Usage(event.response_id, response, dict(self._run)))]


def flat(usage: dict[str, Any]) -> dict[str, int]:
    """Return the ``usage`` of a ``response.done`` by kind; what a server leaves out is 0."""
    came, went = _object(usage, "input_token_details"), _object(usage, "output_token_details")
    cached = _object(came, "cached_tokens_details")
    total_in, total_out = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    return {
        "total": _count(usage, "total_tokens") or total_in + total_out,
        "input": total_in,
        "input_text": _count(came, "text_tokens"),
        "input_audio": _count(came, "audio_tokens"),
        "input_image": _count(came, "image_tokens"),
        "input_cached": _count(came, "cached_tokens"),
        "input_cached_text": _count(cached, "text_tokens"),
        "input_cached_audio": _count(cached, "audio_tokens"),
        "output": total_out,
        "output_text": _count(went, "text_tokens"),
        "output_audio": _count(went, "audio_tokens"),
    }


def _object(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _count(raw: dict[str, Any], key: str) -> int:
    value = raw.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
