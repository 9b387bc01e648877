"""One JSON Schema (draft 2020-12) per message of the IPC contract, made of the dataclasses.

`generate` makes them; ``make generate`` writes them to
``schemas.json`` beside this file, which is what `schemas` reads and what is
shipped. Names: ``event.speech_started``, ``request.mute``, ``reply.mute``,
``refusal`` (any command that was not carried out) and ``rtctl.error`` (what
``rtctl --json`` prints in place of data).
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from rtvoiced.errors import STATUS_OF_CODE
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.events import EVENTS
from rtvoiced.ipc.contract.fields import fields_of, parts_of
from rtvoiced.ipc.contract.protocol import ID_CHARS, VERSION
from rtvoiced.ipc.contract.replies import REPLIES

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FILE = Path(__file__).with_name("schemas.json")
SIMPLE: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    NoneType: "null",
}
RUN: Schema = {
    "type": "string",
    "pattern": "^[0-9a-f]{8}$",
    "description": "New at every start of the daemon.",
}
SEQ: Schema = {"type": "integer", "minimum": 0, "description": "Number of the run's last counted event."}
REQUEST_ID: Schema = {
    "type": ["string", "null"],
    "minLength": ID_CHARS[0],
    "maxLength": ID_CHARS[1],
    "description": "Unique across clients; the reply repeats it.",
}


def schemas() -> dict[str, Schema]:
    """Return every message's schema by its name, as shipped."""
    shipped: dict[str, Schema] = json.loads(FILE.read_text("utf-8"))
    return shipped


def generate() -> dict[str, Schema]:
    """Return every message's schema by its name, made of the dataclasses; needs their source."""
    made = {f"event.{name}": _event(name, kind) for name, kind in EVENTS.items()}
    made |= {f"request.{name}": _request(name, kind) for name, kind in COMMANDS.items()}
    made |= {f"reply.{name}": _reply(name, kind) for name, kind in REPLIES.items()}
    return made | {"refusal": _refusal(), "rtctl.error": _rtctl_error()}


def text() -> str:
    """Return the text of ``schemas.json``."""
    return json.dumps(generate(), indent=1, ensure_ascii=False) + "\n"


# The messages


def _event(name: str, kind: type[Any]) -> Schema:
    return _message(
        f"event.{name}",
        kind,
        lambda data: {
            "v": {"const": VERSION},
            "run": RUN,
            "seq": SEQ,
            "n": {"type": "integer", "minimum": 0, "description": "Counts the events of this name."},
            "time": {"type": "number", "description": "Unix seconds."},
            "mono": {"type": "number", "description": "CLOCK_MONOTONIC seconds."},
            "event": {"const": name},
            "data": data,
        },
    )


def _request(name: str, kind: type[Any]) -> Schema:
    made = _message(
        f"request.{name}",
        kind,
        lambda args: {
            "v": {"const": VERSION},
            "id": REQUEST_ID,
            "command": {"const": name},
            "args": args,
            "expires": {
                "type": ["number", "null"],
                "description": "CLOCK_MONOTONIC seconds; later, the request is not carried out.",
            },
        },
    )
    args = made["properties"]["args"]
    args["additionalProperties"] = False
    if args["required"]:
        made["required"] = ["command", "args"]
    else:
        made["required"] = ["command"]
        args["type"] = ["object", "null"]
    return made


def _reply(name: str, kind: type[Any]) -> Schema:
    return _message(
        f"reply.{name}",
        kind,
        lambda data: {
            "v": {"const": VERSION},
            "id": REQUEST_ID,
            "ok": {"const": True},
            "run": RUN,
            "seq": SEQ,
            "data": data,
        },
    )


def _refusal() -> Schema:
    code = {"enum": list(STATUS_OF_CODE)}
    return _envelope(
        "refusal",
        "The answer to a command that was not carried out.",
        {
            "v": {"const": VERSION},
            "id": REQUEST_ID,
            "ok": {"const": False},
            "run": RUN,
            "seq": SEQ,
            "error": _error(code),
        },
    )


def _rtctl_error() -> Schema:
    code = {
        "type": "string",
        "description": "A code of `refusal`, or one of rtctl's own: "
        "not_running, no_permission, bad_configuration, service, already_running, usage.",
    }
    return _envelope(
        "rtctl.error",
        "What `rtctl --json` prints when it fails.",
        {"ok": {"const": False}, "error": _error(code)},
    )


def _error(code: Schema) -> Schema:
    properties: dict[str, Schema] = {
        "code": code,
        "message": {"type": "string", "description": "For people."},
        "retryable": {"type": "boolean", "description": "The same may work later."},
        "details": {"type": "object"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _message(name: str, kind: type[Any], properties: Callable[[Schema], dict[str, Schema]]) -> Schema:
    named: dict[str, Schema] = {}
    data = _object(kind, named)
    description = data.pop("description")
    made = _envelope(name, description, properties(data))
    return {**made, "$defs": named} if named else made


def _envelope(name: str, description: str, properties: dict[str, Schema]) -> Schema:
    return {
        "$schema": DRAFT,
        "title": name,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


# Their parts


def _object(kind: type[Any], named: dict[str, Schema]) -> Schema:
    """Return the schema of a dataclass; those within it go into *named*."""
    documented, is_args = documented_fields(kind), kind in COMMANDS.values()
    properties = {}
    for name, each in fields_of(kind).items():
        made = _value(each.type, named) | each.bounds.schema()
        if name in documented:
            made["description"] = documented[name]
        if is_args and not each.required:
            made["default"] = each.default
        properties[name] = made
    # An argument may be left out; what the daemon sends is always whole.
    required = [name for name, each in fields_of(kind).items() if not is_args or each.required]
    return {
        "description": one_line(kind.__doc__ or ""),
        "type": "object",
        "properties": properties,
        "required": required,
    }


def _value(kind: Any, named: dict[str, Schema]) -> Schema:
    """Return the schema of a field's type."""
    if kind is Any:
        return {}
    if kind in SIMPLE:
        return {"type": SIMPLE[kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in named:
            named[kind.__name__] = {}
            named[kind.__name__] = _object(kind, named)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if len(parts := parts_of(kind)) > 1:
        if all(part in SIMPLE for part in parts):
            return {"type": [SIMPLE[part] for part in parts]}
        return {"anyOf": [_value(part, named) for part in parts]}
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"type": "string", "enum": list(args)}
    if origin in (list, tuple):
        return {"type": "array", "items": _value(args[0], named)}
    if origin is dict:
        further = _value(args[1], named)
        return {"type": "object", **({"additionalProperties": further} if further else {})}
    raise TypeError(f"no schema for {kind}")


def documented_fields(kind: type[Any]) -> dict[str, str]:
    """Return the docstrings that stand below the fields of a dataclass, by field."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(name)),
                ast.Expr(value=ast.Constant(value=str(docstring))),
            ):
                found[name] = one_line(docstring)
            case _:
                pass
    return found


def one_line(docstring: str) -> str:
    """Return a docstring without its line breaks."""
    return " ".join(docstring.split())
