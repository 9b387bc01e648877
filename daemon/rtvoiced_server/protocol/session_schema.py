"""The session object: its defaults, and what an update or a response may set.

The object is kept as the wire shows it. `updated` holds a ``session.update``
against the schema of the session's kind, and `RESPONSE` is the schema of a
``response.create``. A field that this server does not act on is checked and echoed
all the same, so that clients see what the real server shows them.
"""

from __future__ import annotations

from typing import Any

from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import tools
from rtvoiced_server.protocol.checks import (
    Check,
    anything,
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
    whole,
    wrong_type,
)
from rtvoiced_server.protocol.formats import FORMATS
from rtvoiced_server.protocol.wire import Refused
from rtvoiced_server.vocabulary import (
    AudioEncoding,
    Eagerness,
    Modality,
    SessionKind,
    ToolChoice,
    TurnDetectionKind,
)

INSTRUCTIONS = "You are a helpful voice assistant. Answer shortly."
"""The instructions of a client that sets none, as with the real server; the rules do not read them."""
TRANSCRIBER = "gpt-realtime-whisper"
"""The model of a session that only transcribes, until the client names one."""
PCM: Json = {"type": AudioEncoding.PCM, "rate": 24_000}
SERVER_VAD: Json = {
    "type": TurnDetectionKind.SERVER_VAD,
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: Json = {
    "type": TurnDetectionKind.SEMANTIC_VAD,
    "eagerness": Eagerness.AUTO,
    "create_response": True,
    "interrupt_response": True,
}


def default_session(kind: SessionKind, session_id: str, model: str, expires_at: int) -> Json:
    """Return the session as it is before any update; *expires_at* is in seconds since 1970."""
    audio_input = {
        "format": dict(PCM),
        "transcription": {"model": TRANSCRIBER} if kind == SessionKind.TRANSCRIPTION else None,
        "noise_reduction": None,
        "turn_detection": dict(SERVER_VAD),
    }
    common = {"type": kind, "id": session_id, "expires_at": expires_at, "include": None}
    if kind == SessionKind.TRANSCRIPTION:
        return common | {"object": "realtime.transcription_session", "audio": {"input": audio_input}}
    return common | {
        "object": "realtime.session",
        "model": model,
        "output_modalities": [Modality.AUDIO],
        "instructions": INSTRUCTIONS,
        "tools": [],
        "tool_choice": ToolChoice.AUTO,
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "audio": {"input": audio_input, "output": {"format": dict(PCM), "voice": "slt", "speed": 1.0}},
    }


def locked_voice(path: str) -> Refused:
    """Return the refusal of another voice once there is audio."""
    message = "Cannot update a conversation's voice if assistant audio is present."
    return Refused("cannot_update_voice", message, path)


def audio_format(value: Any, _: Any, path: str) -> Any:
    """Take a format, whole; the rate of PCM is required, though it can only be 24 kHz."""
    if isinstance(value, dict) and value.get("type") == AudioEncoding.PCM:
        rate = number(24_000, 24_000, whole=True)
        return table({"type": string, "rate": rate}, "type", "rate")(value, None, path)
    return table({"type": one_of(*FORMATS)}, "type")(value, None, path)


def turn_detection(value: Any, current: Any, path: str) -> Any:
    """Take the settings of either kind of detection; another kind than before begins at its own defaults."""
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    kind = value.get("type", (current or {}).get("type"))
    if kind is None:
        raise missing(f"{path}.type")
    one_of(*TurnDetectionKind)(kind, None, f"{path}.type")
    same = current if current and current["type"] == kind else None
    common = {"type": string, "create_response": boolean, "interrupt_response": boolean}
    if kind == TurnDetectionKind.SEMANTIC_VAD:
        fields = common | {"eagerness": one_of(*Eagerness)}
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
    listing(one_of(Modality.TEXT, Modality.AUDIO))(value, current, path)
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


VOICE = either(string, table({"id": string}, "id"))
# Truncation, tracing and prompt are only echoed: there is no context that could be full, no trace, no store.
RETENTION = table(
    {
        "type": one_of("retention_ratio"),
        "retention_ratio": number(0.0, 1.0),
        "token_limits": optional(table({"post_instructions": number(0, 1 << 31, whole=True)})),
    },
    "type",
    "retention_ratio",
)
TRACE = table({"workflow_name": string, "group_id": string, "metadata": free})
PROMPT = table({"id": string, "version": optional(string), "variables": optional(free)}, "id")
RESPONSE_FIELDS: dict[str, Check] = {
    "instructions": string,
    "output_modalities": modalities,
    "tools": tools.tools,
    "tool_choice": tools.choice,
    "parallel_tool_calls": boolean,
    "reasoning": optional(
        table({"effort": one_of("none", "minimal", "low", "medium", "high", "xhigh")}),
    ),
    "max_output_tokens": max_tokens,
    "prompt": optional(whole(PROMPT)),
}
"""The fields of a session that a response may set for itself."""
INPUT = table(
    {
        "format": audio_format,
        "noise_reduction": optional(
            table({"type": one_of("near_field", "far_field"), "strength": number(0, 1)}, "type")
        ),
        "transcription": optional(
            table(
                {
                    "model": string,
                    "language": string,
                    "languages": listing(string),
                    "keywords": listing(string),
                    "prompt": string,
                    "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
                }
            )
        ),
        "turn_detection": optional(turn_detection),
    }
)
INCLUDE = optional(listing(one_of("item.input_audio_transcription.logprobs")))
SESSIONS = {
    SessionKind.REALTIME: table(
        {
            "type": string,
            "model": constant,
            "audio": table(
                {
                    "input": INPUT,
                    "output": table({"format": audio_format, "voice": VOICE, "speed": number(0.25, 1.5)}),
                }
            ),
            "truncation": either(one_of("auto", "disabled"), whole(RETENTION)),
            "tracing": optional(either(one_of("auto"), whole(TRACE))),
            "include": INCLUDE,
            **RESPONSE_FIELDS,
        }
    ),
    SessionKind.TRANSCRIPTION: table({"type": string, "audio": table({"input": INPUT}), "include": INCLUDE}),
}
REFERENCE = table({"type": one_of("item_reference"), "id": string}, "type", "id")
METADATA_PAIRS = 16
"""How many pairs the metadata of a response may have."""


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
        name: optional(check)
        for name, check in {
            "conversation": one_of("auto", "none"),
            "input": listing(anything),
            "metadata": metadata,
            "audio": table({"output": table({"format": audio_format, "voice": VOICE})}),
            **RESPONSE_FIELDS,
        }.items()
    }
)
"""What a response may set. Null stands for what was left out; the items of the input are checked one by one,
when they are made."""


def updated(session: Json, change: object, *, voice_locked: bool) -> Json:
    """Return *session* with the update *change*, or raise `Refused`; *session* itself stays as it is."""
    if change is None:
        raise missing("session")
    if not isinstance(change, dict):
        raise wrong_type("session", "an object", change)
    if "type" not in change:
        raise missing("session.type")
    kind, own = one_of(*SESSIONS)(change["type"], None, "session.type"), session["type"]
    if kind != own:
        message = f"Passing a {kind} session update event to a {own} session is not allowed."
        raise Refused("invalid_parameter", message)
    merged: Json = SESSIONS[kind](change, session, "session")
    if kind == SessionKind.REALTIME:
        _check_locks(session, merged, voice_locked=voice_locked)
        tools.check_choice(merged, "session.tool_choice")
    return merged


def _check_locks(session: Json, merged: Json, *, voice_locked: bool) -> None:
    """Raise `Refused` where something changes that can't be changed any more."""
    if voice_locked and merged["audio"]["output"]["voice"] != session["audio"]["output"]["voice"]:
        raise locked_voice("session.audio.output.voice")
    if session["tracing"] is not None and merged["tracing"] != session["tracing"]:
        message = "The tracing configuration cannot be modified once tracing is enabled."
        raise Refused("invalid_value", message, "session.tracing")
