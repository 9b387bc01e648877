"""How an attempt or a session ended, in words for people, and whether a retry can mend it.

The link calls `closed` for a connection that was up, and `refused` for an attempt that led to
none. Both return a `LinkEnding` of one line. Keys in it are masked by the link.
"""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass

import websockets

from rtvoiced.realtime.events import FATAL_CODES

FATAL_STATUS = frozenset({400, 401, 403, 404})
"""HTTP statuses that no retry mends."""


@dataclass(frozen=True, slots=True)
class LinkEnding:
    """How an attempt or a session ended."""

    reason: str
    """In one line for people."""
    fatal: str | None = None
    """The error code of the IPC contract where no retry mends it; None where one may."""


def failure(code: str | None) -> str:
    """Return the error code of the IPC contract for a fatal *code* of the protocol."""
    return "auth_failed" if code is not None and "api_key" in code else "not_connected"


def closed(error: websockets.ConnectionClosed) -> LinkEnding:
    """Return what the end of a connection means: we gave it up, it was lost, or the server closed it."""
    sent, received = error.sent, error.rcvd
    if sent is not None and not (received is not None and error.rcvd_then_sent):
        return LinkEnding(f"connection given up: {sent.code} {sent.reason}".strip())
    if received is None:
        return LinkEnding("connection lost")
    # OpenAI: 3000 or 4000, "invalid_request_error.invalid_api_key".
    code = received.reason.rpartition(".")[2]
    reason = f"closed by the server: {received.code} {received.reason}".strip()
    return LinkEnding(reason, failure(code) if code in FATAL_CODES else None)


def refused(error: Exception, open_s: float) -> LinkEnding:
    """Return what the *error* of an attempt means; *open_s* is how many seconds it was given."""
    match error:
        case websockets.InvalidStatus():
            return _refused_with(error.response.status_code, error.response.body)
        case websockets.InvalidURI() | websockets.InvalidProxy():
            # Their own texts repeat the address, and there may be a password in it.
            which = "URL" if isinstance(error, websockets.InvalidURI) else "proxy"
            return LinkEnding(f"cannot connect: the {which} is not valid: {error.msg}")
        case ssl.SSLError():
            # Its errno is the library's, not the system's.
            return LinkEnding(f"cannot connect: TLS: {getattr(error, 'verify_message', '') or error.reason}")
        case TimeoutError():
            return LinkEnding(f"no connection within {open_s:.0f} s")
        case OSError():
            # asyncio's own text repeats the address, and says nothing of the reason.
            known = error.errno is not None and error.errno > 0
            text = os.strerror(error.errno or 0) if known else error.strerror or str(error)
            return LinkEnding(f"cannot connect: {text}")
        case websockets.WebSocketException():
            return LinkEnding(f"cannot connect: {error}")
        case ImportError():
            return LinkEnding(f"cannot connect: the proxy needs a package that is not installed: {error}")
        case UnicodeError():
            return LinkEnding("cannot connect: the host's name is not valid")
        case _:
            return LinkEnding(str(error))


def _refused_with(status: int, body: bytes | bytearray) -> LinkEnding:
    """Return what an HTTP error means."""
    code, message = _error_in(body)
    reason = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    if status in (401, 403):
        return LinkEnding(reason, "auth_failed")
    fatal = status in FATAL_STATUS or code in FATAL_CODES
    return LinkEnding(reason, failure(code) if fatal else None)


def _error_in(body: bytes | bytearray) -> tuple[str | None, str]:
    """Return code and message in the JSON body of an HTTP error; some servers send only a sentence."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, ""
    if not isinstance(error, dict):
        return None, str(error)[:200]
    code = error.get("code")
    return code if isinstance(code, str) else None, str(error.get("message") or "")[:200]
