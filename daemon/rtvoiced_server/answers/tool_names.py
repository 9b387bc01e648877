"""The names of tools, as one says them: ``get_weather`` is said "get weather".

The rules look for these names in what was said, the recogniser's grammar listens
for them, and the answers speak them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rtvoiced_server.json_text import Json


def spoken_name(tool: str) -> str:
    """Return the name of a *tool* as one says it: ``get_weather`` and ``getWeather`` are "get weather"."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", tool)
    return " ".join(re.findall(r"[a-z0-9]+", parted.lower()))


def spoken_names(declared: Sequence[Json]) -> tuple[str, ...]:
    """Return what can be said to have the *declared* tools called, in the order of the alphabet."""
    return tuple(sorted({said for tool in declared if (said := spoken_name(tool["name"]))}))
