"""Where the output goes, and how: encoding, colour, pipes.

Every line is flushed at once, because a bar or a pipe behind us waits for it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def nearest(name: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    """Return the one of *names* that looks most like *name*."""
    from difflib import get_close_matches

    return get_close_matches(name, list(names), 1, 0)[0]


def encoded(message: Mapping[str, Any]) -> str:
    """Return *message* as JSON of one line that the terminal's encoding can hold."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return json.dumps(message, ensure_ascii=encoding.lower().replace("-", "") != "utf8")


def say(text: str, options: argparse.Namespace) -> None:
    """Print a line, unless nothing is wanted."""
    if not options.quiet:
        put(text)


def put(text: str) -> None:
    """Print a line at once: a bar or a pipe behind us waits for it."""
    print(text, flush=True)


def colored(options: argparse.Namespace) -> bool:
    """Return whether colour is wanted: on a terminal, unless said otherwise."""
    if options.color == "auto":
        dumb = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return is_terminal(sys.stdout) and not dumb
    return bool(options.color == "always")


def is_terminal(stream: Any) -> bool:
    """Return whether somebody looks at *stream*."""
    # Python sets a stream that was closed before the start (`>&-`) to None.
    return stream is not None and bool(stream.isatty())
