"""Where a connection goes, and what of it nobody may read. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from rtvoiced.host.masking import MASK, url_secrets
from rtvoiced.vocabulary import DialectName

SHORTEST_SECRET = 6
"""Characters. Shorter texts are no secrets, and to mask them would make every text unreadable."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one attempt to connect goes."""

    url: str = field(repr=False)
    """May hold a password or a key: only `shown_url` is for people."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold the key: never logged."""
    dialect: DialectName | None = None
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
