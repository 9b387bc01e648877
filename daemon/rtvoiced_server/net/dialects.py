"""The dialects of the protocol that clients may speak; the session knows only GA."""

from __future__ import annotations

from typing import Protocol

from rtvoiced_server.beta.translation import Beta
from rtvoiced_server.protocol.wire import Json


class Dialect(Protocol):
    """Stands between one client and its session."""

    name: str

    def read(self, message: str | bytes) -> str | bytes:
        """Return the client's *message* as GA; raises `Refused`, in the client's own words."""
        ...

    def write(self, one: Json) -> list[Json]:
        """Return what the client is told in place of a GA event."""
        ...


class Ga:
    """What OpenAI has spoken since August 2025."""

    name = "ga"

    def read(self, message: str | bytes) -> str | bytes:
        """Return *message*."""
        return message

    def write(self, one: Json) -> list[Json]:
        """Return it alone."""
        return [one]


def dialect(name: str, kind: str) -> Dialect:
    """Return a new one of this name, for a session of this kind."""
    return Beta(kind) if name == Beta.name else Ga()
