"""The session object: its defaults, and what an update or a response may set."""

from __future__ import annotations

from typing import Any

from rtvoice.local.checks import (
    Check,
    boolean,
    constant,
    either,
    free,
    listing,
    missing,
    number,
    one_of,
    optional,
    string,
    table,
    wrong_type,
)
from rtvoice.local.wire import Json, Refused

INSTRUCTIONS = "You are a helpful voice assistant. Answer shortly."
"""Told when the client never set any, as the real server does; the rules do not read them."""
SERVER_VAD: Json = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: Json = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}


def default_session(session_id: str, model: str, expires_at: int) -> Json:
    """Return the session as it is before any update; *expires_at* in seconds since 1970."""
    form = {"type": "audio/pcm", "rate": 24_000}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": form,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(SERVER_VAD),
            },
            "output": {"format": dict(form), "voice": "slt", "speed": 1.0},
        },
        "include": None,
    }


def locked_voice(path: str) -> Refused:
    """Return the refusal of another voice once there is audio."""
    message = "Cannot update a conversation's voice if assistant audio is present."
    return Refused("cannot_update_voice", message, path)


def audio_format(value: Any, _: Any, path: str) -> Any:
    """Take PCM at 24 kHz, whole: the rate is required (a partial object is no format)."""
    rate = number(24_000, 24_000, whole=True)
    return table({"type": one_of("audio/pcm"), "rate": rate}, "type", "rate")(value, None, path)


def turn_detection(value: Any, current: Any, path: str) -> Any:
    """Take either detection; another type begins at its own defaults."""
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    kind = value.get("type", (current or {}).get("type"))
    if kind is None:
        raise missing(f"{path}.type")
    one_of("server_vad", "semantic_vad")(kind, None, f"{path}.type")
    same = current if current and current["type"] == kind else None
    common = {"type": string, "create_response": boolean, "interrupt_response": boolean}
    if kind == "semantic_vad":
        fields = common | {"eagerness": one_of("auto", "low", "medium", "high")}
        return table(fields)(value, same or SEMANTIC_VAD, path)
    fields = common | {
        "threshold": number(0.0, 1.0),
        "prefix_padding_ms": number(0, 5_000, whole=True),
        "silence_duration_ms": number(0, 30_000, whole=True),
        "idle_timeout_ms": optional(number(5_000, 30_000, whole=True)),
    }
    return table(fields)(value, same or SERVER_VAD, path)


def modalities(value: Any, current: Any, path: str) -> Any:
    """Take ["audio"] or ["text"], never both."""
    listing(one_of("text", "audio"))(value, current, path)
    if len(value) != 1:
        raise Refused(
            "invalid_value",
            f"Invalid modalities: {value}. Supported combinations are: ['text'] and ['audio'].",
            path,
        )
    return value


def max_tokens(value: Any, current: Any, path: str) -> Any:
    """Take 1 to 4096 or "inf"."""
    return value if value == "inf" else number(1, 4_096, whole=True)(value, current, path)


TRANSCRIPTION = table(
    {
        "model": string,
        "language": string,
        "languages": listing(string),
        "keywords": listing(string),
        "prompt": string,
        "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
    }
)
VOICE = either(string, table({"id": string}, "id"))
TOOL_FIELDS: dict[str, Check] = {
    "tools": listing(free),
    "tool_choice": either(string, free),
    "parallel_tool_calls": boolean,
    "reasoning": optional(table({"effort": string})),
    "max_output_tokens": max_tokens,
    "prompt": optional(free),
}
SESSION = table(
    {
        "type": one_of("realtime"),
        "model": constant,
        "instructions": string,
        "output_modalities": modalities,
        "audio": table(
            {
                "input": table(
                    {
                        "format": audio_format,
                        "noise_reduction": optional(
                            table(
                                {"type": one_of("near_field", "far_field"), "strength": number(0, 1)}, "type"
                            )
                        ),
                        "transcription": optional(TRANSCRIPTION),
                        "turn_detection": optional(turn_detection),
                    }
                ),
                "output": table({"format": audio_format, "voice": VOICE, "speed": number(0.25, 1.5)}),
            }
        ),
        "truncation": either(one_of("auto", "disabled"), free),
        "tracing": optional(either(one_of("auto"), free)),
        "include": optional(listing(one_of("item.input_audio_transcription.logprobs"))),
        **TOOL_FIELDS,
    }
)
METADATA_PAIRS = 16


def metadata(value: Any, current: Any, path: str) -> Any:
    """Take at most 16 pairs of strings, keys to 64 and values to 512 characters."""
    free(value, current, path)
    if len(value) > METADATA_PAIRS:
        raise Refused("object_above_max_properties", f"Invalid '{path}': too many properties.", path)
    for key, text in value.items():
        if len(string(text, None, f"{path}.{key}")) > 512 or len(key) > 64:
            raise Refused(
                "string_above_max_length", f"Invalid '{path}.{key}': string too long.", f"{path}.{key}"
            )
    return value


RESPONSE = table(
    {
        "conversation": one_of("auto", "none"),
        "input": listing(free),
        "instructions": string,
        "metadata": optional(metadata),
        "output_modalities": modalities,
        "audio": table({"output": table({"format": audio_format, "voice": VOICE})}),
        **TOOL_FIELDS,
    }
)


def updated(session: Json, change: object, *, voice_locked: bool) -> Json:
    """Return *session* with the update *change*, or raise `Refused`."""
    if change is None:
        raise missing("session")
    if not isinstance(change, dict):
        raise wrong_type("session", "an object", change)
    if "type" not in change:
        raise missing("session.type")
    merged: Json = SESSION(change, session, "session")
    if voice_locked and merged["audio"]["output"]["voice"] != session["audio"]["output"]["voice"]:
        raise locked_voice("session.audio.output.voice")
    return merged
