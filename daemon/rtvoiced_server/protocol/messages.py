"""The pieces of a session's protocol: what comes in as JSON, and the events that tell of an item."""

from __future__ import annotations

import json

from rtvoiced_server.protocol.items import Item
from rtvoiced_server.protocol.wire import Json, Refused, event, finite


def decoded(message: str | bytes) -> Json:
    """Return the JSON object in *message*, or raise `Refused`."""
    try:
        told = json.loads(message, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError) as failed:
        raise Refused("invalid_json", "The event is not valid JSON.") from failed
    if not isinstance(told, dict):
        raise Refused("invalid_event", "The event is not a JSON object.")
    return told


def announced(item: Item, previous: str | None) -> list[Json]:
    """Return the two events that tell of a new item."""
    names = ("conversation.item.added", "conversation.item.done")
    return [event(name, previous_item_id=previous, item=item.wire()) for name in names]
