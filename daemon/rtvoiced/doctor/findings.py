"""What the doctor found, as people and programs read it. Pure.

Each check makes its findings with `ok`, `warning` and `failure`; `screen` and `report` show them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

NAME = 15
"""Columns of the names of the checks."""


class Verdict(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    """Nothing is wrong."""
    WARNING = "warning"
    """A conversation is possible all the same."""
    FAILURE = "failure"
    """No conversation is possible."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    """What was looked at."""
    verdict: Verdict
    text: str
    """What was found, in one line."""
    remedy: str | None = None
    """What to do; None where nothing is wrong."""


def ok(check: str, text: str) -> Finding:
    """Return the finding that *check* is well."""
    return Finding(check, Verdict.OK, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Return the finding that *check* could be better, and what to do."""
    return Finding(check, Verdict.WARNING, text, remedy)


def failure(check: str, text: str, remedy: str) -> Finding:
    """Return the finding that no conversation is possible because of *check*, and what to do."""
    return Finding(check, Verdict.FAILURE, text, remedy)


def works(findings: Sequence[Finding]) -> bool:
    """Tell whether a conversation is possible."""
    return all(each.verdict is not Verdict.FAILURE for each in findings)


def report(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the report for programs, as ``--doctor --json`` prints it."""
    return {"ok": works(findings), "findings": [asdict(each) for each in findings]}


def screen(findings: Sequence[Finding]) -> str:
    """Return the report for people: a line for each, and below it what to do."""
    lines = []
    for each in findings:
        lines.append(f"{each.verdict:<9}{each.check:<{NAME}}{each.text}")
        if each.remedy:
            lines.append(f"{'':<{9 + NAME}}→ {each.remedy}")
    return "\n".join(lines)
