"""One file per server family, pure: how client events are written."""

from __future__ import annotations

import base64
import json

from rtvoiced.realtime.dialects import beta, ga
from rtvoiced.realtime.events import AppendAudio, ClientEvent

ENCODERS = {"ga": ga.encode, "beta": beta.encode}
APPEND = '{"type":"input_audio_buffer.append","audio":"%s"}'
"""The same in every dialect, 50 times a second; base64 needs no escaping, so no `json`."""


def encode(event: ClientEvent, dialect: str) -> str:
    """Return *event* as the text of a WebSocket message; *dialect* is ``ga`` or ``beta``."""
    if isinstance(event, AppendAudio):
        return APPEND % base64.b64encode(event.pcm).decode("ascii")
    return json.dumps(ENCODERS[dialect](event), separators=(",", ":"))
