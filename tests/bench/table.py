"""What was measured beside what was aimed at: printed, and written into docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.measuring import percentile

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
TITLE = "# Benchmarks\n\nMeasured by `make bench`; no figure in a table is written by hand.\n"
HEAD = ("measured", "target", "n", "median", "p95", "p99", "max", "")


@dataclass(frozen=True)
class Row:
    """One thing that was measured."""

    name: str
    unit: str
    target: str
    values: Sequence[float]
    kept: bool | None = None
    """Whether the target is met; None: there is none."""

    def cells(self) -> tuple[str, ...]:
        """Return the row as text."""
        figures = [percentile(self.values, 50), percentile(self.values, 95), percentile(self.values, 99)]
        told = [f"{each:.4g}" for each in (*figures, max(self.values))]
        word = {None: "", True: "kept", False: "MISSED"}[self.kept]
        name = f"{self.name}, {self.unit}" if self.unit else self.name
        return (name, self.target, str(len(self.values)), *told, word)


def printed(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 1 < column < 7 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def write(name: str, heading: str, rows: Sequence[Row], text: str = "") -> None:
    """Put the table into docs/benchmarks.md, in the place of the last one of that *name*."""
    lines = [HEAD, ("---",) * len(HEAD), *(row.cells() for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    told = "\n\n".join(
        filter(None, (f"## {heading}", f"{time.strftime('%Y-%m-%d')}, {machine()}", text, table))
    )
    page = PAGE.read_text("utf-8") if PAGE.exists() else TITLE
    PAGE.write_text(placed(page, name, told), "utf-8")


def placed(page: str, name: str, section: str) -> str:
    """Return *page* with *section* between the marks of *name*, in place of the last one, else at its end."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{section}\n{end}{rest.partition(end)[2]}"


def machine() -> str:
    """Return what it was measured on."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith(("model name", "Model")):
            model = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {cores} cores, {system}; load {os.getloadavg()[0]:.1f}"
