"""JSON as the Realtime API writes it: objects, and numbers that are really numbers.

Every folder of the server may import this module; it imports nothing of the
package. Python's own decoder takes ``NaN``, ``Infinity`` and ``1e999``, which
are no JSON and could not be sent back to anybody: the decoders here refuse them.
"""

from __future__ import annotations

import json
import math
from typing import Any

Json = dict[str, Any]
"""One JSON object."""


def finite(text: str) -> float:
    """Return the number that *text* writes; raise ValueError where it is infinite or none at all."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


DECODER = json.JSONDecoder(parse_float=finite, parse_constant=finite)
"""Decodes an object that stands within other text; raises ValueError, or RecursionError for deep nesting."""
