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
)


class NotRealtimeError(AssertionError):
    """An event that the protocol does not have; the message names every fault."""


def check_wire(event: Json, side: Side, dialect: Dialect = "ga") -> Json:
    """Return *event*, held against the protocol; raises NotRealtimeError."""
    found = faults(event, side, dialect)
    if found:
        shown = json.dumps(event, ensure_ascii=False)[:2000]
        raise NotRealtimeError(f"{dialect} event of the {side}: {'; '.join(found)}\n{shown}")
    return event


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
    kind = event.get("type")
    models = types(side, dialect)
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
    return {
        name: _without(each, f"{path}.{name}", exceptions)
        for name, each in value.items()
        if not any(
            re.fullmatch(exempt.path, f"{path}.{name}") and re.fullmatch(exempt.value, json.dumps(each))
            for exempt in exceptions
        )
    }


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
