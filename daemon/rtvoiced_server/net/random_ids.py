"""Ids that are drawn: at random, or from a seed and then the same in every run."""

from __future__ import annotations

import random

from rtvoiced_server.protocol.ids import IdGenerator

ID_BITS = 80


def random_ids(seed: str | None) -> IdGenerator:
    """Return a connection's ids; without a seed they never come again.

    Each prefix has a source of its own: an item's id does not depend on how
    many events came before it.
    """
    sources: dict[str, random.Random] = {}

    def digits(prefix: str) -> int:
        if prefix not in sources:
            # Not secrets: ids tell clients apart from nobody.
            sources[prefix] = random.Random(None if seed is None else f"{seed} {prefix}")  # noqa: S311
        return sources[prefix].getrandbits(ID_BITS)

    return IdGenerator(digits, repeatable=seed is not None)
