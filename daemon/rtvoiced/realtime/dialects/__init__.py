"""The forms of the Realtime protocol that servers speak, one module for each. Pure.

A dialect says how client events are written, by which other names it calls server
events, and how one knows its ``session.created``. The link asks `encode` for every message
that it sends; `realtime.decode` reads all dialects with one tolerant reader, and asks this
package for the names and for the dialect of a new session.

To add a dialect: its name in `vocabulary.DialectName`, a module here, a line in
`DIALECTS`, and tests in tests/realtime/test_dialects.py. Where the URL or the provider
tells the dialect before the server does, `realtime.providers` sets it in the `Endpoint`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rtvoiced.realtime.dialects import beta, ga
from rtvoiced.realtime.events import AppendAudio, ClientEvent, ControlEvent
from rtvoiced.vocabulary import DialectName


@dataclass(frozen=True, slots=True)
class Dialect:
    """One form of the protocol."""

    encode: Callable[[ControlEvent], dict[str, Any]]
    """Returns a client event as its JSON object."""
    recognises: Callable[[Mapping[str, Any]], bool]
    """Tells whether the ``session`` of a ``session.created`` is written in it."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """The names by which it calls server events → the names of the GA protocol."""


DIALECTS: Mapping[DialectName, Dialect] = {
    "beta": Dialect(beta.encode, beta.recognises, beta.ALIASES),
    "ga": Dialect(ga.encode, ga.recognises),
}
"""Every dialect, in the order in which they are asked whether they recognise a session."""
ALIASES = {name: ga_name for dialect in DIALECTS.values() for name, ga_name in dialect.aliases.items()}
"""All names of server events that are not those of the GA protocol."""
APPEND = '{"type":"input_audio_buffer.append","audio":"%s"}'
"""The same in every dialect, 50 times a second; base64 needs no escaping, so no `json`."""


def encode(event: ClientEvent, dialect: DialectName) -> str:
    """Return *event* as the text of a WebSocket message."""
    if isinstance(event, AppendAudio):
        return APPEND % base64.b64encode(event.pcm).decode("ascii")
    return json.dumps(DIALECTS[dialect].encode(event), separators=(",", ":"))


def dialect_of(session: Mapping[str, Any]) -> DialectName:
    """Return the dialect of the ``session`` of a ``session.created``; GA where none is sure."""
    return next((name for name, dialect in DIALECTS.items() if dialect.recognises(session)), "ga")
