"""The programs in docs/server.md, with what they print."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PAGE = Path(__file__).parents[2] / "docs" / "server.md"
AUTHORITY = "127.0.0.1:8765"
"""Where the programs of the page look for the server."""
SNIPPET_S = 60.0


@dataclass(frozen=True)
class Snippet:
    """A program, and what the page says that it prints."""

    language: str
    code: str
    output: str


def snippets() -> dict[str, Snippet]:
    """Return the first program of each section that has one, by the section's title."""
    found = re.findall(
        r"^### (.+)\n(?:(?!^#|^```).*\n)*^```(\w+)\n((?:(?!^```).*\n)+)^```\n^```\n((?:(?!^```).*\n)+)^```$",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    return {title: Snippet(*rest) for title, *rest in found}


def printed(program: Sequence[str | Path], snippet: Snippet, url: str, environ: Mapping[str, str]) -> str:
    """Run *snippet* with *program* against the server at *url*; return all that it wrote."""
    ended = subprocess.run(
        [*program, snippet.code.replace(AUTHORITY, urlsplit(url).netloc)],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SNIPPET_S,
        check=False,
    )
    return ended.stdout if ended.returncode == 0 else ended.stdout + ended.stderr
