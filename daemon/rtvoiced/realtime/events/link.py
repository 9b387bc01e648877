"""What becomes of the link, as dataclasses. Pure.

`Link` tells them between the events of two sessions: `LinkConnecting` at each attempt,
then `SessionCreated` or how the attempt ended. All are inputs of the conversation.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkConnecting:
    """The link tries to reach the server."""

    attempt: int
    """0 for the first, and after a session that was stable or a reconnect that was asked for."""


@dataclass(frozen=True, slots=True)
class LinkLost:
    """There is no session any more, or the attempt failed; the link tries again by itself."""

    reason: str
    """In one line for people, without keys."""
    attempt: int
    """The number of the next attempt."""
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class LinkFailed:
    """There is no session, and somebody has to act before there can be one."""

    reason: str
    """In one line for people, without keys."""
    retry_in_s: float
    """The link tries all the same, but seldom."""
    code: str = "not_connected"
    """The error code of the IPC contract: ``auth_failed`` where the server refused the key."""
