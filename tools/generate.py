"""Writes every file and every part of a document that is made of declarations.

``python tools/generate.py`` writes them; with ``--check``, which `make check`
calls, it only names those that are stale and exits with 1. What is declared
where:

* commands and events: `rtvoiced.ipc.contract.commands`, `rtvoiced.ipc.contract.events`
* settings: `rtvoiced.settings.schema`
* the phases of the conversation: `rtvoiced.conversation.phases`

Of a document only what stands between two marks is made; the rest is written
by hand. A new generator is a function that returns texts by path (from the
root of the source), and a line in `GENERATORS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

GENERATORS = (
    "generators.schemas",
    "generators.verbs",
    "generators.client_methods",
    "generators.contract_page",
    "generators.manual_pages",
    "generators.completions",
    "generators.state_diagram",
)
"""Modules with a function ``files(root)``. Completions come after the verbs, whose file they import."""


def stale(root: Path = ROOT, *, write: bool = False) -> Iterator[str]:
    """Yield the paths whose text is not what the declarations say; *write*: after having written them."""
    for name in GENERATORS:
        files: Callable[[Path], dict[str, str]] = import_module(name).files
        for path, text in files(root).items():
            file = root / path
            if not file.exists() or file.read_text("utf-8") != text:
                if write:
                    file.write_text(text, "utf-8")
                yield path


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or with ``--check`` only name it; return the exit status."""
    check = "--check" in arguments
    found = list(stale(write=not check))
    for path in found:
        print(f"{path} is stale" if check else f"{path} is written anew")
    if check and found:
        print("Renew them with: .venv/bin/python tools/generate.py", file=sys.stderr)
    return int(check and bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
