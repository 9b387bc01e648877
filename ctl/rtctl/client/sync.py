"""The client library, synchronous: commands as methods, and the events without a silent gap.

Its methods for the commands are in `rtctl.client.commands`, which is made
from the contract's declarations.

>>> with Client() as client:
...     client.mute(for_s=600)
...     for item in client.events("state", snapshot=True):
...         print(item)
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from rtctl.client.commands import CommandMethods
from rtctl.client.connection import DaemonConnection
from rtctl.client.follow import Follower, Item
from rtctl.client.messages import CommandReply, is_passing, message_of, no_welcome
from rtctl.client.requests import TIMEOUT_S, DaemonRequests
from rtctl.client.typed import typed
from rtvoiced.errors import CommandError, RtvoiceError
from rtvoiced.host.paths import events_socket, runtime_dir
from rtvoiced.ipc.contract import replies

T = TypeVar("T")

SILENCE_S = 3.0
"""Three heartbeats missed: the daemon is stopped, or its machine is."""
LOOK_S = 0.25
"""How often a follower looks whether the daemon is back: a connect() of 20 µs."""
FIRST_LOOK_S = 0.1
"""How long a patient follower waits for the first welcome before it says `Gone`."""


class Client(CommandMethods):
    """Talks to the daemon over one warm connection, made when it is needed; for one thread at a time.

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the sockets back; the next command would connect again."""
        self._requests.close()

    @property
    def directory(self) -> Path:
        """The runtime directory."""
        return self._requests.directory

    def request(
        self, command: str, args: dict[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> CommandReply:
        """Return the whole reply to any command, also one that this library does not know."""
        waits = (args or {}).get("wait") is True
        return self._requests.request(
            command, args, self._timeout_s if timeout_s is None and not waits else timeout_s
        )

    def _ask(self, kind: type[T], command: str, timeout_s: float | None, **args: Any) -> T:
        given = {key: value for key, value in args.items() if value is not None}
        return typed(kind, self.request(command, given, timeout_s=timeout_s).data)

    # Events

    def events(
        self,
        *names: str,
        snapshot: bool = False,
        since: int | None = None,
        patient: bool = False,
        timeout_s: float | None = None,
    ) -> Iterator[Item]:
        """Yield the events called *names* (none: all that are counted) for ever: see `rtctl.client.follow`.

        Each comes once; losses are repaired by the daemon's replay, and what
        can't be is a `Gap`. The daemon's end is a `Gone`, and `Back` or
        `Restarted` when it answers again. *since* starts behind that number
        of the present run, *snapshot* with a `Snapshot`. The first join
        raises what a command does; *patient*: it says `Gone` and goes on
        trying. After *timeout_s* in all `CommandError` ``timeout`` is raised.
        """
        follower = Follower(names, snapshot=snapshot, since=since)
        over = _Deadline(timeout_s)
        joined_once, join_s = False, FIRST_LOOK_S if patient else self._timeout_s
        while True:
            try:
                with self._subscribed(follower.topics) as stream:
                    self._await_welcome(stream, follower, over.at_most(join_s))
                    yield from follower.joined(*self._snapshot(follower, over))
                    joined_once = True
                    yield from self._followed(stream, follower, over)
            except RtvoiceError as error:
                if over.passed or not is_passing(error) or not (joined_once or patient):
                    raise
                yield from follower.lost(str(error))
            join_s = self._timeout_s
            time.sleep(over.at_most(LOOK_S))

    def _followed(self, stream: DaemonConnection, follower: Follower, over: _Deadline) -> Iterator[Item]:
        """Yield what comes until the daemon is gone."""
        while follower.following:
            if follower.missing:
                yield from self._repaired(follower, over)
            elif follower.stale:
                yield from follower.refreshed(*self._snapshot(follower, over))
            elif (frames := stream.receive(over.at_most(self._silence_s))) is not None:
                yield from follower.take(frames[0], message_of(frames[-1]))
            elif not over.passed:
                yield from follower.lost(f"the daemon fell silent {self._silence_s:g} s ago", ended=False)

    def _repaired(self, follower: Follower, over: _Deadline) -> Iterator[Item]:
        try:
            page = self.request("replay", follower.replay_args, timeout_s=over.at_most(self._timeout_s))
        except CommandError as error:
            if is_passing(error):
                raise
            yield from follower.refused(error)
        else:
            data = typed(replies.ReplayReply, page.data)
            yield from follower.replayed(data.events, data.more, page.seq)

    def _subscribed(self, topics: tuple[str, ...]) -> DaemonConnection:
        context, path = self._requests.found(), events_socket(self.directory)
        return DaemonConnection.to_events(context, path, topics)

    def _await_welcome(self, stream: DaemonConnection, follower: Follower, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            frames = stream.receive(left)
            if frames is not None and follower.welcomed(frames[0], message_of(frames[-1])):
                return
        raise no_welcome(timeout_s)

    def _snapshot(self, follower: Follower, over: _Deadline) -> tuple[str, int, replies.StatusReply | None]:
        reply = self.request("snapshot", timeout_s=over.at_most(self._timeout_s))
        return (
            reply.run,
            reply.seq,
            typed(replies.StatusReply, reply.data) if follower.wants_snapshot else None,
        )


class _Deadline:
    """When following has to end, if ever."""

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._at = math.inf if timeout_s is None else time.monotonic() + timeout_s

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._at

    def at_most(self, limit_s: float) -> float:
        """Return *limit_s*, or the seconds that are left; raises ``timeout`` where none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise CommandError("timeout", f"it did not happen within {self._timeout_s:g} s", retryable=True)
        return min(limit_s, left)
