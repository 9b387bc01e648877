"""Logging with structlog: lines for people on a terminal, else one JSON object a line; always on stderr.

Modules log events with fields, not sentences: ``log.warning("link.lost", reason=…, attempt=3)``. Audio and
keys are never logged.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def is_console(form: str) -> bool:
    """Tell whether *form*, the setting ``log.format``, means lines for people here."""
    return form == "console" or (form == "auto" and sys.stderr.isatty())


def configure(level: str = "info", form: str = "auto") -> None:
    """Log to stderr from *level* on; *form* is ``console``, ``json``, or ``auto``, as `is_console` has it."""
    console = is_console(form)
    renderer: Any = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=24,
            # Where rich is installed, the default shows the values of all variables: keys too.
            exception_formatter=structlog.dev.plain_traceback,
        )
        if console
        else structlog.processors.JSONRenderer()
    )
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
        structlog.processors.StackInfoRenderer(),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # The libraries' own words: websockets logs every frame at DEBUG and that would hold audio and keys.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
