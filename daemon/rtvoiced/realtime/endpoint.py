"""Where a connection goes, and what of it nobody may read. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

MASK = "***"
PLAIN_QUERY = frozenset({"api-version", "deployment", "intent", "language", "model", "voice"})
"""Parameters of a URL that are shown; any other may be a key."""
SHORTEST_SECRET = 6
"""Characters. Shorter texts are no secrets, and to mask them would make every text unreadable."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one attempt to connect goes."""

    url: str = field(repr=False)
    """May hold a password or a key: only `shown_url` is for people."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold the key: never logged."""
    dialect: str | None = None
    """``ga`` or ``beta``; None: told by ``session.created``."""

    def mask(self, text: str) -> str:
        """Return *text*, which the server or a library wrote, without our keys."""
        secrets = {value.rpartition(" ")[2] for value in self.headers.values()}
        secrets |= {form for value in url_secrets(self.url) for form in (value, unquote(value))}
        # The longest first: a secret may be a part of another.
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, MASK)
        return text


def is_loopback(url: str) -> bool:
    """Return True when the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_secrets(url: str) -> list[str]:
    """Return what may be secret in *url*, as written there: the password, and the values of its query."""
    parts = urlsplit(url)
    password = parts.netloc.rpartition("@")[0].partition(":")[2]
    values = [value for name, value in _query(parts.query) if name.lower() not in PLAIN_QUERY]
    return [each for each in (password, *values) if each]


def shown_url(url: str) -> str:
    """Return *url* for people: whatever may be secret is masked."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    user, at, host = parts.netloc.rpartition("@")
    if ":" in user:
        user = f"{user.partition(':')[0]}:{MASK}"
    query = "&".join(
        f"{name}={value if name.lower() in PLAIN_QUERY else MASK}" if value else name
        for name, value in _query(parts.query)
    )
    return parts._replace(netloc=f"{user}{at}{host}", query=query).geturl()


def _query(query: str) -> Iterator[tuple[str, str]]:
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield name, value
