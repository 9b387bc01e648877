"""Is it an event of the Realtime protocol? The types of the openai package say so, strictly.

Their types take fields that they do not know; here those are faults. What is
right all the same stands in `EXCEPTIONS`, and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

if TYPE_CHECKING:
    from pydantic import BaseModel

Json = dict[str, Any]
Side = Literal["server", "client"]
Dialect = Literal["ga", "beta"]


@dataclass(frozen=True)
class Exempt:
    """A field that is not held against the types."""

    dialect: Dialect
    path: str
    """A pattern of the whole path, from the type of the event."""
    value: str
    """A pattern of the whole value, as JSON."""
    why: str
    instead: Json | None = None
    """What is held against the types in its place; None: nothing."""

    def covers(self, path: str, value: Any) -> bool:
        """Tell whether the field at *path* is exempt with this value."""
        return bool(re.fullmatch(self.path, path) and re.fullmatch(self.value, json.dumps(value)))


EXCEPTIONS = (
    Exempt(
        "ga",
        r"(session\.(created|updated)\.session|response\.(created|done)\.response)\.audio\.output\.voice",
        r'\{"id": "[^"]*"\}',
        "a voice of one's own: the type of a request for a session has it, that of an answer not yet",
    ),
    Exempt(
        "ga",
        r"session\.(update|updated)\.session\.reasoning\.effort",
        r'"none"',
        "recorded from gpt-realtime-2.1-mini, which takes it and shows it",
    ),
    Exempt(
        "beta",
        r"session\.(created|updated)\.session\.model",
        r'"[^"]+"',
        "the type knows the models of its day, and no other server's",
    ),
    Exempt(
        "beta",
        r"session\.(created|updated)\.session\.(object|expires_at)",
        r'"realtime\.session"|\d+',
        "real servers send them",
    ),
    Exempt(
        "beta",
        r"transcription_session\.updated\.session\.(id|object|expires_at)",
        r'"sess_\w+"|"realtime\.transcription_session"|\d+',
        "real servers send them",
    ),
    Exempt(
        "beta",
        r"transcription_session\.updated\.session\."
        r"(include|input_audio_noise_reduction|turn_detection\.(create|interrupt)_response)",
        ".*",
        "OpenAI's own example of the event has them",
    ),
    Exempt(
        "beta",
        r"response\.done\.response\.usage\.input_token_details\.(image_tokens|cached_tokens_details)",
        r"\d+|\{.*\}",
        "real servers count in both dialects what the newer one's type has",
    ),
    Exempt(
        "beta",
        r"transcription_session\.updated\.session\.client_secret",
        "null",
        "the type is that of a REST call; on a socket there is none",
        {"value": "", "expires_at": 0},
    ),
    Exempt(
        "beta",
        r"transcription_session\.updated\.session\.input_audio_transcription\.model",
        r'"[^"]+"',
        "the type knows the models of its day",
    ),
)
ALIASES = {("beta", "server", "transcription_session.created"): "transcription_session.updated"}
"""Events without a type of their own, and whose they share: real servers greeted with this one."""


class NotRealtimeError(AssertionError):
    """An event that the protocol does not have; the message names every fault."""


def check_wire(event: Json, side: Side, dialect: Dialect = "ga") -> Json:
    """Return *event*, held against the protocol; raises NotRealtimeError."""
    found = faults(event, side, dialect)
    if found:
        shown = json.dumps(event, ensure_ascii=False)[:2000]
        raise NotRealtimeError(f"{dialect} event of the {side}: {'; '.join(found)}\n{shown}")
    return event


def check_received(message: str | bytes, request: Request | None) -> Json:
    """Return an event that the embedded server sent to the client of *request*, held against the protocol.

    The request tells the dialect, and whether the server was asked to misbehave: then nothing is held.
    """
    event: Json = json.loads(message)
    assert request is not None
    query = parse_qs(urlsplit(request.path).query)
    if "quirk" in query:
        return event
    asked = request.headers.get("OpenAI-Beta") == "realtime=v1" or "api-version" in query
    return check_wire(event, "server", "beta" if asked or query.get("dialect") == ["beta"] else "ga")


def check_recordings(folder: Path) -> int:
    """Hold every event that embedded servers have recorded in *folder*; return how many there were."""
    count = 0
    for file in sorted(folder.glob("*.events.jsonl")):
        whole, _, _torn = file.read_text("utf-8").rpartition("\n")  # Of a server that was killed.
        for line in whole.splitlines():
            told = json.loads(line)
            if told["event"] is None:
                raise NotRealtimeError(f"a message of the {told['direction']}'s: {told['unreadable']}")
            check_wire(told["event"], told["direction"], told["dialect"])
            count += 1
    return count


def faults(event: Json, side: Side, dialect: Dialect = "ga") -> list[str]:
    """Return what is wrong with an event, each as ``path: what``."""
    kind, models = event.get("type"), types(side, dialect)
    if alias := ALIASES.get((dialect, side, str(kind))):
        event = {**event, "type": (kind := alias)}
    if not isinstance(kind, str) or kind not in models:
        return [f"type: {kind!r} is not known"]
    held = _without(event, kind, [each for each in EXCEPTIONS if each.dialect == dialect])
    wrong, unknown = _held_against(models[kind], held, kind)
    session = held.get("session")
    if side == "server" and dialect == "ga" and isinstance(session, dict):
        # Their events of a session hold the type of a request for one, which lacks the id;
        # the type of an answered request lacks other fields. One of them must know the field.
        model = sessions().get(str(session.get("type")))
        if model is not None:
            more, as_answered = _held_against(model, session, f"{kind}.session")
            wrong, unknown = wrong + more, [path for path in unknown if path in as_answered]
    return wrong + [f"{path}: not a field" for path in unknown]


@cache
def types(side: Side, dialect: Dialect = "ga") -> dict[str, type[BaseModel]]:
    """Return the types of one side's events, by name; the first call takes half a second."""
    if dialect == "ga":
        from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent

        return _by_name(RealtimeServerEvent if side == "server" else RealtimeClientEvent)
    from openai.types.beta import realtime as beta

    return _by_name(beta.RealtimeServerEvent if side == "server" else beta.RealtimeClientEvent)


@cache
def sessions() -> dict[str, type[BaseModel]]:
    """Return the types of a whole session, by its `type`."""
    from openai.types.realtime import (
        RealtimeSessionCreateResponse,
        RealtimeTranscriptionSessionCreateResponse,
    )

    return {
        "realtime": RealtimeSessionCreateResponse,
        "transcription": RealtimeTranscriptionSessionCreateResponse,
    }


def _by_name(union: Any) -> dict[str, type[BaseModel]]:
    # One type for each name: their union would tell every mistake a hundred times.
    while get_origin(union) is Annotated:
        union = get_args(union)[0]
    return {
        name: model for model in get_args(union) for name in get_args(model.model_fields["type"].annotation)
    }


def _without(value: Any, path: str, exceptions: Sequence[Exempt]) -> Any:
    """Return a copy of *value* without the fields that are exempt."""
    if isinstance(value, list):
        return [_without(each, f"{path}[]", exceptions) for each in value]
    if not isinstance(value, dict):
        return value
    held = {}
    for name, each in value.items():
        exempt = next((one for one in exceptions if one.covers(f"{path}.{name}", each)), None)
        if exempt is None:
            held[name] = _without(each, f"{path}.{name}", exceptions)
        elif exempt.instead is not None:
            held[name] = exempt.instead
    return held


def _held_against(model: type[BaseModel], value: Json, path: str) -> tuple[list[str], list[str]]:
    """Return what is wrong, as ``path: what``, and the paths of unknown fields."""
    from pydantic import ValidationError

    try:
        parsed = model.model_validate(value, strict=True)
    except ValidationError as refused:
        errors = refused.errors(include_url=False)
        return [f"{_path(path, each['loc'])}: {each['msg']}" for each in errors], []
    return [], list(_unknown(parsed, path))


def _unknown(value: Any, path: str) -> Iterator[str]:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}" for name in value.model_extra or {})
        for name in value.model_fields_set & type(value).model_fields.keys():
            yield from _unknown(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from _unknown(each, f"{path}[]")


def _path(start: str, steps: tuple[int | str, ...]) -> str:
    return start + "".join("[]" if isinstance(step, int) else f".{step}" for step in steps)
