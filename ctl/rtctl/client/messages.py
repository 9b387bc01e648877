"""The client's side of requests and replies (docs/ipc.md, "Commands"): no socket and no clock here.

It imports nothing of `rtvoiced.ipc`, whose dataclasses take longer to make
than the daemon to answer; a test holds what it says against the contract.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from rtvoiced.errors import CommandError, NotRunningError

VERSION = 1
"""Of the protocol; `rtvoiced.ipc.contract.protocol` has the same."""
RETRY_S = 1.0
"""After so long without a reply a request is sent again, with its id: it is carried out once at most."""
WAIT_GRACE_S = 0.15
"""A command that waits is answered at its ``expires``: that reply needs a moment to arrive."""


class CommandReply(NamedTuple):
    """What a command that was carried out is answered with."""

    data: dict[str, Any]
    run: str
    seq: int


def new_id() -> str:
    """Return a request's id: 32 characters, unique across clients (uuid would cost its import)."""
    return os.urandom(16).hex()


def request_of(command: str, args: dict[str, Any], request_id: str, expires: float | None) -> bytes:
    """Return a request's JSON frame; *expires* is CLOCK_MONOTONIC seconds."""
    request = {"v": VERSION, "id": request_id, "command": command, "args": args}
    if expires is not None:
        request["expires"] = expires
    return json.dumps(request).encode()


def reply_of(body: bytes, request_id: str) -> CommandReply | None:
    """Return the reply to *request_id*; None: another request's, for which nobody waits any more.

    Raises `CommandError` with the daemon's code, or ``unsupported_protocol``.
    """
    reply = message_of(body)
    if isinstance(reply.get("id"), str) and reply["id"] != request_id:
        return None
    data, run, seq = reply.get("data"), reply.get("run"), reply.get("seq")
    if reply.get("ok") is True and isinstance(data, dict) and isinstance(run, str) and isinstance(seq, int):
        return CommandReply(data, run, seq)
    error = reply.get("error")
    if not isinstance(error, dict):
        raise unreadable()
    raise CommandError(
        str(error.get("code", "internal")),
        str(error.get("message", "no message")),
        retryable=error.get("retryable") is True,
        details=error.get("details"),
    )


def message_of(body: bytes) -> dict[str, Any]:
    """Return a message's JSON object; `CommandError` ``unsupported_protocol`` where it is none."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise unreadable()
    return message


def unreadable() -> CommandError:
    """Return the error for a message that is not as the contract says."""
    return CommandError(
        "unsupported_protocol", "the daemon's answer can't be read; is it of another version?"
    )


def no_answer(command: str, timeout_s: float) -> CommandError:
    """Return the error for a reply that did not come in time."""
    return CommandError(
        "timeout",
        f"no answer to {command} within {timeout_s:g} s: the daemon is busy or stopped, "
        "or the command takes longer (--timeout); if not begun by now, it is not carried out",
        retryable=True,
    )


def no_welcome(timeout_s: float) -> CommandError:
    """Return the error for a subscription that was not welcomed in time."""
    return CommandError(
        "timeout",
        f"no welcome within {timeout_s:g} s: the daemon is busy or stopped, or needs longer (--timeout)",
        retryable=True,
    )


def ended_before(command: str) -> NotRunningError:
    """Return the error for a daemon that was lost with a command in its hands."""
    return NotRunningError(
        f"the daemon ended before it answered; whether it carried out {command} is not known"
    )


def is_passing(error: Exception) -> bool:
    """Return whether a follower may go on after *error*, once the daemon is back."""
    if isinstance(error, CommandError):
        return error.code in ("timeout", "busy", "expired", "shutting_down", "internal")
    return isinstance(error, NotRunningError)
