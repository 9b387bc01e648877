"""The opening handshake: who is let in, to which model, in which dialect, with which options.

Everything is decided on the request line and the headers: no socket is touched
here. `Admission.admit` returns the client that is let in, or raises
`HandshakeError` with the HTTP error that the real server sends. Clients choose by
the path and the query (``?model=…&speed=1``), and show a key in one of four ways:
``Authorization``, ``api-key`` as a header or in the query, or a subprotocol.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from rtvoiced_server.net.options import BadParameterError, ConnectionOptions, by_query
from rtvoiced_server.net.refusals import HandshakeError, rejection
from rtvoiced_server.vocabulary import DialectName, SessionKind

PATH = "/v1/realtime"
AZURE_PATH = "/openai/v1/realtime"
AZURE_DATED_PATH = "/openai/realtime"
"""Azure's dated path, which wants ``api-version`` and ``deployment``."""
PATHS = (PATH, AZURE_PATH, AZURE_DATED_PATH)
MODEL = "rtvoice-local"
"""The model of a client that names none."""

SUBPROTOCOL = "realtime"
"""The answer to a browser, which has no headers to send and offers its key as a subprotocol beside it."""
KEY_SUBPROTOCOL = "openai-insecure-api-key."
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
DATED_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s,*]+)/?")


class RequestHeaders(Protocol):
    """What is asked of an HTTP request's headers."""

    def get_all(self, key: str) -> list[str]:
        """Return all values of *key*, in whatever case it is written."""
        ...


@dataclass(frozen=True, slots=True)
class AdmittedClient:
    """A client that is let in, and what it asked for."""

    model: str
    dialect: DialectName
    kind: SessionKind
    options: ConnectionOptions


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may come in, and the options that are theirs unless they ask for others."""

    options: ConnectionOptions = field(default_factory=ConnectionOptions)
    key: str | None = None
    """The key that must be shown; where it is None, every key is good, and so is none."""
    origins: frozenset[str] = frozenset()
    """The web sites whose pages may come in, beside those of this computer."""

    def admit(self, target: str, headers: RequestHeaders) -> AdmittedClient:
        """Return who comes in with the request for *target*, path and query, or raise `HandshakeError`."""
        path, _, after = target.partition("?")
        query = parse_qs(after, keep_blank_values=True)
        if path not in PATHS:
            message = f"Invalid URL (GET {path[:200]}). The Realtime API is at {PATH}."
            raise HandshakeError(HTTPStatus.NOT_FOUND, message)
        self._check_origin(headers)
        self._check_key(headers, query)
        try:
            options = by_query(self.options, query)
        except BadParameterError as bad:
            raise HandshakeError(HTTPStatus.BAD_REQUEST, str(bad), "invalid_value", bad.name) from None
        model = _model(path, query)
        client = AdmittedClient(model, _dialect(headers, query), _kind(query), options)
        if isinstance(options.refuse, int):
            raise rejection(options.refuse, model)
        return client

    def _check_origin(self, headers: RequestHeaders) -> None:
        """Refuse the page of a foreign web site, which any browser here would connect without asking.

        Where a key is wanted nobody is refused here: a page that does not know it can't show it.
        """
        foreign = [each for each in headers.get_all("Origin") if not self._known(each)]
        if foreign and self.key is None:
            message = f"Pages of {foreign[0][:200]} may not use this server; --allow-origin lets them."
            raise HandshakeError(HTTPStatus.FORBIDDEN, message, "origin_not_allowed")

    def _known(self, origin: str) -> bool:
        return origin in self.origins or is_this_computer(origin)

    def _check_key(self, headers: RequestHeaders, query: Mapping[str, Sequence[str]]) -> None:
        if self.key is None:
            return
        shown = [*_keys(headers), *query.get("api-key", ())]
        if any(_same(each, self.key) for each in shown):
            return
        message = "Incorrect API key provided." if any(shown) else "You didn't provide an API key."
        raise HandshakeError(HTTPStatus.UNAUTHORIZED, message, "invalid_api_key")


def _same(shown: str, key: str) -> bool:
    """Compare the keys in a time that tells nothing of them."""
    return hmac.compare_digest(shown.encode(errors="surrogateescape"), key.encode())


def is_this_computer(origin: str) -> bool:
    """Tell whether *origin*, such as ``http://localhost:3000``, is a web site of this computer.

    It is told by the literal name: one that somebody else's DNS leads here is foreign.
    """
    try:
        url = urlsplit(origin)
        host = url.hostname
    except ValueError:
        return False
    if url.scheme not in ("http", "https") or not host:
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(text: str) -> str:
    """Read the name of a web site as browsers send it; raises ValueError, whose text says what it wants."""
    found = ORIGIN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("wants a web site such as https://example.org or http://192.168.1.5:3000")
    return found[1]


def subprotocols(headers: RequestHeaders) -> list[str]:
    """Return the subprotocols that a client offers, in order."""
    return [name.strip() for line in headers.get_all("Sec-WebSocket-Protocol") for name in line.split(",")]


def _keys(headers: RequestHeaders) -> Iterator[str]:
    """Yield the keys that a client shows, by whichever way."""
    for line in headers.get_all("Authorization"):
        scheme, _, key = line.strip().partition(" ")
        if scheme.lower() == "bearer":
            yield key.strip()
    yield from (line.strip() for line in headers.get_all("api-key"))
    for name in subprotocols(headers):
        if name.startswith(KEY_SUBPROTOCOL):
            yield name.removeprefix(KEY_SUBPROTOCOL)


def _model(path: str, query: Mapping[str, Sequence[str]]) -> str:
    if path != AZURE_DATED_PATH:
        return _last(query, "model") or MODEL
    for name in ("api-version", "deployment"):
        if not _last(query, name):
            message = f"Missing required query parameter: '{name}'."
            raise HandshakeError(HTTPStatus.BAD_REQUEST, message, "missing_required_parameter", name)
    return _last(query, "deployment")


def _dialect(headers: RequestHeaders, query: Mapping[str, Sequence[str]]) -> DialectName:
    """Return what a client asks for: by name, by OpenAI's header, or by a dated version of Azure's."""
    named = query.get("dialect")
    if named:
        if named[-1] not in list(DialectName):
            message = f"Invalid value for 'dialect': it wants ga or beta, not '{named[-1][:60]}'."
            raise HandshakeError(HTTPStatus.BAD_REQUEST, message, "invalid_value", "dialect")
        return DialectName(named[-1])
    asked = [word.strip() for line in headers.get_all("OpenAI-Beta") for word in line.split(",")]
    if "realtime=v1" in asked or BETA_SUBPROTOCOL in subprotocols(headers):
        return DialectName.BETA
    return DialectName.BETA if DATED_VERSION.fullmatch(_last(query, "api-version")) else DialectName.GA


def _kind(query: Mapping[str, Sequence[str]]) -> SessionKind:
    """Return what the session is for; other intents, such as ``conversation``, are the usual one."""
    transcribes = _last(query, "intent") == SessionKind.TRANSCRIPTION
    return SessionKind.TRANSCRIPTION if transcribes else SessionKind.REALTIME


def _last(query: Mapping[str, Sequence[str]], name: str) -> str:
    return query.get(name, [""])[-1]
