"""The log: events with their facts, on stderr, and never a key."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

KEY = "sk-proj-0123456789"
SPEAK = f"""
import logging, sys
import structlog
from rtvoiced.host import logs

logs.configure(sys.argv[1], sys.argv[2])
log = structlog.get_logger()
log.debug("quiet", n=0)
log.info("link.down", reason="closed", attempt=2)
logging.getLogger("websockets.client").debug("> Authorization: Bearer {KEY}")
logging.getLogger("websockets.client").warning("odd")

def connect():
    key = "{KEY[:3]}" + "{KEY[3:]}"
    raise RuntimeError("a bug")

try:
    connect()
except RuntimeError as error:
    log.critical("bug", exc_info=error)
"""


def spoken(level: str, form: str) -> tuple[str, list[str]]:
    """Return stdout, and the lines of stderr."""
    done = subprocess.run(
        [sys.executable, "-c", SPEAK, level, form], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout, done.stderr.splitlines()


def test_into_a_file_it_is_one_json_object_a_line() -> None:
    out, lines = spoken("info", "auto")
    events = [json.loads(line) for line in lines if line.startswith("{")]

    assert out == ""
    assert {key: events[0][key] for key in ("event", "level", "reason", "attempt")} == {
        "event": "link.down",
        "level": "info",
        "reason": "closed",
        "attempt": 2,
    }
    assert [each["event"] for each in events] == ["link.down", "bug"]
    assert "RuntimeError: a bug" in events[1]["exception"]
    assert [line for line in lines if not line.startswith("{")] == ["websockets.client: odd"]


def test_the_level_is_the_least_that_is_told() -> None:
    assert [json.loads(line)["event"] for line in spoken("error", "json")[1] if line.startswith("{")] == [
        "bug"
    ]
    assert any('"quiet"' in line for line in spoken("debug", "json")[1])


def test_for_people_a_bug_is_a_traceback_without_the_values_of_its_variables() -> None:
    _, lines = spoken("debug", "console")
    text = "\n".join(lines)

    assert "RuntimeError: a bug" in text
    assert "reason=closed" in text
    assert KEY not in text
    assert "\x1b" not in text
