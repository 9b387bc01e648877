"""Where a connection goes. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one attempt to connect goes."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold the key: never logged."""
    dialect: str | None = None
    """``ga`` or ``beta``; None: told by ``session.created``."""


def is_loopback(url: str) -> bool:
    """Return True when the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
