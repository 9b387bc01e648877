"""What text, audio and pictures cost, in tokens.

There is no tokenizer here: audio costs by its time, text by its length, a picture
by its detail. The counts make up the ``usage`` of responses and transcriptions,
and ``max_output_tokens`` is held against them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rtvoiced_server.json_text import Json
from rtvoiced_server.vocabulary import ImageDetail

USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50
CHARS_PER_TOKEN = 4
"""About the length of a token in English."""
OF_IMAGE = {ImageDetail.LOW: 85, ImageDetail.AUTO: 765, ImageDetail.HIGH: 765}
"""Tokens of a picture, by its detail: in full, those of 1024 by 1024 pixels, whatever its true size."""
MOST_OUTPUT = 4_096
"""Tokens of one response: what "inf" comes to, as with the real models."""


class TokenCounts(NamedTuple):
    """How many tokens of each kind something costs."""

    text: int = 0
    audio: int = 0
    image: int = 0


def total(counts: Iterable[TokenCounts]) -> TokenCounts:
    """Return the sum of *counts*, kind by kind."""
    return TokenCounts(*map(sum, zip(TokenCounts(), *counts, strict=True)))


def of_text(text: str) -> int:
    """Return about how many tokens *text* has."""
    return -(-len(text) // CHARS_PER_TOKEN)


def of_user_audio(ms: int) -> int:
    """Return how many tokens *ms* of the user's voice have."""
    return -(-ms // USER_MS_PER_TOKEN)


def of_assistant_audio(ms: int) -> int:
    """Return how many tokens *ms* of the assistant's voice have."""
    return -(-ms // ASSISTANT_MS_PER_TOKEN)


def usage(read: TokenCounts, made: TokenCounts) -> Json:
    """Return the ``usage`` of a response that read and made so many tokens; nothing is ever cached."""
    return {
        "total_tokens": sum(read) + sum(made),
        "input_tokens": sum(read),
        "output_tokens": sum(made),
        "input_token_details": {
            "text_tokens": read.text,
            "audio_tokens": read.audio,
            "image_tokens": read.image,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": made.text, "audio_tokens": made.audio},
    }
