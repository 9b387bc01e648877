"""What things cost, in tokens: by simple shares, for there is no tokenizer here. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rtvoiced_server.protocol.wire import Json

USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50
CHARS_PER_TOKEN = 4
"""About what a token is in English."""
OF_IMAGE = {"low": 85, "auto": 765, "high": 765}
"""By the detail; a picture of 1024 by 1024 in full, whatever its true size."""
MOST_OUTPUT = 4_096
"""Of one response: what "inf" comes to, as with the real models."""


class Tokens(NamedTuple):
    """How many tokens of each kind."""

    text: int = 0
    audio: int = 0
    image: int = 0


def total(counts: Iterable[Tokens]) -> Tokens:
    """Return the sum."""
    return Tokens(*map(sum, zip(Tokens(), *counts, strict=True)))


def of_text(text: str) -> int:
    """Return about how many tokens *text* has."""
    return -(-len(text) // CHARS_PER_TOKEN)


def of_heard(ms: int) -> int:
    """Return how many tokens *ms* of the user's voice have."""
    return -(-ms // USER_MS_PER_TOKEN)


def of_spoken(ms: int) -> int:
    """Return how many tokens *ms* of the assistant's voice have."""
    return -(-ms // ASSISTANT_MS_PER_TOKEN)


def usage(came: Tokens, went: Tokens) -> Json:
    """Return the ``usage`` of a response that read *came* and made *went*; nothing is ever cached."""
    return {
        "total_tokens": sum(came) + sum(went),
        "input_tokens": sum(came),
        "output_tokens": sum(went),
        "input_token_details": {
            "text_tokens": came.text,
            "audio_tokens": came.audio,
            "image_tokens": came.image,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": went.text, "audio_tokens": went.audio},
    }
