"""A link in the running loop, and everything that it told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from rtvoiced.realtime.backoff import Backoff
from rtvoiced.realtime.endpoint import Endpoint
from rtvoiced.realtime.events import (
    LinkConnecting,
    LinkFailed,
    LinkLost,
    ServerEvent,
    SessionConfig,
    SessionCreated,
    UpdateSession,
)
from rtvoiced.realtime.link import Link

PATIENCE_S = 20.0
"""How long anything waits for what must come: only a failing test waits so long."""
CONFIG = SessionConfig(voice="marin", instructions="Be brief.")
QUICK = Backoff(first_s=0.001, max_s=0.01)

Told = ServerEvent | LinkConnecting | LinkLost | LinkFailed
Kind = TypeVar("Kind")


class Linked:
    """A link; configures its sessions as the conversation does, then does what *react* wants."""

    def __init__(
        self,
        where: Callable[[], Awaitable[Endpoint]],
        backoff: Backoff = QUICK,
        ping_s: float = 20.0,
        react: Callable[[Link, Told], None] = lambda _link, _told: None,
    ) -> None:
        self.told: list[Told] = []
        self.link = Link(where, self._post, backoff, ping_s)
        self._task: asyncio.Task[None] | None = None
        self._react = react
        self._news = asyncio.Event()

    def _post(self, told: Told) -> None:
        self.told.append(told)
        if isinstance(told, SessionCreated):
            self.link.send(UpdateSession(CONFIG, "session-1"))
        self._react(self.link, told)
        self._news.set()

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Return everything of that kind that was told so far."""
        return [each for each in self.told if isinstance(each, kind)]

    async def first(self, kind: type[Kind], count: int = 1) -> list[Kind]:
        """Wait for *count* of that kind; return the first *count*."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while len(self.all(kind)) < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"waited in vain for {count} {kind.__name__}: {self.told}") from None
        return self.all(kind)[:count]

    def start(self) -> None:
        """Run the link."""
        self._task = asyncio.create_task(self.link.run())

    async def bug(self) -> BaseException:
        """Wait until the link ends by a bug; return it."""
        assert self._task is not None
        await asyncio.wait((self._task,))
        error, self._task = self._task.exception(), None
        assert error is not None
        return error

    async def stop(self) -> None:
        """Cancel the link; raise what it ended by, if it was a bug."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task


@asynccontextmanager
async def linked(
    where: str | Endpoint | Callable[[], Awaitable[Endpoint]],
    backoff: Backoff = QUICK,
    ping_s: float = 20.0,
    react: Callable[[Link, Told], None] = lambda _link, _told: None,
) -> AsyncIterator[Linked]:
    """Run a link to *where*, a URL or more; it is cancelled in the end, as at a shutdown."""
    endpoint = Endpoint(where, dialect="ga") if isinstance(where, str) else where

    async def there() -> Endpoint:
        return endpoint if isinstance(endpoint, Endpoint) else await endpoint()

    made = Linked(there, backoff, ping_s, react)
    made.start()
    try:
        yield made
    finally:
        await made.stop()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a test that needs a loop, and leave nothing behind in it."""

    async def main() -> None:
        await scenario()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
