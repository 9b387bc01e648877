"""The values of the settings as people may see them.

``rtvoiced --check``, the command `get` and ``rtctl config`` show them through `shown_values` only,
which masks what may be a key.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rtvoiced.host.masking import MASK, shown_url
from rtvoiced.settings.schema import Settings


def shown_values(config: Settings) -> dict[str, Any]:
    """Return by key its ``value`` and its ``origin``; what may be a key is masked."""
    shown = {}
    for section in fields(config):
        if section.name == "origins":
            continue
        part = getattr(config, section.name)
        for each in fields(part):
            key, value = f"{section.name}.{each.name}", getattr(part, each.name)
            if key == "session.headers":
                value = dict.fromkeys(value, MASK)
            elif key in ("session.url", "azure.endpoint") and value is not None:
                value = shown_url(value)
            shown[key] = {"value": value, "origin": config.origin(key)}
    return shown
