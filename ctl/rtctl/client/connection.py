"""A client's ZeroMQ socket, which notices when the daemon hangs up.

Imported only once a daemon was found, because importing ``zmq`` takes longer
than the daemon's answer. Used by `rtctl.client.requests` for commands and by
both clients for events.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Self

import zmq

from rtctl.client.messages import RETRY_S, CommandReply, ended_before, no_answer, reply_of
from rtvoiced.errors import CommandError, NotRunningError

Context = zmq.Context[zmq.Socket[bytes]]


class DaemonConnection:
    """A connected socket that notices when the daemon hangs up, which libzmq by itself hides."""

    def __init__(self, context: Context, kind: int, path: Path, topics: tuple[str, ...] = ()) -> None:
        """Connect to *path*; *topics* are subscribed to in this order."""
        self._socket = context.socket(kind)
        self._socket.set(zmq.LINGER, 0)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._socket.connect(f"ipc://{path}")
        for topic in topics:
            self._socket.subscribe(topic)

    @classmethod
    def to_control(cls, context: Context, path: Path) -> Self:
        """Connect to ``control.sock``, for `ask`."""
        return cls(context, zmq.DEALER, path)

    @classmethod
    def to_events(cls, context: Context, path: Path, topics: tuple[str, ...]) -> Self:
        """Subscribe at ``events.sock``."""
        return cls(context, zmq.SUB, path, topics)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def hung_up(self) -> bool:
        """Whether the daemon that this was connected to is gone."""
        return bool(self._monitor.poll(0))

    def receive(self, timeout_s: float | None) -> list[bytes] | None:
        """Return the next message, or None after *timeout_s* (None: wait for ever).

        Raises `NotRunningError` when the daemon hung up and all is read.
        """
        # Rounded up: poll() counts in milliseconds, and less than one would spin.
        ready = dict(self._poller.poll(None if timeout_s is None else math.ceil(max(0, timeout_s) * 1000)))
        # What it sent before it hung up is read first.
        if self._socket in ready or (ready and self._socket.poll(0)):
            return self._socket.recv_multipart()
        if ready:
            raise NotRunningError("the daemon hung up: it ended or was killed")
        return None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What becomes readable when `receive`, which had nothing, may have something (ZMQ_FD)."""
        return int(self._socket.get(zmq.FD)), int(self._monitor.get(zmq.FD))

    def send_request(self, body: bytes) -> None:
        """Send a request as REQ does; `CommandError` ``busy`` where the daemon has left a thousand unread."""
        try:
            self._socket.send_multipart([b"", body], zmq.NOBLOCK)
        except zmq.Again:
            raise CommandError("busy", "the daemon does not read its requests", retryable=True) from None

    def ask(self, body: bytes, request_id: str, command: str, deadline: float | None) -> CommandReply:
        """Send a request and return its reply; *deadline* is CLOCK_MONOTONIC seconds.

        A DEALER, because REQ would drop the reply to the first try after a
        second one. Raises what `reply_of` does, ``timeout`` at the deadline,
        and `NotRunningError` when the daemon ended meanwhile: a second try
        with the next one could do it twice.
        """
        begun = now = time.monotonic()
        again_s, retry_at = RETRY_S, now
        while deadline is None or now < deadline:
            if now >= retry_at:
                self.send_request(body)
                retry_at, again_s = now + again_s, 2 * again_s
            until = retry_at if deadline is None else min(deadline, retry_at)
            try:
                frames = self.receive(until - now)
            except NotRunningError:
                raise ended_before(command) from None
            if frames is not None and (reply := reply_of(frames[-1], request_id)):
                return reply
            now = time.monotonic()
        raise no_answer(command, now - begun)

    def close(self) -> None:
        """Give the sockets back."""
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(0)
