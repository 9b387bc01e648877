"""A service manager that only listens: the socket of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 40.0
CREDENTIALS = struct.Struct("iii")


class ServiceManager:
    """What it is told, datagram by datagram, and by which process."""

    def __init__(self, address: str) -> None:
        self.address = address
        """As in ``NOTIFY_SOCKET``: a path, or ``@`` and a name."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(PATIENCE_S)

    def told(self) -> tuple[list[str], int]:
        """Return the next datagram's lines and the sender's pid."""
        message, further, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(CREDENTIALS.size))
        ((_, _, credentials),) = further
        return message.decode("utf-8").split("\n"), CREDENTIALS.unpack(credentials)[0]

    def lines(self) -> list[str]:
        """Return the lines of the next datagram."""
        return self.told()[0]

    def until(self, word: str) -> list[str]:
        """Return the lines of the next datagram that begins with *word*."""
        while not (lines := self.lines())[0].startswith(word):
            continue
        return lines

    def silent(self) -> bool:
        """Return whether nothing more has come."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(PATIENCE_S)
        return False

    def close(self) -> None:
        self._socket.close()


@contextmanager
def service_manager(directory: Path | None = None) -> Iterator[ServiceManager]:
    """Listen at a path in *directory*, else at an abstract address."""
    address = str(directory / "notify") if directory else f"@rtvoice-{os.getpid()}-{uuid.uuid4().hex}"
    made = ServiceManager(address)
    try:
        yield made
    finally:
        made.close()
