"""The runtime directory as the daemon claims it: private, and held by one daemon at a time.

`claim` is called once at the start, before any socket is bound, because
libzmq lets a second bind steal an ipc path without a word (libzmq#2059). The
lock is a ``flock``: the kernel drops it however the daemon dies, so a file that
is left over after a crash or a power cut stops nobody.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rtvoiced.errors import AlreadyRunningError, ConfigError, PermissionRefusedError
from rtvoiced.host.paths import control_socket, events_socket, lock_file

MODE = 0o700
GROUP_MODE = 0o750
"""For the machine's service: members of its group may enter and use the sockets."""
PID_WAIT_S = 0.1
"""How long the loser of a race waits for the winner's pid to stand in the lock."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Holds the runtime directory until `release`, or until the process ends."""

    directory: Path
    descriptor: int

    def release(self) -> None:
        """Remove the sockets and let the next daemon in; call it after the ZeroMQ context is gone.

        libzmq unlinks an ipc path when its I/O thread gets to it, which must
        not be when the path is already another daemon's. The lock's file
        stays: unlinking it would let two daemons lock two files of one name.
        """
        _remove_sockets(self.directory)
        os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)


def claim(directory: Path, *, for_group: bool = False) -> Lock:
    """Make *directory* ours alone (0700, or 0750 *for_group*) and lock it; stale sockets are removed.

    Raises `ConfigError` where it can't be a runtime directory,
    `PermissionRefusedError` for a link, a stranger's directory or one that is
    open to others, `AlreadyRunningError` where another daemon holds it.
    """
    control_socket(directory)  # Its path is the longest one: too long is told before anything is made.
    if directory.is_symlink():
        raise PermissionRefusedError(f"{directory} is a link; the runtime directory can't be one")
    try:
        mode = GROUP_MODE if for_group else MODE
        with umask(0o777 & ~mode):
            directory.mkdir(mode=mode, parents=True, exist_ok=True)
            opened = _open_private(directory, mode)
            try:
                # The lock is opened by this descriptor: the directory checked is the directory used.
                descriptor = os.open(
                    lock_file(directory).name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=opened
                )
            finally:
                os.close(opened)
    except PermissionError as error:
        raise PermissionRefusedError(f"no permission to use {error.filename} in {directory}") from None
    except OSError as error:
        raise ConfigError(f"{directory} can't be the runtime directory: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(descriptor)
        os.close(descriptor)
        raise AlreadyRunningError(
            f"another rtvoiced{holder} has {directory}; "
            f"reach it with: rtctl --runtime-dir {directory} status (or stop)"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    _remove_sockets(directory)
    return Lock(directory, descriptor)


def socket_umask(directory: Path) -> int:
    """Return the umask to bind under: a socket is for whom the directory, which was claimed, is for."""
    return 0o117 if directory.stat().st_mode & stat.S_IXGRP else 0o077


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Create under *mask* meanwhile; it is the whole process's."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _open_private(directory: Path, mode: int) -> int:
    """Return a descriptor of *directory*, once it is known to be a private one of ours."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    found = os.fstat(opened)
    problem = None
    if found.st_uid != os.getuid():
        problem = f"{directory} belongs to another user (uid {found.st_uid}); choose another --runtime-dir"
    elif stat.S_IMODE(found.st_mode) & ~mode:
        problem = f"{directory} is open to others; close it with: chmod {mode:o} {directory}"
    elif _is_stranger(parent := directory.parent.stat()):
        problem = (
            f"{directory.parent} belongs to another user (uid {parent.st_uid}), who can swap what is in it"
        )
    if problem:
        os.close(opened)
        raise PermissionRefusedError(problem)
    return opened


def _is_stranger(parent: os.stat_result) -> bool:
    """Return whether the owner of the directory above could put another one in our place."""
    return parent.st_uid not in (0, os.getuid()) and not parent.st_mode & stat.S_ISVTX


def _holder(descriptor: int) -> str:
    """Return the pid that the lock's holder wrote, for people; empty where it has not yet.

    A pid of a process that is gone is the one of an earlier holder: the new
    one is about to write its own.
    """
    until = time.monotonic() + PID_WAIT_S
    while True:
        written = os.pread(descriptor, 20, 0).strip()
        if written.isdigit() and _alive(int(written)):
            return f" (pid {int(written)})"
        if time.monotonic() > until:
            return ""
        time.sleep(0.005)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _remove_sockets(directory: Path) -> None:
    for path in (control_socket(directory), events_socket(directory)):
        path.unlink(missing_ok=True)
