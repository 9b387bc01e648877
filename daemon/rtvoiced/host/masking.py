"""What nobody may read of a URL: the password, and the parameters that may be keys. Pure.

Logs, events, `doctor` and ``rtvoiced --check`` show URLs through `shown_url` only.

>>> shown_url("wss://me:secret@host/v1?model=m&api-key=secret")
'wss://me:***@host/v1?model=m&api-key=***'
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

MASK = "***"
"""What stands in place of a secret."""
PLAIN_QUERY = frozenset({"api-version", "deployment", "intent", "language", "model", "voice"})
"""Parameters of a URL that are shown; any other may be a key."""


def url_secrets(url: str) -> list[str]:
    """Return what may be secret in *url*, as written there: the password, and the values of its query."""
    parts = urlsplit(url)
    password = parts.netloc.rpartition("@")[0].partition(":")[2]
    values = [value for name, value in _query(parts.query) if name.lower() not in PLAIN_QUERY]
    return [each for each in (password, *values) if each]


def shown_url(url: str) -> str:
    """Return *url* as people may see it: whatever may be secret is masked."""
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
    """Yield name and value of each parameter, as written."""
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield name, value
