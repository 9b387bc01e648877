"""The items that a client makes, checked as the real server checks them. Pure."""

from __future__ import annotations

import re
from typing import Any

from rtvoiced_server.protocol import checks, encoded
from rtvoiced_server.protocol.checks import Check
from rtvoiced_server.protocol.formats import Form
from rtvoiced_server.protocol.ids import IDS
from rtvoiced_server.protocol.items import Call, CallOutput, Item, Message
from rtvoiced_server.protocol.parts import Heard, Part, Picture, Text
from rtvoiced_server.protocol.wire import Json, Refused, new_id

LONGEST_ID = 32
LONGEST_CALL_ID = 64
MOST_PARTS = 128
CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
PARTS_OF_ROLE = {
    "user": ("input_text", "input_audio", "input_image"),
    "system": ("input_text",),
    # What was spoken can't be given back to it: the real server, too, takes a history as text alone.
    "assistant": ("output_text",),
}
KINDS = ("message", "function_call", "function_call_output")
STATUS = checks.one_of("completed", "incomplete", "in_progress")
"""Taken and not kept: to the real server, too, it makes no difference."""


def created(item: object, form: Form, path: str = "item") -> Item:
    """Return the item that a client wants created, or raise `Refused`.

    *form* is that of the session's input, in which audio comes; *path* is where the item stands.
    """
    if item is None:
        raise checks.missing(path)
    if not isinstance(item, dict):
        raise checks.wrong_type(path, "an object", item)
    if "type" not in item:
        raise checks.missing(f"{path}.type")
    match checks.one_of(*KINDS)(item["type"], None, f"{path}.type"):
        case "message":
            return _message(item, form, path)
        case "function_call":
            return _call(item, path)
        case _:
            return _call_output(item, path)


def _fields(item: Json, path: str, fields: dict[str, Check], *required: str) -> Json:
    common: dict[str, Check] = {
        "id": checks.optional(checks.text(LONGEST_ID)),
        "type": checks.string,
        "object": checks.one_of("realtime.item"),
        "status": checks.optional(STATUS),
    }
    checked: Json = checks.table(common | fields, *required)(item, None, path)
    for name in ("id", "call_id"):
        if checked.get(name):
            IDS.get().take(checked[name])
    return checked | {"id": checked.get("id") or new_id("item")}


def _message(item: Json, form: Form, path: str) -> Message:
    fields: dict[str, Check] = {
        "role": checks.one_of(*PARTS_OF_ROLE),
        "content": checks.listing(checks.anything, MOST_PARTS),
    }
    made = _fields(item, path, fields, "role", "content")
    allowed = PARTS_OF_ROLE[made["role"]]
    parts = [_part(part, allowed, form, f"{path}.content[{n}]") for n, part in enumerate(made["content"])]
    return Message(made["id"], made["role"], parts)


def _part(part: object, allowed: tuple[str, ...], form: Form, path: str) -> Part:
    if not isinstance(part, dict):
        raise checks.wrong_type(path, "an object", part)
    if "type" not in part:
        raise checks.missing(f"{path}.type")
    kind = checks.one_of(*allowed)(part["type"], None, f"{path}.type")
    match kind:
        case "input_audio":
            made = _content(part, path, {"transcript": checks.optional(checks.string)}, "audio")
            audio = encoded.audio(made["audio"], form, f"{path}.audio")
            said = made.get("transcript")
            return Heard(audio, form, form.duration_ms(len(audio)), said or "", said)
        case "input_image":
            detail = checks.optional(checks.one_of("auto", "low", "high"))
            made = _content(part, path, {"detail": detail}, "image_url")
            return Picture(
                encoded.image(made["image_url"], f"{path}.image_url"), made.get("detail") or "auto"
            )
        case _:
            return Text(kind, _content(part, path, {}, "text")["text"])


def _content(part: Json, path: str, others: dict[str, Check], name: str) -> Json:
    """Check a part whose content is the field *name*."""
    content: Check = checks.string if name == "text" else lambda value, _, __: value
    checked: Json = checks.table({"type": checks.string, name: content, **others}, name)(part, None, path)
    return checked


def call_id(value: Any, _: Any, path: str) -> Any:
    """Take the id of a call."""
    if not CALL_ID.fullmatch(checks.text(LONGEST_CALL_ID)(value, None, path)):
        message = f"Invalid '{path}': string does not match pattern. Expected '^{CALL_ID.pattern}$'."
        raise Refused("invalid_value", message, path)
    return value


def _call(item: Json, path: str) -> Call:
    fields: dict[str, Check] = {
        "call_id": checks.optional(call_id),
        "name": checks.text(LONGEST_CALL_ID),
        "arguments": checks.string,
    }
    made = _fields(item, path, fields, "name", "arguments")
    return Call(made["id"], made.get("call_id") or new_id("call"), made["name"], made["arguments"])


def _call_output(item: Json, path: str) -> CallOutput:
    fields: dict[str, Check] = {"call_id": call_id, "output": checks.string}
    made = _fields(item, path, fields, "call_id", "output")
    return CallOutput(made["id"], made["call_id"], made["output"])
