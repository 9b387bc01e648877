"""Where a connection goes, and what of it nobody may read. Pure.

`realtime.providers` makes an `Endpoint` of the configuration, or the embedded server tells where it
listens; the link connects to it. It holds the key, so it never shows itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from rtvoiced.host.masking import MASK, url_secrets
from rtvoiced.vocabulary import DialectName

SHORTEST_SECRET = 6
"""Characters of a secret, at least: shorter texts are none, and to mask them would make every text
unreadable."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an attempt to connect goes."""

    url: str = field(repr=False)
    """May hold a password or a key; people are shown `host.masking.shown_url` of it."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold the key, and are never logged."""
    dialect: DialectName | None = None
    """The dialect that the server speaks; None: ``session.created`` tells."""

    def mask(self, text: str) -> str:
        """Return *text*, which the server or a library wrote, with our keys masked."""
        secrets = {value.rpartition(" ")[2] for value in self.headers.values()}
        secrets |= {form for value in url_secrets(self.url) for form in (value, unquote(value))}
        # The longest first: a secret may be a part of another.
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, MASK)
        return text


def is_loopback(url: str) -> bool:
    """Tell whether the host of *url* is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
