"""The dialects of the protocol that clients may speak; the session knows only GA.

To serve another dialect, add its name to `DialectName`, its translation as a folder
beside `rtvoiced_server.beta`, and a line to `dialect`.
"""

from __future__ import annotations

from typing import Protocol

from rtvoiced_server.beta.translation import BetaDialect
from rtvoiced_server.json_text import Json
from rtvoiced_server.vocabulary import DialectName, SessionKind


class WireDialect(Protocol):
    """Stands between one client and its session."""

    name: DialectName

    def read(self, message: str | bytes) -> str | bytes:
        """Return the client's *message* as GA, or raise `Refused` in the client's own words."""
        ...

    def write(self, sent: Json) -> list[Json]:
        """Return what the client is told in place of the GA event *sent*."""
        ...


class GaDialect:
    """What OpenAI has spoken since August 2025."""

    name = DialectName.GA

    def read(self, message: str | bytes) -> str | bytes:
        """Return *message* as it is."""
        return message

    def write(self, sent: Json) -> list[Json]:
        """Return the event alone."""
        return [sent]


def dialect(name: DialectName, kind: SessionKind) -> WireDialect:
    """Return a new dialect of this *name*, for a session of this *kind*."""
    return BetaDialect(kind) if name == DialectName.BETA else GaDialect()
