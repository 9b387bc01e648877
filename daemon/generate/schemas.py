"""Makes ``schemas.json``, which the daemon's package ships and ``rtctl schema`` prints."""

from __future__ import annotations

from pathlib import Path

from rtvoiced.ipc.contract import schema

FILE = "daemon/rtvoiced/ipc/contract/schemas.json"


def files(root: Path) -> dict[str, str]:
    """Return the text of the file by its path."""
    return {FILE: schema.text()}
