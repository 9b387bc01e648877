"""Writes every file and every part of a document that is made of declarations.

``make generate`` writes them; ``python -m generate --check``, which `make check`
calls, only names those that are stale and exits with 1. It is no part of what is installed. What is declared
where:

* commands and events: `rtvoiced.ipc.contract.commands`, `rtvoiced.ipc.contract.events`
* settings: `rtvoiced.settings.schema`
* the phases of the conversation: `rtvoiced.conversation.phases`

Of a document only what stands between two marks is made; the rest is written
by hand. A new generator is a function that returns texts by path (from the
root of the source), and a line in `GENERATORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

GENERATORS = (
    "generate.schemas",
    "generate.verbs",
    "generate.client_methods",
    "generate.contract_page",
    "generate.manual_pages",
    "generate.completions",
    "generate.state_diagram",
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
