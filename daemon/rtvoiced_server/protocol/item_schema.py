"""The items that a client makes, checked as the real server checks them.

Items come with ``conversation.item.create``, and in the ``input`` of a response.
The functions return an item of `rtvoiced_server.protocol.items`, or raise `Refused`
with the path of what is wrong, such as ``item.content[0].audio``.
"""

from __future__ import annotations

import re
from typing import Any

from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import base64_content, checks
from rtvoiced_server.protocol.checks import Check
from rtvoiced_server.protocol.content_parts import ContentPart, ImagePart, InputAudioPart, TextPart
from rtvoiced_server.protocol.formats import AudioFormat
from rtvoiced_server.protocol.ids import IDS, new_id
from rtvoiced_server.protocol.items import (
    ConversationEntry,
    FunctionCallItem,
    FunctionCallOutputItem,
    MessageItem,
)
from rtvoiced_server.protocol.wire import Refused
from rtvoiced_server.vocabulary import ImageDetail, ItemKind, ItemRole, ItemStatus, PartKind

LONGEST_ID = 32
"""Characters of an item's id."""
LONGEST_CALL_ID = 64
"""Characters of a call's id, and of a function's name."""
MOST_PARTS = 128
"""How many parts a message may have."""
CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
PARTS_OF_ROLE = {
    ItemRole.USER: (PartKind.INPUT_TEXT, PartKind.INPUT_AUDIO, PartKind.INPUT_IMAGE),
    ItemRole.SYSTEM: (PartKind.INPUT_TEXT,),
    # What was spoken can't be given back to it: the real server, too, takes a history as text alone.
    ItemRole.ASSISTANT: (PartKind.OUTPUT_TEXT,),
}
STATUS = checks.one_of(ItemStatus.COMPLETED, ItemStatus.INCOMPLETE, ItemStatus.IN_PROGRESS)
"""The status is taken and not kept: to the real server, too, it makes no difference."""


def checked_item(item: object, audio_format: AudioFormat, path: str = "item") -> ConversationEntry:
    """Return the item that a client wants created, or raise `Refused`.

    *audio_format* is that of the session's input, in which audio comes; *path* is where the item stands.
    """
    if item is None:
        raise checks.missing(path)
    if not isinstance(item, dict):
        raise checks.wrong_type(path, "an object", item)
    if "type" not in item:
        raise checks.missing(f"{path}.type")
    match checks.one_of(*ItemKind)(item["type"], None, f"{path}.type"):
        case ItemKind.MESSAGE:
            return _message(item, audio_format, path)
        case ItemKind.FUNCTION_CALL:
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


def _message(item: Json, audio_format: AudioFormat, path: str) -> MessageItem:
    fields: dict[str, Check] = {
        "role": checks.one_of(*PARTS_OF_ROLE),
        "content": checks.listing(checks.anything, MOST_PARTS),
    }
    made = _fields(item, path, fields, "role", "content")
    allowed = PARTS_OF_ROLE[made["role"]]
    numbered = enumerate(made["content"])
    parts = [_part(part, allowed, audio_format, f"{path}.content[{n}]") for n, part in numbered]
    return MessageItem(made["id"], ItemRole(made["role"]), parts)


def _part(part: object, allowed: tuple[PartKind, ...], audio_format: AudioFormat, path: str) -> ContentPart:
    if not isinstance(part, dict):
        raise checks.wrong_type(path, "an object", part)
    if "type" not in part:
        raise checks.missing(f"{path}.type")
    kind = PartKind(checks.one_of(*allowed)(part["type"], None, f"{path}.type"))
    match kind:
        case PartKind.INPUT_AUDIO:
            made = _content(part, path, {"transcript": checks.optional(checks.string)}, "audio")
            audio = base64_content.audio(made["audio"], audio_format, f"{path}.audio")
            said = made.get("transcript")
            return InputAudioPart(audio, audio_format, audio_format.duration_ms(len(audio)), said or "", said)
        case PartKind.INPUT_IMAGE:
            detail = checks.optional(checks.one_of(*ImageDetail))
            made = _content(part, path, {"detail": detail}, "image_url")
            url = base64_content.image(made["image_url"], f"{path}.image_url")
            return ImagePart(url, ImageDetail(made.get("detail") or ImageDetail.AUTO))
        case _:
            return TextPart(kind, _content(part, path, {}, "text")["text"])


def _content(part: Json, path: str, others: dict[str, Check], name: str) -> Json:
    """Check a part whose content is the field *name*; media are checked by `base64_content`."""
    content: Check = checks.string if name == "text" else lambda value, _, __: value
    checked: Json = checks.table({"type": checks.string, name: content, **others}, name)(part, None, path)
    return checked


def call_id(value: Any, _: Any, path: str) -> Any:
    """Take the id of a call: letters, digits, ``_`` and ``-``."""
    if not CALL_ID.fullmatch(checks.text(LONGEST_CALL_ID)(value, None, path)):
        message = f"Invalid '{path}': string does not match pattern. Expected '^{CALL_ID.pattern}$'."
        raise Refused("invalid_value", message, path)
    return value


def _call(item: Json, path: str) -> FunctionCallItem:
    fields: dict[str, Check] = {
        "call_id": checks.optional(call_id),
        "name": checks.text(LONGEST_CALL_ID),
        "arguments": checks.string,
    }
    made = _fields(item, path, fields, "name", "arguments")
    own_id = made.get("call_id") or new_id("call")
    return FunctionCallItem(made["id"], own_id, made["name"], made["arguments"])


def _call_output(item: Json, path: str) -> FunctionCallOutputItem:
    fields: dict[str, Check] = {"call_id": call_id, "output": checks.string}
    made = _fields(item, path, fields, "call_id", "output")
    return FunctionCallOutputItem(made["id"], made["call_id"], made["output"])
