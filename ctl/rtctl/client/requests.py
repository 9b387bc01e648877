"""Requests to the daemon over one warm connection. What ``rtctl`` itself starts with.

The daemon is looked for by a plain connect() first, because libzmq can't tell
a dead daemon from a slow one. Only when one was found is ``zmq`` imported: that
takes longer than the daemon's answer.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rtctl.client.messages import WAIT_GRACE_S, CommandReply, new_id, request_of
from rtvoiced.errors import NotRunningError, PermissionRefusedError
from rtvoiced.host.paths import check_runtime_dir_of_daemon, control_socket

if TYPE_CHECKING:
    from rtctl.client.connection import Context, DaemonConnection

TIMEOUT_S = 3.0
"""How long a command may take, unless its caller says otherwise: the slowest answers within 2 s."""


class DaemonRequests:
    """The connection to the daemon's ``control.sock``, made when it is needed; for one thread at a time."""

    def __init__(self, directory: Path, *, system: bool = False) -> None:
        """Take the runtime directory; *system*: it may be the service's."""
        self.directory = directory
        self._system = system
        self._context: Context | None = None
        self._connection: DaemonConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self, command: str, args: dict[str, Any] | None = None, timeout_s: float | None = TIMEOUT_S
    ) -> CommandReply:
        """Return the reply to a command; *timeout_s* None: wait for ever.

        A reply that gets lost is asked for again with the same id. Raises
        `CommandError` with the daemon's code, or ``timeout``;
        `NotRunningError` or `PermissionRefusedError` where no daemon can be
        reached.
        """
        connection = self._connected()
        args = args or {}
        request_id, expires = new_id(), None if timeout_s is None else time.monotonic() + timeout_s
        deadline = expires + WAIT_GRACE_S if expires is not None and args.get("wait") else expires
        try:
            return connection.ask(
                request_of(command, args, request_id, expires), request_id, command, deadline
            )
        except NotRunningError:
            self._disconnect()
            raise

    def found(self) -> Context:
        """Return the context for a connection to the daemon, which is there and may be trusted."""
        check_runtime_dir_of_daemon(self.directory, self._system)
        probe(control_socket(self.directory))
        if self._context is None:
            import zmq

            self._context = zmq.Context()
        return self._context

    def close(self) -> None:
        """Give the sockets back; the next request would connect again."""
        self._disconnect()
        if self._context is not None:
            self._context.destroy(0)
            self._context = None

    def _connected(self) -> DaemonConnection:
        # libzmq would reconnect by itself, and carry a request over to the next daemon.
        if self._connection is not None and self._connection.hung_up:
            self._disconnect()
        if self._connection is None:
            context = self.found()
            from rtctl.client.connection import DaemonConnection

            self._connection = DaemonConnection.to_control(context, control_socket(self.directory))
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def probe(path: Path) -> None:
    """Find out within a millisecond whether a daemon listens at *path*.

    Raises `NotRunningError` or `PermissionRefusedError`. A daemon that is
    stopped still listens: that takes the time-out to tell.
    """
    with socket.socket(socket.AF_UNIX) as plain:
        plain.setblocking(False)  # A stopped daemon's full backlog would block us.
        try:
            plain.connect(os.fsencode(path))
        except BlockingIOError:
            return
        except PermissionError:
            raise PermissionRefusedError(
                f"no permission to use {path}; is the daemon another user's?"
            ) from None
        except OSError as error:
            raise NotRunningError(
                f"no daemon at {path} ({error.strerror}); start it with: rtvoiced"
            ) from None
