"""What was measured beside what was aimed at: printed, and written into docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import percentile

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
TITLE = (
    "# Benchmarks\n\nMeasured by `make bench`, which writes this page; no figure here is written by hand.\n"
)
BEGIN, END = "<!-- ipc: begin -->", "<!-- ipc: end -->"
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
        return (f"{self.name}, {self.unit}", self.target, str(len(self.values)), *told, word)


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


def write(rows: Sequence[Row]) -> None:
    """Put the table into docs/benchmarks.md, in the place of the last one."""
    page = PAGE.read_text("utf-8") if PAGE.exists() else f"{TITLE}\n{BEGIN}\n{END}\n"
    if BEGIN not in page:
        page = f"{page.rstrip()}\n\n{BEGIN}\n{END}\n"
    lines = [HEAD, ("---",) * len(HEAD), *(row.cells() for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    section = f"## IPC\n\n{time.strftime('%Y-%m-%d')}, {machine()}\n\n{table}\n"
    PAGE.write_text(f"{before}{BEGIN}\n{section}{END}{after}", "utf-8")


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
