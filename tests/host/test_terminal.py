"""A terminal that goes away: noticed, and nothing that was still to be printed makes the process fail."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys

PATIENCE_S = 20
LEFT_OVER = """
import contextlib, signal, sys
from rtvoiced.host.terminal import Terminal

signal.signal(signal.SIGHUP, signal.SIG_IGN)
terminal = Terminal()
while not terminal.hung_up():
    with contextlib.suppress(OSError):
        print("a line", flush=True)
with contextlib.suppress(OSError):
    print("a line that nobody reads", end="")
"""


def test_a_line_that_the_lost_terminal_did_not_take_is_no_failure_at_exit() -> None:
    ours, theirs = pty.openpty()
    # Of our environment only what is needed: PYTHONUNBUFFERED would leave nothing over.
    child = subprocess.Popen(
        ["setsid", "-c", sys.executable, "-c", LEFT_OVER],
        env={"PATH": os.environ["PATH"]},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        assert select.select([ours], [], [], PATIENCE_S)[0]
        assert os.read(ours, 6) == b"a line"
        os.close(ours)
        assert child.wait(PATIENCE_S) == 0
    finally:
        child.kill()
        child.wait()
