"""``python -m generate [--check]``: writes what is made of the declarations, or names what is stale."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from generate import stale


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or with ``--check`` only name it; return the exit status."""
    check = "--check" in arguments
    found = list(stale(write=not check))
    for path in found:
        print(f"{path} is stale" if check else f"{path} is written anew")
    if check and found:
        print("Renew them with: make generate", file=sys.stderr)
    return int(check and bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
