"""One file per server family, pure: how client events are written."""

from __future__ import annotations

import json

from rtvoice.realtime.dialects import beta, ga
from rtvoice.realtime.events import ClientEvent

ENCODERS = {"ga": ga.encode, "beta": beta.encode}


def encode(event: ClientEvent, dialect: str) -> str:
    """Return *event* as the text of a WebSocket message; *dialect* is ``ga`` or ``beta``."""
    return json.dumps(ENCODERS[dialect](event), separators=(",", ":"))
