"""How a connection is turned away: an HTTP error in place of the upgrade, or a close code after it.

The texts are the real server's. `refusal` reads what ``--refuse`` takes; the
handshake raises `HandshakeError`, and a connection ends with a `SocketClose`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus

from rtvoiced_server.protocol.wire import Refused

EXPIRED = "Your session hit the maximum duration of 60 minutes."
"""The real server's sentence; it is said whatever the session's cap is."""


class HandshakeError(Exception):
    """A connection that is answered with an HTTP error."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param

    @property
    def phrase(self) -> str:
        """The name of the status."""
        return _name(self.status)

    def body(self) -> bytes:
        """Return the JSON that explains it."""
        kind = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error}, indent=2).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class SocketClose:
    """The end of a WebSocket: its code and its reason."""

    code: int
    reason: str = ""


EXPIRY = SocketClose(1001, EXPIRED)
LOST = SocketClose(1006)
"""The connection is lost without a close frame; a client then makes up the code 1006 for itself."""
BETA_DISABLED = SocketClose(4000, "invalid_request_error.beta_api_shape_disabled")

HTTP_ERRORS: dict[int, tuple[str, str | None]] = {
    400: ("You must provide a model parameter.", "missing_model"),
    401: ("Incorrect API key provided.", "invalid_api_key"),
    403: ("You are not allowed to use this.", None),
    404: ("The model `{model}` does not exist or you do not have access to it.", "model_not_found"),
    429: ("Rate limit reached for requests.", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request. Sorry about that!", "server_error"),
    503: ("The engine is currently overloaded, please try again later.", None),
}
"""The message and the code of the HTTP errors that the real server sends; others say their HTTP name."""
CLOSE_REASONS = {
    1000: "",
    1001: EXPIRED,
    1002: "protocol error",
    1003: "unsupported data",
    1006: LOST.reason,
    1007: "invalid payload",
    1008: "policy violation",
    1009: "message too big",
    1010: "missing extension",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    3000: "invalid_request_error.invalid_api_key",
    4000: BETA_DISABLED.reason,
}
"""The reasons of the close codes that a client may see; others, from 3000 to 4999, have none."""
ERROR_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def refusal(text: str) -> int | SocketClose:
    """Read what ``--refuse`` takes: an HTTP status, or how to close after the upgrade.

    Raises ValueError, whose text says what it wants.
    """
    if text.isascii() and text.isdigit():
        number = int(text)
        if 400 <= number <= 599:
            return number
        if number in CLOSE_REASONS or 3000 <= number <= 4999:
            return SocketClose(number, CLOSE_REASONS.get(number, ""))
    elif ERROR_CODE.fullmatch(text):
        return SocketClose(4000, f"invalid_request_error.{text}")
    raise ValueError(
        "wants an HTTP status (400 to 599), a close code (1000 to 1014 without 1004 and 1005, 3000 to 4999), "
        "or an error code such as insufficient_quota"
    )


def rejection(status: int, model: str) -> HandshakeError:
    """Return the HTTP error of *status*."""
    message, code = HTTP_ERRORS.get(status, (_name(status), None))
    return HandshakeError(status, message.format(model=model), code)


def _name(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"


def expired() -> Refused:
    """Return the error that is sent before the end of a session that expires."""
    return Refused("session_expired", EXPIRED)
