"""Makes ids unique over all sessions. Pure.

Some servers count items and responses from one in every session, and what a response of
the last session left, audio that still sounds, must not be taken for the new one's. The
link therefore passes every event through a `SessionIds`: an id that an earlier session used
gets a mark on the way in, and loses it on the way out.

>>> ids = SessionIds()
>>> ids.new_session(); ids.incoming(AudioDone(Part("r1", "i1"))).part.item_id
'i1'
>>> ids.new_session(); ids.incoming(AudioDone(Part("r1", "i1"))).part.item_id
'i1~2'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from rtvoiced.dsp.pcm import Part
from rtvoiced.realtime.events import ClientEvent, ServerEvent

MOST = 4096
"""How many ids of earlier sessions are remembered, the newest of them."""
Event = TypeVar("Event", ServerEvent, ClientEvent)
FIELDS = ("item_id", "previous_item_id", "response_id")
"""Fields of events that hold an id; a ``part`` holds two."""


class SessionIds:
    """Gives an id that an earlier session used a mark of its own, and takes it off again on the way back."""

    def __init__(self) -> None:
        self._mark = ""
        """What ids of this session get that an earlier one used."""
        self._session = 0
        self._earlier: dict[str, None] = {}
        """Ids that earlier sessions used, the oldest first."""
        self._seen: dict[str, None] = {}
        """Ids that this session used, the oldest first."""

    def new_session(self) -> None:
        """Begin a session: all ids that were seen until now belong to earlier ones."""
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
    """Return *event* with *change* applied to every id in it."""
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
