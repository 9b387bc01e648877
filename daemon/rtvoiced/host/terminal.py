"""The terminal that the daemon was started from, and how a report is printed to it.

When it goes away, the kernel sends SIGHUP. To a service SIGHUP means "read the configuration again"; to a
daemon in a terminal it then means the end. The daemon asks `Terminal` which of the two it is.
"""

from __future__ import annotations

import os
import sys


class Terminal:
    """Remembers whether there was a terminal at the start."""

    def __init__(self) -> None:
        self._was_there = _is_there()
        self._shown = [each for each in (sys.stdout, sys.stderr) if each.isatty()]

    def hung_up(self) -> bool:
        """Tell whether the terminal is gone since the start.

        A daemon that nobody sees any more must not go on listening. What is logged
        or printed from then on goes nowhere, because writing to a lost terminal
        fails: at exit, Python would try once more and end with status 120.
        """
        gone = self._was_there and not _is_there()
        if gone and self._shown:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for each in self._shown:
                os.dup2(nowhere, each.fileno())
            os.close(nowhere)
        return gone


def print_report(text: str) -> None:
    """Print *text*; a reader that has seen enough (head, a pager) is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python tries again at exit, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_there() -> bool:
    """Tell whether this process has a controlling terminal (tty(4))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
