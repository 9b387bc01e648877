"""What one client is still to be sent: in order, each a while later; who fills it asks for room."""

from __future__ import annotations

import asyncio

from rtvoiced_server.net.refusals import Close

Message = str | Close


class Outbox:
    """A queue of messages that is measured in characters."""

    def __init__(self, latency_s: float = 0.0) -> None:
        self._latency_s = latency_s
        self._queue: asyncio.Queue[tuple[float, Message]] = asyncio.Queue()
        self._size = 0
        self._taken = asyncio.Event()
        self.open = True
        """Whether what is put in may still be sent."""

    def put(self, message: Message) -> None:
        """Add *message*; never waits. After a `Close` nothing is kept."""
        if not self.open:
            return
        self.open = not isinstance(message, Close)
        self._queue.put_nowait((asyncio.get_running_loop().time() + self._latency_s, message))
        self._size += _size(message)

    async def get(self) -> Message:
        """Return the next message, once it is due."""
        due, message = await self._queue.get()
        delay = due - asyncio.get_running_loop().time()
        if delay > 0:
            await asyncio.sleep(delay)
        self._size -= _size(message)
        self._taken.set()
        return message

    def close(self) -> None:
        """Nobody takes anything any more: there is room for all that nobody wants."""
        self.open = False
        self._queue = asyncio.Queue()
        self._size = 0
        self._taken.set()

    async def below(self, size: int) -> None:
        """Wait until fewer than *size* characters wait."""
        while self._size >= size:
            self._taken.clear()
            await self._taken.wait()


def _size(message: Message) -> int:
    return len(message) if isinstance(message, str) else 0
