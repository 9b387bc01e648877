"""The pieces of a session's protocol: what comes in as JSON, and the events that tell of an item."""

from __future__ import annotations

import base64
import binascii
import json

from rtvoice.audio.pcm import FRAME_BYTES
from rtvoice.local import checks
from rtvoice.local.items import Item, text_tokens, words
from rtvoice.local.wire import Json, Refused, event

BAD_AUDIO = "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got"
LARGEST_APPEND = 15 << 20
"""Bytes of base64 in one append: the real limit."""


def decoded(message: str | bytes) -> Json:
    """Return the JSON object in *message*, or raise `Refused`."""
    try:
        told = json.loads(message)
    except (ValueError, RecursionError) as failed:
        raise Refused("invalid_json", "The event is not valid JSON.") from failed
    if not isinstance(told, dict):
        raise Refused("invalid_event", "The event is not a JSON object.")
    return told


def appended(encoded: object) -> bytes:
    """Return the PCM in the base64 of an append, or raise `Refused`."""
    if encoded is None:
        raise checks.missing("audio")
    if not isinstance(encoded, str):
        raise checks.wrong_type("audio", "a string", encoded)
    try:
        if len(encoded) > LARGEST_APPEND:
            raise ValueError(len(encoded))
        audio = base64.b64decode(encoded, validate=True)
        if len(audio) % FRAME_BYTES:
            raise ValueError(len(audio))
    except (ValueError, binascii.Error) as failed:
        message = f"{BAD_AUDIO} an invalid value."
        raise Refused("invalid_value", message, "audio") from failed
    if not audio:
        message = f"{BAD_AUDIO} empty bytes."
        raise Refused("invalid_value", message, "audio")
    return audio


def announced(item: Item, previous: str | None) -> list[Json]:
    """Return the two events that tell of a new item."""
    names = ("conversation.item.added", "conversation.item.done")
    return [event(name, previous_item_id=previous, item=item.wire()) for name in names]


def transcribed(item: Item, text: str | None, transcription: Json) -> list[Json]:
    """Return the transcription of the user's *item*, which failed when *text* is None; the item takes it."""
    prefix = "conversation.item.input_audio_transcription"
    ids = {"item_id": item.id, "content_index": 0}
    if text is None:
        failure = {
            "type": "server_error",
            "code": "transcription_failed",
            "message": "The recogniser failed.",
            "param": None,
        }
        return [event(f"{prefix}.failed", **ids, error=failure)]
    item.transcript = text
    deltas = [event(f"{prefix}.delta", **ids, delta=word) for word in words(text)] if text else []
    return [
        *deltas,
        event(f"{prefix}.completed", **ids, transcript=text, usage=_transcription_usage(item, transcription)),
    ]


def _transcription_usage(item: Item, transcription: Json) -> Json:
    """Models that hear while one speaks are billed by the second, the others by the token."""
    model = str(transcription.get("model", "whisper"))
    if "whisper" in model or "live" in model:
        return {"type": "duration", "seconds": round(item.ms / 1000, 2)}
    audio, text = item.tokens()[1], text_tokens(item.text)
    return {
        "type": "tokens",
        "total_tokens": audio + text,
        "input_tokens": audio,
        "output_tokens": text,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
    }
