"""The client library: `Client` for threads, `AsyncClient` for asyncio, and what both yield of the events.

The names are loaded when they are first asked for: ``rtctl mute`` needs none
of them, and starts fast. Both clients are thin: `follow` decides what is
missing of the events and what to do about it, without a socket; `requests` and
`connection` are the way to the daemon; `commands` and `async_commands` are made
from the contract's declarations, a method for each command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtctl.client.aio import AsyncClient
    from rtctl.client.follow import Back, Event, Gap, Gone, Restarted, Snapshot
    from rtctl.client.sync import Client

__all__ = ["AsyncClient", "Back", "Client", "Event", "Gap", "Gone", "Restarted", "Snapshot"]

MODULES = {
    "Client": "sync",
    "AsyncClient": "aio",
    **dict.fromkeys(("Back", "Event", "Gap", "Gone", "Restarted", "Snapshot"), "follow"),
}


def __getattr__(name: str) -> Any:
    """Load a public name; raises AttributeError for any other."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
