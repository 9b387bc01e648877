"""What one client is still to be sent: in order, each message a while later.

The queue is measured in characters, and never refuses anything: who fills it
waits for room first (`SendQueue.below`), before it reads more of the client or
speaks on. One task of `rtvoiced_server.net.connection` empties it.
"""

from __future__ import annotations

import asyncio

from rtvoiced_server.net.refusals import SocketClose

QueuedMessage = str | SocketClose
"""A text message, or the end of the connection."""


class SendQueue:
    """A queue of messages that is measured in characters."""

    def __init__(self, latency_s: float = 0.0) -> None:
        self._latency_s = latency_s
        self._queue: asyncio.Queue[tuple[float, QueuedMessage]] = asyncio.Queue()
        self._size = 0
        self._taken = asyncio.Event()
        self.open = True
        """Whether what is put in may still be sent."""

    def put(self, message: QueuedMessage) -> None:
        """Add *message*; never waits. After a `SocketClose` nothing is kept."""
        if not self.open:
            return
        self.open = not isinstance(message, SocketClose)
        self._queue.put_nowait((asyncio.get_running_loop().time() + self._latency_s, message))
        self._size += _size(message)

    async def get(self) -> QueuedMessage:
        """Return the next message, once it is due."""
        due, message = await self._queue.get()
        delay = due - asyncio.get_running_loop().time()
        if delay > 0:
            await asyncio.sleep(delay)
        self._size -= _size(message)
        self._taken.set()
        return message

    def close(self) -> None:
        """Throw everything away: nobody takes it any more, and there is room for all that nobody wants."""
        self.open = False
        self._queue = asyncio.Queue()
        self._size = 0
        self._taken.set()

    async def below(self, size: int) -> None:
        """Wait until fewer than *size* characters wait."""
        while self._size >= size:
            self._taken.clear()
            await self._taken.wait()


def _size(message: QueuedMessage) -> int:
    return len(message) if isinstance(message, str) else 0
