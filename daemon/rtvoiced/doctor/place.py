"""Looks at the runtime directory, the lock, the sockets, and the daemon behind them.

Nothing is made or locked: who holds the lock is read in /proc/locks, and a socket is only connected to. A
daemon that answers is asked for its `status`, on which the other checks stand.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtvoiced import __version__
from rtvoiced.doctor.findings import Finding, failure, ok, warning
from rtvoiced.errors import ConfigError
from rtvoiced.host.paths import control_socket, lock_file
from rtvoiced.ipc.server.runtime import GROUP_MODE, MODE

ANSWER_S = 2.0
"""Seconds that a daemon may take to answer."""


@dataclass(frozen=True, slots=True)
class DaemonPlace:
    """What was found of a runtime directory."""

    findings: list[Finding]
    status: dict[str, Any] | None
    """The `status` of the daemon there; None: none answers."""


def look(directory: Path, *, system: bool) -> DaemonPlace:
    """Look at *directory*, and ask the daemon in it; *system*: it is the machine's service."""
    found = _directory(directory, GROUP_MODE if system else MODE)
    if found.remedy:
        return DaemonPlace([found], None)
    if problem := _lock(lock_file(directory)):
        return DaemonPlace([found, problem], None)
    probed = _probe(control_socket(directory))
    if probed is not None:
        return DaemonPlace([found, _dead(directory, probed)], None)
    begun = time.monotonic()
    status = asked(directory, "status")
    if status is None:
        return DaemonPlace([found, _deaf(directory)], None)
    took_ms = round(1000 * (time.monotonic() - begun))
    return DaemonPlace([found, *_alive(status, took_ms)], status)


def obstacle(directory: Path) -> str | None:
    """Return why *directory* can't be written in, or can't be made, in one line; None: it can."""
    for path in (directory, *directory.parents):
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue  # What is above it decides.
        except OSError as error:
            return f"{path}: {error.strerror}"
        if not stat.S_ISDIR(found.st_mode):
            return f"{path} is no directory"
        return None if os.access(path, os.W_OK | os.X_OK) else f"no permission to write in {path}"
    return f"{directory} is nowhere"


def asked(directory: Path, command: str) -> dict[str, Any] | None:
    """Return the data of a command's reply; None: there was none in time."""
    import json

    import zmq

    from rtvoiced.ipc.contract.protocol import request_body

    with zmq.Context() as context, context.socket(zmq.REQ) as client:
        client.set(zmq.LINGER, 0)
        client.connect(f"ipc://{control_socket(directory)}")
        client.send(request_body(command, expires=time.monotonic() + ANSWER_S))
        if not client.poll(int(ANSWER_S * 1000)):
            return None
        reply = json.loads(client.recv())
    return dict(reply["data"]) if reply.get("ok") else None


def _directory(directory: Path, mode: int) -> Finding:
    """Look at the directory itself: it must be ours, and open to nobody beyond *mode*."""
    check, another = "runtime dir", "choose another --runtime-dir"
    try:
        control_socket(directory)
        found = directory.lstat()
    except ConfigError as error:
        return failure(check, str(error), "a shorter --runtime-dir")
    except (FileNotFoundError, NotADirectoryError):
        if problem := obstacle(directory):
            return failure(check, f"{directory} can't be made: {problem}", another)
        return ok(check, f"{directory}, to be made")
    except OSError as error:
        return failure(check, f"{directory}: {error.strerror}", another)
    if not stat.S_ISDIR(found.st_mode):
        what = "a link" if stat.S_ISLNK(found.st_mode) else "no directory"
        return failure(check, f"{directory} is {what}", f"rm {directory}")
    if found.st_uid != os.getuid() and os.getuid() != 0:
        return failure(check, f"{directory} belongs to another user (uid {found.st_uid})", another)
    if stat.S_IMODE(found.st_mode) & ~mode:
        text = f"{directory} is open to others ({stat.S_IMODE(found.st_mode):04o})"
        return failure(check, text, f"chmod {mode:o} {directory}")
    if problem := obstacle(directory):
        return failure(check, problem, f"chmod {mode:o} {directory}")
    return ok(check, f"{directory}, private")


def _lock(path: Path) -> Finding | None:
    """Return why no daemon could take the lock although it is free; None: one could."""
    try:
        found = path.lstat()
    except OSError:
        return None
    if stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK | os.W_OK):
        return None
    # So it is after a sudo rtvoiced.
    text = f"{path} can't be opened: it belongs to another user (uid {found.st_uid})"
    if found.st_uid == os.getuid():
        text = f"{path} can't be opened: it is no file of mode 0600"
    return failure("lock", text, f"rm -f {path}")


def _probe(path: Path) -> OSError | None:
    """Return why nobody listens at *path*, or None where somebody does."""
    with socket.socket(socket.AF_UNIX) as plain:
        plain.setblocking(False)
        try:
            plain.connect(os.fsencode(path))
        except BlockingIOError:
            return None
        except OSError as error:
            return error
    return None


def _deaf(directory: Path) -> Finding:
    """Return that a daemon listens and does not answer."""
    holder = _holder(directory)
    text = f"{f'pid {holder}' if holder else 'a daemon'} does not answer within {ANSWER_S:.0f} s"
    return failure("daemon", text, f"rtctl service restart, or: kill -9 {holder or 'PID'}")


def _dead(directory: Path, error: OSError) -> Finding:
    """Return why nobody listens, by the *error* of connecting and by who holds the lock."""
    start = "rtctl service start, or rtvoiced in a terminal"
    if isinstance(error, PermissionError):
        return failure("daemon", f"no permission to use {control_socket(directory)}", "run this as its owner")
    if holder := _holder(directory):
        text = f"pid {holder} holds the lock, and its socket is gone ({error.strerror})"
        return failure("daemon", text, f"rtctl service restart, or: kill {holder}")
    if isinstance(error, ConnectionRefusedError):
        return warning("daemon", "none runs; the last one was killed and left its sockets", start)
    return warning("daemon", "none runs", start)


def _holder(directory: Path) -> int | None:
    """Return the pid that holds the lock; None: nobody does, or it can't be known.

    It is read in /proc/locks, because to try the lock would take it, for a moment,
    from a daemon that starts.
    """
    try:
        inode = lock_file(directory).stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if words[1:2] == ["FLOCK"] and words[5].rpartition(":")[2] == str(inode) and int(words[4]) > 0:
            return int(words[4])
    return None


def _alive(status: dict[str, Any], took_ms: int) -> list[Finding]:
    """Return what the *status* of a daemon that answers says of it."""
    under = f", under {status['supervisor']}" if status.get("supervisor") else ""
    text = f"rtvoiced {status['version']} answers in {took_ms} ms, pid {status['pid']}{under}"
    remedy = f"this is rtvoiced {__version__}: rtctl service restart"
    found = [ok("daemon", text) if status["version"] == __version__ else warning("daemon", text, remedy)]
    connection = status["connection"]
    if connection["status"] in ("lost", "failed"):
        text = f"the daemon's, to {connection['provider']}, is {connection['status']}: {connection['reason']}"
        remedy = "rtctl reconnect; rtctl service restart, where the configuration was changed since"
        found.append(failure("connection", text, remedy))
    if error := status.get("last_error"):
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(error["time"]))
        text = f"{error['code']} at {when}: {error['message']}"
        found.append(warning("last error", text, "rtctl logs has what came before"))
    return found
