"""The events that tell what the user said: ``conversation.item.input_audio_transcription.*``.

The recognition queue calls these once the words of a part are known, and the
input audio handler for the silence of an idle timeout.
"""

from __future__ import annotations

from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import tokens
from rtvoiced_server.protocol.content_parts import InputAudioPart
from rtvoiced_server.protocol.items import words
from rtvoiced_server.protocol.wire import event

PREFIX = "conversation.item.input_audio_transcription"
WHOLE = "whisper-1"
"""The model that tells its text in one piece; all others tell it word by word."""


def completed(item_id: str, content_index: int, part: InputAudioPart, transcription: Json) -> list[Json]:
    """Return the events of *part*, whose words are known; the wire shows them in the part from now on.

    *transcription* is the session's setting of that name.
    """
    part.transcript = text = part.words
    ids = {"item_id": item_id, "content_index": content_index}
    pieces = words(text)
    if transcription.get("model") == WHOLE:
        pieces = [text] if text else []
    deltas = [event(f"{PREFIX}.delta", **ids, delta=piece) for piece in pieces]
    usage = _usage(part, transcription)
    return [*deltas, event(f"{PREFIX}.completed", **ids, transcript=text, usage=usage)]


def failed(item_id: str, content_index: int, message: str) -> Json:
    """Return the event that says why there is no transcription."""
    failure = {"type": "server_error", "code": "transcription_failed", "message": message, "param": None}
    return event(f"{PREFIX}.failed", item_id=item_id, content_index=content_index, error=failure)


def _usage(part: InputAudioPart, transcription: Json) -> Json:
    """Return what it cost: models that hear while one speaks bill seconds, the others tokens."""
    model = str(transcription.get("model", WHOLE))
    if "whisper" in model or "live" in model:
        return {"type": "duration", "seconds": round(part.ms / 1000, 2)}
    audio, text = tokens.of_user_audio(part.ms), tokens.of_text(part.words)
    return {
        "type": "tokens",
        "total_tokens": audio + text,
        "input_tokens": audio,
        "output_tokens": text,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
    }
