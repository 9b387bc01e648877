"""rtctl beside a small daemon: in this process where the process is not the point, else as a child.

Every wait has a limit: a child that does not say or do what it is to do is killed, and the test fails.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

from rtctl.cli import __main__ as cli

PATIENCE_S = 20.0
"""How long a test waits for what must come: only a failing test waits so long."""


def rtctl(room: Path, *words: str) -> int:
    """Do ``rtctl WORDS`` in this process; return its exit status."""
    return cli.main(["--runtime-dir", str(room / "run"), *words])


def start(room: Path, *words: str, **kind: Any) -> subprocess.Popen[str]:
    """Start an rtctl; `ended` takes what it says."""
    command = [sys.executable, "-m", "rtctl.cli", "--runtime-dir", str(room / "run"), *words]
    kind = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | kind
    return subprocess.Popen(command, text=True, **kind)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return the exit status of a child, and what it has said and not been heard, once it has ended."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end: {process.args!r}; it said {out!r} and {err!r}") from None
    return process.returncode, out or "", err or ""


def run(room: Path, *words: str) -> tuple[int, str, str]:
    """Run an rtctl that ends by itself; return its exit status, standard output and standard error."""
    return ended(start(room, *words))


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line of a child's standard output."""
    assert process.stdout
    patience = Timer(PATIENCE_S, process.kill)
    patience.start()
    try:
        text = process.stdout.readline()
    finally:
        patience.cancel()
    assert text, f"it ended, or said nothing for {PATIENCE_S} s: {process.args!r}"
    return text.rstrip("\n")


@contextmanager
def started(room: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Yield an rtctl that ends by itself; where the test fails before that, it is killed."""
    with start(room, *words) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def going(room: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Yield an rtctl that goes on until it is interrupted, as by Ctrl-C."""
    with start(room, *words) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            ended(process)
