"""The shapes of the beta protocol beside the GA ones: sessions, responses, items, names of fields.

The beta's session is flat where GA's is nested: ``input_audio_format`` is
``audio.input.format``. The tables say where GA has each field, the functions turn
one shape into the other, and `beta_error` puts the client's own names into a
refusal. `translation` is the only caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import checks
from rtvoiced_server.protocol.wire import Refused
from rtvoiced_server.vocabulary import AudioEncoding, ItemRole, Modality, PartKind, SessionKind

Path = tuple[str, ...]
"""Where a field stands in GA's object, from the outermost name."""

SESSION_FIELDS: dict[str, Path] = {
    "model": ("model",),
    "modalities": ("output_modalities",),
    "instructions": ("instructions",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "input_audio_format": ("audio", "input", "format"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "max_response_output_tokens": ("max_output_tokens",),
    "tracing": ("tracing",),
}
"""Where GA has each field of a beta session; ``temperature`` it has nowhere."""
TRANSCRIPTION_FIELDS: dict[str, Path] = {
    **{key: path for key, path in SESSION_FIELDS.items() if path[:2] == ("audio", "input")},
    "include": ("include",),
}
"""Where GA has each field of a session that only transcribes."""
RESPONSE_FIELDS: dict[str, Path] = {
    "conversation": ("conversation",),
    "input": ("input",),
    "modalities": ("output_modalities",),
    "instructions": ("instructions",),
    "voice": ("audio", "output", "voice"),
    "output_audio_format": ("audio", "output", "format"),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "max_output_tokens": ("max_output_tokens",),
    "max_response_output_tokens": ("max_output_tokens",),
    "metadata": ("metadata",),
}
"""Where GA has each field of a response. The tokens' limit has two names: SDKs send the longer one, the API's
reference had the other."""
TEMPERATURE = 0.8
"""The temperature of a client that sets none."""
FORMATS: dict[str, Json] = {
    "pcm16": {"type": AudioEncoding.PCM, "rate": 24_000},
    "g711_ulaw": {"type": AudioEncoding.ULAW},
    "g711_alaw": {"type": AudioEncoding.ALAW},
}
FORMAT_OF_TYPE = {form["type"]: name for name, form in FORMATS.items()}
PART_TYPES: dict[str, str] = {"text": PartKind.OUTPUT_TEXT, "audio": PartKind.OUTPUT_AUDIO}
"""The types of parts in an assistant's item, the beta's and GA's; the user's are the same in both."""
BETA_PART_TYPES = {ga: beta for beta, ga in PART_TYPES.items()}


def session_update(session: Any) -> tuple[Any, float | None]:
    """Return a beta session's update as GA, and its temperature where it sets one; raises `Refused`."""
    if not isinstance(session, dict):
        return session, None
    flat = _checked(session, SESSION_FIELDS, "session")
    return {"type": SessionKind.REALTIME, **_nested(flat, SESSION_FIELDS)}, session.get("temperature")


def transcription_update(session: Any) -> Any:
    """Return the update of a beta session that only transcribes as GA; raises `Refused`."""
    if not isinstance(session, dict):
        return session
    flat = _checked(session, TRANSCRIPTION_FIELDS, "session")
    return {"type": SessionKind.TRANSCRIPTION, **_nested(flat, TRANSCRIPTION_FIELDS)}


def response_create(response: Any) -> tuple[Any, float | None]:
    """Return what a beta client wants of a response as GA, and its temperature; raises `Refused`."""
    if not isinstance(response, dict):
        return response, None
    flat = _checked(response, RESPONSE_FIELDS, "response")
    if isinstance(flat.get("input"), list):
        flat["input"] = [ga_item(each) for each in flat["input"]]
    return _nested(flat, RESPONSE_FIELDS), response.get("temperature")


def _checked(given: Json, known: Mapping[str, Path], path: str) -> Json:
    """Return *given* without its temperature; what only the beta has is checked here."""
    flat: Json = {}
    for key, value in given.items():
        where = f"{path}.{key}"
        if key == "temperature" and known is not TRANSCRIPTION_FIELDS:
            checks.number(0.6, 1.2)(value, None, where)
        elif key not in known:
            raise checks.unknown(where)
        elif key.endswith("_audio_format"):
            flat[key] = FORMATS[checks.one_of(*FORMATS)(value, None, where)]
        else:
            flat[key] = _modalities(value, where) if key == "modalities" else value
    return flat


def _modalities(value: Any, path: str) -> list[str]:
    """Take text, with audio or without it; GA calls text with audio ``audio``."""
    checks.listing(checks.one_of(Modality.TEXT, Modality.AUDIO))(value, None, path)
    if "text" not in value or len(set(value)) != len(value):
        raise Refused(
            "invalid_value",
            f"Invalid modalities: {value}. Supported combinations are: ['text'] and ['audio', 'text'].",
            path,
        )
    return [Modality.AUDIO] if Modality.AUDIO in value else [Modality.TEXT]


def _nested(flat: Json, fields: Mapping[str, Path]) -> Json:
    made: Json = {}
    for key, value in flat.items():
        *outer, last = fields[key]
        inner = made
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return made


def beta_session(session: Json, temperature: float) -> Json:
    """Return the GA *session* as a beta client is told of it."""
    return {**_flat(session, SESSION_FIELDS), "temperature": temperature}


def beta_transcription(session: Json) -> Json:
    """Return the GA *session* that only transcribes as a beta client is told of it."""
    return {**_flat(session, TRANSCRIPTION_FIELDS), "client_secret": None}


def _flat(session: Json, fields: Mapping[str, Path]) -> Json:
    flat: Json = {key: session[key] for key in ("id", "object", "expires_at")}
    return {**flat, **{key: _shown(key, _at(session, path)) for key, path in fields.items()}}


def beta_response(response: Json, temperature: float, conversation_id: str) -> Json:
    """Return the GA *response* as a beta client is told of it."""
    output = response["audio"]["output"] if "audio" in response else {}
    flat = {key: value for key, value in response.items() if key not in ("output_modalities", "audio")}
    return {
        **flat,
        "conversation_id": conversation_id if response["conversation_id"] is not None else None,
        "output": [beta_item(item) for item in response["output"]],
        "modalities": _shown("modalities", response["output_modalities"]),
        "voice": output.get("voice"),
        "output_audio_format": _shown("output_audio_format", output.get("format")),
        "temperature": temperature,
    }


def beta_item(item: Json) -> Json:
    """Return the GA *item* as a beta client is told of it."""
    return {"object": "realtime.item", **_with_parts(item, BETA_PART_TYPES)}


def ga_item(item: Any) -> Any:
    """Return a beta client's item as GA; what is wrong with it is found there."""
    return _with_parts(item, PART_TYPES) if isinstance(item, dict) else item


def _with_parts(item: Json, names: Mapping[str, str]) -> Json:
    if item.get("role") != ItemRole.ASSISTANT or not isinstance(item.get("content"), list):
        return item
    return {**item, "content": [_part(part, names) for part in item["content"]]}


def _part(part: Any, names: Mapping[str, str]) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    return {**part, "type": names[kind]} if isinstance(kind, str) and kind in names else part


def _at(session: Json, path: Path) -> Any:
    value: Any = session
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _shown(key: str, value: Any) -> Any:
    if value is None:
        return None
    if key.endswith("_audio_format"):
        return FORMAT_OF_TYPE[value["type"]]
    if key == "modalities":
        return [Modality.TEXT] if value == [Modality.TEXT] else [Modality.TEXT, Modality.AUDIO]
    if key == "turn_detection":
        return {name: each for name, each in value.items() if (name, each) != ("idle_timeout_ms", None)}
    return value


def _renamed(fields: Mapping[str, Path], outer: str) -> Callable[[str], str]:
    """Return what says the client's own name of a GA path that begins with *outer*."""
    names = {".".join((outer, *path)): f"{outer}.{key}" for key, path in fields.items()}
    pattern = re.compile(f"^({'|'.join(re.escape(name) for name in names)})(?=$|[.[])")
    return lambda path: pattern.sub(lambda found: names[found[0]], path)


SESSION_NAME = _renamed(SESSION_FIELDS, "session")
RESPONSE_NAME = _renamed(RESPONSE_FIELDS, "response")


def client_name(path: str) -> str:
    """Return what a beta client calls the field that GA has at *path*."""
    return RESPONSE_NAME(SESSION_NAME(path))


def beta_error(error: Json) -> Json:
    """Return the *error* of an error event with the client's own names."""
    param = error["param"]
    if not isinstance(param, str):
        return error
    name, message = client_name(param), error["message"].replace(f"'{param}'", f"'{client_name(param)}'")
    if name.endswith(".type"):
        for ga, beta in BETA_PART_TYPES.items():
            message = message.replace(f"'{ga}'", f"'{beta}'")
    return {**error, "param": name, "message": message}
