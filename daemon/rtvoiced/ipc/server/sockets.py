"""What the daemon's two sockets share: they are bound in private, and read from the asyncio loop.

They are plain sockets, not ``zmq.asyncio``. A command and the events that it
causes are then handled in one turn of the loop, with no task in between, which
is what keeps the order of replies and events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import zmq

from rtvoiced.errors import ConfigError
from rtvoiced.ipc.server.runtime import socket_umask, umask

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

LINGER_MS = 200
"""How long a last message (a reply, ``bye``) may take to leave when the context ends."""
BATCH_MESSAGES = 100
BATCH_BYTES = 1 << 20
"""After so much at one go the loop gets its turn: a flood must not starve the conversation."""


def bind_private(socket: Socket, path: Path) -> None:
    """Bind *socket* at *path*, its file for whom the directory is for; `ConfigError` where that fails."""
    try:
        with umask(socket_umask(path.parent)):
            socket.bind(f"ipc://{path}")
    except (zmq.ZMQError, OSError, UnicodeEncodeError) as error:
        socket.close(0)
        raise ConfigError(f"cannot bind {path}: {error}") from None


class Inbox:
    """Hands what arrives at *socket* to *take*, message by message, from the running loop.

    An exception of *take* goes to the loop's exception handler; the messages
    behind it are still taken.
    """

    def __init__(self, socket: Socket, take: Callable[[list[bytes]], None]) -> None:
        self._socket = socket
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._descriptor = int(socket.get(zmq.FD))
        self._busy = False
        self._closed = False
        self._loop.add_reader(self._descriptor, self.drain)
        self._later = self._loop.call_soon(self.drain)

    def check(self) -> None:
        """Look for messages whose wake-up was lost; to be called after every send.

        libzmq's descriptor is edge-triggered (zmq_getsockopt(3), ZMQ_FD), and
        a send may swallow the edge of a message that arrived meanwhile.
        """
        if not self._busy and self._readable():
            self._drain_later()

    def drain(self) -> None:
        """Take what is there, up to a batch; the rest in the loop's next turn."""
        if self._closed:
            return
        self._busy = True
        room = BATCH_BYTES
        empty = False
        try:
            for _ in range(BATCH_MESSAGES):
                if empty := not self._readable():
                    break
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
                self._take(frames)
                room -= sum(map(len, frames))
                if room < 0:
                    break
        finally:
            # Also after an exception: the edge is spent, so nobody else would come back for the rest.
            self._busy = False
            if not empty:
                self._drain_later()

    def close(self) -> None:
        """Take nothing more; the socket itself is its owner's to close."""
        if not self._closed:
            self._closed = True
            self._later.cancel()
            self._loop.remove_reader(self._descriptor)

    def _readable(self) -> bool:
        return not self._closed and bool(int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN)

    def _drain_later(self) -> None:
        self._later.cancel()
        if not self._closed:
            self._later = self._loop.call_soon(self.drain)
