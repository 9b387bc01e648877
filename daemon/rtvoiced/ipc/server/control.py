"""The socket that takes commands (docs/ipc.md, "Commands"): a ZeroMQ ROUTER at ``control.sock``.

`app.build` makes one `Control` for the daemon. It reads each request, hands
the good ones to its *serve* with a ticket, and sends the reply when `reply` or
`refuse` is called with that ticket, at once or much later.

Three things always hold. Every well-addressed message gets exactly one reply,
whatever is in it. A command that changes something is carried out once,
however often its request is repeated: the reply of the first try is kept by
the request's id. And no client can make the daemon wait or grow without limit.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from rtvoiced.errors import CommandError
from rtvoiced.ipc.contract.commands import READS
from rtvoiced.ipc.contract.declaration import Reply
from rtvoiced.ipc.contract.protocol import Request, parse_request, refusal_body, reply_body, salvage_id
from rtvoiced.ipc.contract.replies import REPLIES
from rtvoiced.ipc.server.sockets import LINGER_MS, Context, Inbox, bind_private

KEPT_REPLIES = 256
"""So many replies of commands that changed something are kept for a retry; docs/ipc.md names it."""
OPEN_REPLIES = 1000
"""Requests that may wait for their reply at a time; further ones are ``busy``."""
SEND_HWM = 4 * OPEN_REPLIES
"""Replies kept for one client: all that it may wait for at a time, with room for what libzmq has not yet
counted as read. Who asks and never reads loses what is beyond."""
MAX_MESSAGE_BYTES = 8 << 20
"""libzmq hangs up on who sends more. Above the protocol's own limit, which gets an answer."""


@dataclass(slots=True)
class _Open:
    """A command that is being carried out: its ticket is not answered yet."""

    request: Request
    digest: bytes
    envelopes: list[list[bytes]]
    """Where the reply goes: to the one who asked, and to its retries."""


@dataclass(slots=True)
class Counters:
    """Counts what arrived since the start, for `stats`."""

    commands: int = 0
    """Carried out, or refused by the daemon for a reason of its own."""
    bad_requests: int = 0
    expired: int = 0
    unaddressed: int = 0
    """Messages without an empty frame: there is nowhere to send a reply to."""


@dataclass(slots=True)
class _Kept:
    """The reply to a command that was carried out, for a retry that comes with the same id."""

    digest: bytes
    body: bytes = field(repr=False)


class Control:
    """Takes commands: *serve* gets each with a ticket, which `reply` or `refuse` answers, now or later."""

    def __init__(
        self,
        context: Context,
        path: Path,
        serve: Callable[[int, Request], None],
        numbers: Callable[[], tuple[str, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bind at *path* and listen in the running loop; *numbers* tells the run and its last seq.

        *serve* may answer at once or later; a `CommandError` that it raises
        is the reply. *clock* is CLOCK_MONOTONIC, as in ``expires``.
        """
        self.counters = Counters()
        self._serve, self._numbers, self._clock = serve, numbers, clock
        self._tickets = itertools.count(1)
        self._open: dict[int, _Open] = {}
        self._running: dict[str, int] = {}
        """Ticket by request id."""
        self._kept: dict[str, _Kept] = {}
        """By request id, the oldest first."""
        self._waiting = 0
        self._closing = False
        self._socket = context.socket(zmq.ROUTER)
        self._socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        self._socket.set(zmq.SNDHWM, SEND_HWM)
        self._socket.set(zmq.LINGER, LINGER_MS)
        bind_private(self._socket, path)
        self._inbox = Inbox(self._socket, self._take)

    def reply(self, ticket: int, reply: Reply | bytes) -> None:
        """Answer that the command was carried out: with its reply, or with bytes that are JSON already.

        Raises `TypeError` where *reply* is another command's.
        """
        if asked := self._asked(ticket):
            command = asked.request.name
            if not isinstance(reply, REPLIES[command] | bytes):
                raise TypeError(f"{command} is answered with {REPLIES[command].__name__}, not {reply!r:.80}")
            self._finish(ticket, reply_body(asked.request.id, *self._numbers(), reply))

    def refuse(self, ticket: int, error: CommandError) -> None:
        """Answer that the command was not carried out, and why."""
        if asked := self._asked(ticket):
            self._finish(ticket, refusal_body(asked.request.id, *self._numbers(), error))

    def close(self) -> None:
        """Refuse what is still open or just arriving (``shutting_down``) and close.

        Ending the context waits up to 200 ms until the replies are flushed.
        What is answered later goes nowhere.
        """
        self._closing = True
        for ticket in list(self._open):
            self.refuse(ticket, _shutting_down())
        self._inbox.drain()
        self._inbox.close()
        self._socket.close(LINGER_MS)

    def _take(self, frames: list[bytes]) -> None:
        # REQ puts an empty frame before its body, REQ_CORRELATE a number before that (zmq_setsockopt(3)).
        if b"" not in frames[1:]:
            self.counters.unaddressed += 1
            return
        cut = frames.index(b"", 1) + 1
        envelope, body = frames[:cut], frames[cut:]
        try:
            if len(body) != 1:
                raise CommandError("bad_request", "a request is one frame behind the empty one")
            request = parse_request(body[0])
            if self._is_repeated(request, envelope):
                return
        except CommandError as error:
            self.counters.bad_requests += 1
            request_id = salvage_id(body[0]) if len(body) == 1 else None
            self._send(envelope, refusal_body(request_id, *self._numbers(), error))
            return
        if objection := self._objection(request):
            self._send(envelope, refusal_body(request.id, *self._numbers(), objection))
        else:
            self._begin(request, envelope)

    def _is_repeated(self, request: Request, envelope: list[bytes]) -> bool:
        """Return whether a retry was answered from memory, or now waits with the first try.

        Looked up before the expiry: ``expired`` would say "not carried out"
        of something that was.
        """
        if request.id is None:
            return False
        ticket = self._running.get(request.id)
        known = self._kept.get(request.id) if ticket is None else self._open[ticket]
        if known is None:
            return False
        if known.digest != _digest(request):
            raise CommandError("bad_request", "this id was used for another command or other args")
        if isinstance(known, _Kept):
            self._send(envelope, known.body)
        elif self._waiting >= OPEN_REPLIES:
            self._send(envelope, refusal_body(request.id, *self._numbers(), _busy()))
        else:
            known.envelopes.append(envelope)
            self._waiting += 1
        return True

    def _objection(self, request: Request) -> CommandError | None:
        """Return why a good request is not begun all the same, or None."""
        if self._closing:
            return _shutting_down()
        if request.expires is not None and request.expires <= self._clock():
            self.counters.expired += 1
            return CommandError("expired", "came after its expires and was not carried out", retryable=True)
        return _busy() if self._waiting >= OPEN_REPLIES else None

    def _begin(self, request: Request, envelope: list[bytes]) -> None:
        self.counters.commands += 1
        ticket = next(self._tickets)
        self._open[ticket] = _Open(request, _digest(request), [envelope])
        self._waiting += 1
        if request.id is not None:
            self._running[request.id] = ticket
        try:
            self._serve(ticket, request)
        except CommandError as error:
            self.refuse(ticket, error)
        except BaseException:
            # A bug ends the daemon; who asked hears that before it times out.
            if ticket in self._open:
                self.refuse(ticket, CommandError("internal", "the daemon failed; its log says why"))
            raise

    def _asked(self, ticket: int) -> _Open | None:
        """Return what *ticket* stands for: None once all were refused, `KeyError` for a second answer."""
        return self._open.get(ticket) if self._closing else self._open[ticket]

    def _finish(self, ticket: int, body: bytes) -> None:
        asked = self._open.pop(ticket)
        self._waiting -= len(asked.envelopes)
        request_id, command = asked.request.id, asked.request.name
        if request_id is not None:
            del self._running[request_id]
            if command not in READS:
                self._kept[request_id] = _Kept(asked.digest, body)
                if len(self._kept) > KEPT_REPLIES:
                    del self._kept[next(iter(self._kept))]
        for envelope in asked.envelopes:
            self._send(envelope, body)

    def _send(self, envelope: list[bytes], body: bytes) -> None:
        # A ROUTER drops what is for a client that is gone or does not read: nothing here waits or raises.
        self._socket.send_multipart([*envelope, body], zmq.NOBLOCK)
        self._inbox.check()


def _digest(request: Request) -> bytes:
    """Return what tells a command and its args from others: 32 bytes, where the args may be a megabyte."""
    return hashlib.sha256(repr(request.command).encode("utf-8", "replace")).digest()


def _busy() -> CommandError:
    return CommandError("busy", f"{OPEN_REPLIES} requests are waiting for a reply already", retryable=True)


def _shutting_down() -> CommandError:
    return CommandError("shutting_down", "the daemon is shutting down", retryable=True)
