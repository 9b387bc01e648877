"""The client library for asyncio: the same as `rtctl.client.sync`, any number of commands at a time.

Its methods for the commands are in `rtctl.client.async_commands`, which is
made from the contract's declarations.

>>> async with AsyncClient() as client:
...     await client.mute(for_s=600)
...     async for item in client.events("state", snapshot=True):
...         print(item)
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from rtctl.client.async_commands import AsyncCommandMethods
from rtctl.client.connection import DaemonConnection
from rtctl.client.follow import Follower, Item
from rtctl.client.messages import (
    RETRY_S,
    WAIT_GRACE_S,
    CommandReply,
    ended_before,
    is_passing,
    message_of,
    new_id,
    no_answer,
    no_welcome,
    reply_of,
    request_of,
)
from rtctl.client.requests import TIMEOUT_S, DaemonRequests
from rtctl.client.sync import FIRST_LOOK_S, LOOK_S, SILENCE_S
from rtctl.client.typed import typed
from rtvoiced.errors import CommandError, NotRunningError, RtvoiceError
from rtvoiced.host.paths import control_socket, events_socket, runtime_dir
from rtvoiced.ipc.contract import replies

T = TypeVar("T")


class AsyncClient(AsyncCommandMethods):
    """Talks to the daemon over one warm connection, which is made when it is needed; for one event loop.

    Every command raises `CommandError` with the daemon's ``code`` (or
    ``timeout``), `NotRunningError`, or `PermissionRefusedError`. Its
    *timeout_s* replaces the client's own; one that waits has none unless it
    is given.
    """

    def __init__(
        self,
        directory: Path | str | None = None,
        timeout_s: float = TIMEOUT_S,
        *,
        system: bool = False,
        silence_s: float = SILENCE_S,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Take the runtime directory (None: found as ``rtctl`` finds it; *system*: the service's).

        *timeout_s* is how long an answer may take, *silence_s* how long the
        events may be silent before the daemon counts as gone.
        """
        named = None if directory is None else str(directory)
        self._requests = DaemonRequests(runtime_dir(named, environ, system=system), system=system)
        self._timeout_s, self._silence_s = timeout_s, silence_s
        self._open_requests: _OpenRequests | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the sockets back; the next command would connect again."""
        if self._open_requests is not None:
            # Taken away first: another task must not make a new one meanwhile and lose it here.
            over, self._open_requests = self._open_requests, None
            await over.close()
        self._requests.close()

    @property
    def directory(self) -> Path:
        """The runtime directory."""
        return self._requests.directory

    async def request(
        self, command: str, args: dict[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> CommandReply:
        """Return the whole reply to any command, also one that this library does not know."""
        waits = (args or {}).get("wait") is True
        limit_s = self._timeout_s if timeout_s is None and not waits else timeout_s
        if self._open_requests is not None and self._open_requests.over:
            await self._open_requests.close()
            self._open_requests = None
        if self._open_requests is None:
            path = control_socket(self._requests.directory)
            self._open_requests = _OpenRequests(DaemonConnection.to_control(self._requests.found(), path))
        return await self._open_requests.ask(command, args or {}, limit_s)

    async def _ask(self, kind: type[T], command: str, timeout_s: float | None, **args: Any) -> T:
        given = {key: value for key, value in args.items() if value is not None}
        return typed(kind, (await self.request(command, given, timeout_s=timeout_s)).data)

    # Events

    async def events(
        self, *names: str, snapshot: bool = False, since: int | None = None, patient: bool = False
    ) -> AsyncGenerator[Item, None]:
        """Yield the events as `rtctl.client.sync.Client.events` does.

        Close the iterator (`contextlib.aclosing`) where it is left early.
        """
        follower = Follower(names, snapshot=snapshot, since=since)
        joined_once, join_s = False, FIRST_LOOK_S if patient else self._timeout_s
        while True:
            try:
                path = events_socket(self.directory)
                with DaemonConnection.to_events(self._requests.found(), path, follower.topics) as stream:
                    await _welcome(stream, follower, join_s)
                    for item in follower.joined(*await self._snapshot(follower)):
                        yield item
                    joined_once = True
                    while follower.following:
                        for item in await self._next(stream, follower):
                            yield item
            except RtvoiceError as error:
                if not is_passing(error) or not (joined_once or patient):
                    raise
                for item in follower.lost(str(error)):
                    yield item
            join_s = self._timeout_s
            await asyncio.sleep(LOOK_S)

    async def _next(self, stream: DaemonConnection, follower: Follower) -> list[Item]:
        if follower.missing:
            return await self._repaired(follower)
        if follower.stale:
            return follower.refreshed(*await self._snapshot(follower))
        if (frames := await _received(stream, self._silence_s)) is None:
            return follower.lost(f"the daemon fell silent {self._silence_s:g} s ago", ended=False)
        return follower.take(frames[0], message_of(frames[-1]))

    async def _repaired(self, follower: Follower) -> list[Item]:
        try:
            page = await self.request("replay", follower.replay_args)
        except CommandError as error:
            if is_passing(error):
                raise
            return follower.refused(error)
        data = typed(replies.ReplayReply, page.data)
        return follower.replayed(data.events, data.more, page.seq)

    async def _snapshot(self, follower: Follower) -> tuple[str, int, replies.StatusReply | None]:
        reply = await self.request("snapshot")
        return (
            reply.run,
            reply.seq,
            typed(replies.StatusReply, reply.data) if follower.wants_snapshot else None,
        )


class _OpenRequests:
    """Requests on their way, by id, and the task that hands out their replies."""

    def __init__(self, connection: DaemonConnection) -> None:
        """Take the connection, which is closed with this."""
        self._connection = connection
        self._open: dict[str, asyncio.Future[bytes]] = {}
        self._task = asyncio.create_task(self._deliver())

    @property
    def over(self) -> bool:
        """Whether the daemon that this was connected to is gone."""
        return self._task.done() or self._connection.hung_up

    async def ask(self, command: str, args: dict[str, Any], timeout_s: float | None) -> CommandReply:
        """Return the reply to a command; see `DaemonRequests.request`."""
        request_id, now = new_id(), time.monotonic()
        expires = None if timeout_s is None else now + timeout_s
        deadline = expires + WAIT_GRACE_S if expires is not None and args.get("wait") else expires
        body = request_of(command, args, request_id, expires)
        coming = self._open[request_id] = asyncio.get_running_loop().create_future()
        again_s = RETRY_S
        try:
            while deadline is None or now < deadline:
                self._connection.send_request(body)
                left_s = again_s if deadline is None else min(again_s, deadline - now)
                await asyncio.wait({coming}, timeout=left_s)
                if coming.done() and (reply := reply_of(_body(coming, command), request_id)):
                    return reply
                now, again_s = time.monotonic(), 2 * again_s
        finally:
            del self._open[request_id]
            coming.cancel()
        raise no_answer(command, timeout_s or 0)

    async def close(self) -> None:
        """Give the connection back; what is still open is lost."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._lose()
        self._connection.close()

    async def _deliver(self) -> None:
        try:
            while frames := await _received(self._connection, None):
                self._hand_out(frames[-1])
        except NotRunningError:
            self._lose()

    def _hand_out(self, body: bytes) -> None:
        try:
            request_id = message_of(body).get("id")
        except CommandError:
            request_id = None
        # What can't be told whose it is concerns all.
        wanted = [request_id] if isinstance(request_id, str) else list(self._open)
        for each in wanted:
            if (coming := self._open.get(each)) and not coming.done():
                coming.set_result(body)

    def _lose(self) -> None:
        for coming in self._open.values():
            coming.cancel()


def _body(coming: asyncio.Future[bytes], command: str) -> bytes:
    if coming.cancelled():
        raise ended_before(command)
    return coming.result()


async def _welcome(stream: DaemonConnection, follower: Follower, timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while (left := until - time.monotonic()) > 0:
        frames = await _received(stream, left)
        if frames is not None and follower.welcomed(frames[0], message_of(frames[-1])):
            return
    raise no_welcome(timeout_s)


async def _received(connection: DaemonConnection, timeout_s: float | None) -> list[bytes] | None:
    """Return the next message as `DaemonConnection.receive` does, without holding up the loop."""
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    until = None if timeout_s is None else loop.time() + timeout_s
    while (frames := connection.receive(0)) is None:
        # receive() has spent the edges, so the descriptors wake us for whatever comes from now on. They
        # are watched only meanwhile: they stay readable until somebody receives.
        for descriptor in connection.descriptors:
            loop.add_reader(descriptor, woken.set)
        try:
            async with asyncio.timeout_at(until):
                await woken.wait()
        except TimeoutError:
            return None
        finally:
            for descriptor in connection.descriptors:
                loop.remove_reader(descriptor)
        woken.clear()
    return frames
