"""Ids that are unique over all sessions. Pure.

Some servers count them from one in every session, and what an answer of the
last session left, audio that still sounds, must not be taken for the new one's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from rtvoiced.dsp.pcm import Part
from rtvoiced.realtime.events import ClientEvent, ServerEvent

MOST = 4096
"""Ids of earlier sessions that are remembered, the newest of them."""
Event = TypeVar("Event", ServerEvent, ClientEvent)
FIELDS = ("item_id", "previous_item_id", "response_id")


class SessionIds:
    """Gives an id that an earlier session used a mark of its own, and takes it off again on the way back."""

    def __init__(self) -> None:
        self._mark = ""
        self._session = 0
        self._earlier: dict[str, None] = {}
        self._seen: dict[str, None] = {}

    def new_session(self) -> None:
        """What was seen until now belongs to earlier sessions."""
        self._session += 1
        self._mark = f"~{self._session}"
        self._earlier |= self._seen
        self._seen = {}
        for oldest in list(self._earlier)[:-MOST]:
            del self._earlier[oldest]

    def incoming(self, event: ServerEvent) -> ServerEvent:
        """Return *event* with ids as the daemon knows them."""
        return _changed(event, self._ours)

    def outgoing(self, event: ClientEvent) -> ClientEvent:
        """Return *event* with ids as the server knows them."""
        return _changed(event, lambda known: known.removesuffix(self._mark) if self._mark else known)

    def _ours(self, theirs: str) -> str:
        if theirs in self._earlier:
            return theirs + self._mark
        self._seen[theirs] = None
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
        return theirs


def _changed(event: Event, change: Callable[[str], str]) -> Event:
    fresh: dict[str, Any] = {}
    for name in FIELDS:
        known = getattr(event, name, None)
        if known and (other := change(known)) != known:
            fresh[name] = other
    part = getattr(event, "part", None)
    if isinstance(part, Part):
        other_part = replace(part, response_id=change(part.response_id), item_id=change(part.item_id))
        if other_part != part:
            fresh["part"] = other_part
    return replace(event, **fresh) if fresh else event
