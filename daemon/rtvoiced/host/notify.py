"""What the service manager is told: sd_notify(3), in ten lines of our own.

A message is a few lines in a datagram to ``$NOTIFY_SOCKET``. Only the loop itself sends them, never a
thread or a child: a loop that hangs must fall silent, or systemd's watchdog would watch nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import structlog

log = structlog.get_logger()


class ServiceNotifier:
    """Tells the service manager that started this process; without one, it tells nobody.

    *environ* is the daemon's environment, *pid* its own process id, but for tests.
    """

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        # A leading @ stands for the NUL of Linux's abstract addresses.
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_s = _watchdog_s(environ, os.getpid() if pid is None else pid) if address else None
        """Seconds within which `alive` is awaited; None: nobody waits for it."""
        self._status = ""
        """The line for people that was told last."""

    def ready(self, status: str) -> None:
        """Tell that the daemon listens and answers; *status* is one line for people."""
        self._status = status
        self._tell("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Tell the line for people, if it is another than before."""
        if status != self._status:
            self._status = status
            self._tell(f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that the configuration is read again; `ready` tells that this is over."""
        # systemd ignores a time that is older than its own request (Type=notify-reload).
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        """Tell that all is well, for the watchdog."""
        self._tell("WATCHDOG=1")

    def stopping(self, reason: str) -> None:
        """Tell that the daemon ends, and why."""
        self._tell("STOPPING=1", f"STATUS=stopping: {reason}")

    def _tell(self, *words: str) -> None:
        """Send *words*, one a line, and never wait for it."""
        if not self._address:
            return
        message = "\n".join(word.replace("\n", " ") for word in words)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plain:
                # A manager that does not read must not stop the loop.
                plain.setblocking(False)
                plain.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError as error:
            log.warning("notify.failed", said=words[0], problem=error.strerror)


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the watchdog's seconds where they are meant for this process (sd_watchdog_enabled(3))."""
    usec, watched = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    if not usec.isdecimal() or int(usec) == 0 or watched not in (None, str(pid)):
        return None
    return int(usec) / 1e6
