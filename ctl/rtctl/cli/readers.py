"""From a typed word to its value. argparse calls these; what can't be read is told in a sentence."""

from __future__ import annotations

import argparse
import re

SECONDS_OF_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}
DAY_S = 86400


def seconds(text: str) -> float:
    """Return a duration in seconds: ``90``, ``90s``, ``10m``, ``2h``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 90, 90s, 10m or 2h")
    return float(found[1]) * SECONDS_OF_UNIT[found[2]]


def timeout(text: str) -> float:
    """Return how long to wait, in seconds; at most a day."""
    value = seconds(text)
    # poll() takes milliseconds as a C int; a day is more than anybody waits.
    if value > DAY_S:
        raise argparse.ArgumentTypeError("at most a day")
    return value


def positive(text: str) -> int:
    """Return a whole number above 0."""
    if not re.fullmatch(r"0*[1-9]\d{0,17}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def whole(text: str) -> int:
    """Return a whole number."""
    if not re.fullmatch(r"[+-]?\d{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def number(text: str) -> float:
    """Return a number."""
    if not re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,18})?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return float(text)


def sequence_number(text: str) -> int:
    """Return the number of an event, 0 for the one before the first."""
    if not re.fullmatch(r"\d{1,15}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no event's number")
    return int(text)


def volume(text: str) -> dict[str, int]:
    """Return the args of `volume`: ``40`` and ``40%`` are a percentage, ``+5`` and ``-5`` a change."""
    found = re.fullmatch(r"([+-]?)(\d{1,3})%?", text)
    if not found or int(found[2]) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no volume; write 0 to 100, +N or -N")
    return {"relative" if found[1] else "percent": int(found[1] + found[2])}
