"""Is it an event of the Realtime protocol? The types of the openai package say so, strictly.

Their types take fields that they do not know. Here those are faults too, but for
`EXTRAS`, the only list of what is allowed beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import BaseModel

Json = dict[str, Any]
Side = Literal["server", "client"]
Dialect = Literal["ga", "beta"]

EXTRAS: Mapping[tuple[Dialect, Side], Mapping[str, str]] = {
    ("ga", "server"): {},
    ("ga", "client"): {},
    ("beta", "server"): {},
    ("beta", "client"): {},
}
"""Patterns of the paths of fields that the types lack, and why each is right all the same."""


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
    wrong, unknown = _held_against(models[kind], event, kind)
    session = event.get("session")
    if side == "server" and dialect == "ga" and isinstance(session, dict):
        # Their events of a session hold the type of a request for one, which lacks the id;
        # the type of an answered request lacks other fields. One of them must know the field.
        model = sessions().get(str(session.get("type")))
        if model is not None:
            more, as_answered = _held_against(model, session, f"{kind}.session")
            wrong, unknown = wrong + more, [path for path in unknown if path in as_answered]
    allowed = EXTRAS[dialect, side]
    return wrong + [
        f"{path}: not a field" for path in unknown if not any(re.fullmatch(each, path) for each in allowed)
    ]


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
