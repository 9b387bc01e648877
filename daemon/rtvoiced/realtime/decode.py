"""Reads server events from the wire, whatever dialect they are in. Pure.

The link calls `decode` for every message. There is one tolerant reader for all
servers: the names of other dialects are aliases (`dialects.ALIASES`), no field is required that
some server leaves out without harm, and known deviations are named where they are
read. What can't be read raises `UnreadableEventError`, and the session goes on.

>>> decode('{"type": "input_audio_buffer.speech_started", "item_id": "i1", "audio_start_ms": 10}')
SpeechStarted(item_id='i1', audio_start_ms=10, heard_at=None)

To read one more event, write a reader, put it into `READERS`, and its dataclass into
`realtime.events.server`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any

from rtvoiced.dsp.pcm import WIRE, Part
from rtvoiced.realtime import events
from rtvoiced.realtime.dialects import ALIASES, dialect_of
from rtvoiced.realtime.events import ServerEvent


class UnreadableEventError(ValueError):
    """The server sent something that can't be read; the session goes on without it."""


def decode(message: str | bytes) -> ServerEvent:
    """Return the event in one WebSocket message; raises `UnreadableEventError`.

    An event that rtvoice has no use for becomes `events.Ignored`.
    """
    if isinstance(message, bytes):
        raise UnreadableEventError("binary frame")
    try:
        raw = json.loads(message, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise UnreadableEventError(f"not JSON: {error}") from None
    name = raw.get("type") if isinstance(raw, dict) else None
    if not isinstance(name, str):
        raise UnreadableEventError("no type")
    name = ALIASES.get(name, name)
    reader = READERS.get(name)
    if reader is None:
        return events.Ignored(name)
    try:
        return reader(raw)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnreadableEventError(f"{name}: {type(error).__name__}: {error}") from None


def _session_created(raw: dict[str, Any]) -> ServerEvent:
    session = _object(raw.get("session"))
    return events.SessionCreated(
        session_id=_text_or_none(session, "id"),
        expires_at=_number_or_none(session, "expires_at"),
        shape=dialect_of(session),
    )


def _session_updated(raw: dict[str, Any]) -> ServerEvent:
    session = _object(raw.get("session"))
    audio = _object(session.get("audio"))
    audio_in, audio_out = _object(audio.get("input")), _object(audio.get("output"))
    voice = audio_out.get("voice", session.get("voice"))
    if isinstance(voice, dict):
        # Azure Voice Live names it, OpenAI gives a custom voice an id.
        voice = voice.get("name") or voice.get("id")
    return events.SessionUpdated(
        session_id=_text_or_none(session, "id"),
        expires_at=_number_or_none(session, "expires_at"),
        voice=voice if isinstance(voice, str) else None,
        model=_text_or_none(session, "model"),
        input_hz=_rate(audio_in.get("format"), session.get("input_audio_sampling_rate")),
        output_hz=_rate(audio_out.get("format"), None),
        client_managed_turns=_client_managed_turns(
            audio_in.get("turn_detection", session.get("turn_detection"))
        ),
    )


def _client_managed_turns(detection: object) -> bool | None:
    """Return whether the VAD does nothing by itself; None where that is not told."""
    flags = [_object(detection).get(name) for name in ("create_response", "interrupt_response")]
    if True in flags:
        return False
    return True if flags == [False, False] else None


def _rate(form: object, beside: object) -> int:
    """Return the rate of a format; the beta protocol names formats by a word and means 24 kHz.

    *beside* is the rate that some servers put beside the format. Raises ValueError.
    """
    known = _object(form)
    given = (known.get("rate"), known.get("sample_rate"), beside)
    rate = next((each for each in given if each is not None), WIRE.hz)
    if not isinstance(rate, int | float) or not 8_000 <= rate <= 96_000:
        raise ValueError(f"format.rate {rate!r}")
    return int(rate)


def _speech_started(raw: dict[str, Any]) -> ServerEvent:
    return events.SpeechStarted(_text(raw, "item_id"), _whole(raw, "audio_start_ms"))


def _speech_stopped(raw: dict[str, Any]) -> ServerEvent:
    return events.SpeechStopped(_text(raw, "item_id"), _whole(raw, "audio_end_ms"))


def _committed(raw: dict[str, Any]) -> ServerEvent:
    return events.Committed(_text(raw, "item_id"), _text_or_none(raw, "previous_item_id"))


def _item_added(raw: dict[str, Any]) -> ServerEvent:
    item = raw["item"]
    previous = _text_or_none(raw, "previous_item_id")
    return events.ItemAdded(_text(item, "id"), _text_or_none(item, "role"), previous)


def _user_delta(raw: dict[str, Any]) -> ServerEvent:
    return events.UserTranscriptDelta(_text(raw, "item_id"), _text_or_nothing(raw, "delta"))


def _user_done(raw: dict[str, Any]) -> ServerEvent:
    return events.UserTranscriptDone(_text(raw, "item_id"), _text_or_nothing(raw, "transcript").strip())


def _user_failed(raw: dict[str, Any]) -> ServerEvent:
    return events.UserTranscriptFailed(_text(raw, "item_id"), _error(raw)[1])


def _response_created(raw: dict[str, Any]) -> ServerEvent:
    response = raw["response"]
    return events.ResponseCreated(
        response_id=_text(response, "id"),
        request=_request(response),
        kind=_text_or_none(_object(response.get("metadata")), "kind"),
        conversation_id=_text_or_none(response, "conversation_id"),
    )


def _output_item_added(raw: dict[str, Any]) -> ServerEvent:
    item = raw["item"]
    kind = _text_or_none(item, "type") or "message"
    return events.OutputItemAdded(_text(raw, "response_id"), _text(item, "id"), kind)


def _audio_delta(raw: dict[str, Any]) -> ServerEvent:
    try:
        pcm = base64.b64decode(raw["delta"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"delta: {error}") from None
    return events.AudioDelta(_part(raw), pcm)


def _audio_done(raw: dict[str, Any]) -> ServerEvent:
    return events.AudioDone(_part(raw))


def _transcript_delta(raw: dict[str, Any]) -> ServerEvent:
    return _delta(raw, written=False)


def _transcript_done(raw: dict[str, Any]) -> ServerEvent:
    return _text_is_done(raw, "transcript", written=False)


def _text_delta(raw: dict[str, Any]) -> ServerEvent:
    return _delta(raw, written=True)


def _text_done(raw: dict[str, Any]) -> ServerEvent:
    return _text_is_done(raw, "text", written=True)


def _delta(raw: dict[str, Any], *, written: bool) -> ServerEvent:
    response_id = _text_or_nothing(raw, "response_id")
    return events.TextDelta(response_id, _text(raw, "item_id"), _text(raw, "delta"), written)


def _text_is_done(raw: dict[str, Any], key: str, *, written: bool) -> ServerEvent:
    response_id = _text_or_nothing(raw, "response_id")
    return events.TextDone(response_id, _text(raw, "item_id"), _text_or_nothing(raw, key), written)


def _response_done(raw: dict[str, Any]) -> ServerEvent:
    response = raw["response"]
    details = response.get("status_details")
    code, message = _error(_object(details))
    return events.ResponseDone(
        response_id=_text(response, "id"),
        status=_text_or_none(response, "status") or "completed",
        # xAI sends a sentence in place of the object.
        reason=details if isinstance(details, str) else _text_or_none(_object(details), "reason"),
        error_code=code,
        error_message=message or None,
        usage=_object(response.get("usage")) or _object(raw.get("usage")) or None,
        request=_request(response),
    )


def _server_error(raw: dict[str, Any]) -> ServerEvent:
    code, message = _error(raw)
    return events.ServerError(
        code=code or _text_or_none(raw, "code"),
        message=message or "the server gave no reason",
        event_id=_text_or_none(_object(raw.get("error")), "event_id"),
    )


READERS: dict[str, Callable[[dict[str, Any]], ServerEvent]] = {
    "session.created": _session_created,
    "session.updated": _session_updated,
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "input_audio_buffer.committed": _committed,
    "conversation.item.added": _item_added,
    "conversation.item.input_audio_transcription.delta": _user_delta,
    "conversation.item.input_audio_transcription.completed": _user_done,
    "conversation.item.input_audio_transcription.failed": _user_failed,
    "response.created": _response_created,
    "response.output_item.added": _output_item_added,
    "response.output_audio.delta": _audio_delta,
    "response.output_audio.done": _audio_done,
    "response.output_audio_transcript.delta": _transcript_delta,
    "response.output_audio_transcript.done": _transcript_done,
    "response.output_text.delta": _text_delta,
    "response.output_text.done": _text_done,
    "response.done": _response_done,
    "error": _server_error,
}
"""By the GA name of an event, what reads it; a reader may raise KeyError, TypeError or ValueError."""


def _part(raw: dict[str, Any]) -> Part:
    return Part(_text(raw, "response_id"), _text(raw, "item_id"), _whole(raw, "content_index"))


def _request(response: dict[str, Any]) -> str | None:
    return _text_or_none(_object(response.get("metadata")), "request")


def _error(raw: dict[str, Any]) -> tuple[str | None, str]:
    """Return code and message of ``raw["error"]``, which vLLM sends as a bare string."""
    error = raw.get("error")
    if isinstance(error, dict):
        return _text_or_none(error, "code"), str(error.get("message") or "")
    return None, str(error or "")


def _object(value: object) -> dict[str, Any]:
    """Return *value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def _text(raw: dict[str, Any], key: str) -> str:
    """Return a text that must be there. Raises KeyError or TypeError."""
    value = raw[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is no string")
    return value


def _text_or_none(raw: dict[str, Any], key: str) -> str | None:
    value = raw.get(key)
    return value if isinstance(value, str) else None


def _text_or_nothing(raw: dict[str, Any], key: str) -> str:
    return _text_or_none(raw, key) or ""


def _number_or_none(raw: dict[str, Any], key: str) -> float | None:
    value = raw.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(raw: dict[str, Any], key: str) -> int:
    """Return a count, not below 0; 0 where it is left out."""
    return max(0, int(_number_or_none(raw, key) or 0))


def _finite(text: str) -> float:
    """Read a number; raises ValueError for an infinite one: JSON has none, and subscribers get JSON."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value
