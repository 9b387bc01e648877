"""The socket that publishes events (docs/ipc.md, "Events"): a ZeroMQ XPUB at ``events.sock``.

`app.build` makes one `Publisher` for the daemon; whatever happens is given to
its `publish`. It numbers the counted events, keeps the newest of them for
`replay`, and answers each new subscription with a `welcome`, by which the
subscriber knows that it is in force. A subscriber that is slow, stopped or
gone costs the daemon nothing: libzmq drops what it does not take.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Collection
from pathlib import Path

import zmq

from rtvoiced.errors import CommandError
from rtvoiced.ipc.contract.declaration import name_of
from rtvoiced.ipc.contract.events import EVENTS, UNCOUNTED, Bye, Heartbeat, IpcEvent, Welcome
from rtvoiced.ipc.contract.protocol import VERSION, event_body, replay_data
from rtvoiced.ipc.server.ring import Ring
from rtvoiced.ipc.server.sockets import LINGER_MS, Context, Inbox, bind_private

SEND_HWM = 1000
"""Messages kept for a slow subscriber; beyond, libzmq drops the newest for that one alone."""
MAX_SUBSCRIPTION_BYTES = 64
MAX_MESSAGE_BYTES = 1 << 16
"""libzmq hangs up on who sends more; a subscription is a name."""
SUBSCRIBE = 1
"""First byte of what XPUB receives: 1 = subscribe, 0 = the last one of this topic is gone."""


class Publisher:
    """Sends events to all who subscribed. It never waits for a subscriber, whatever that one does."""

    def __init__(
        self,
        context: Context,
        path: Path,
        run: str,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        replay_events: int = 5000,
    ) -> None:
        """Bind at *path* and listen in the running loop; *run* is 8 hex digits, new at every start.

        The last *replay_events* are kept for `replay`.
        """
        self.run = run
        self.seq = 0
        """Number of the last counted event."""
        self._clock, self._wall_clock = clock, wall_clock
        self._last = {name: 0 for name in EVENTS if name not in UNCOUNTED}
        self._subscriptions: set[bytes] = set()
        self._ring = Ring(replay_events)
        self._connections: set[int] = set()
        self.subscribers_peak = 0
        self._socket = context.socket(zmq.XPUB)
        self._socket.set(zmq.XPUB_VERBOSE, 1)
        self._socket.set(zmq.SNDHWM, SEND_HWM)
        self._socket.set(zmq.LINGER, LINGER_MS)
        self._socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        # Watched before the bind, so that no connection comes uncounted.
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self._arrivals = Inbox(self._monitor, self._count)
        try:
            bind_private(self._socket, path)
        except BaseException:
            self._arrivals.close()
            self._monitor.close(0)
            raise
        self._inbox = Inbox(self._socket, self._take)

    @property
    def subscribers(self) -> int:
        """How many connections there are, whatever they subscribed to."""
        return len(self._connections)

    def subscribed(self, prefix: str) -> bool:
        """Return whether a living subscription that some event answers begins with *prefix*."""
        return any(each.startswith(prefix.encode()) for each in self._subscriptions)

    def publish(self, event: IpcEvent) -> int:
        """Send *event* to whoever wants it and return its ``seq``; never blocks."""
        name = name_of(event)
        if name in UNCOUNTED:
            self._send(name, self._body(event))
        else:
            self.seq += 1
            self._last[name] += 1
            body = self._body(event)
            self._ring.keep(name, body)
            self._send(name, body)
        return self.seq

    def replay(self, run: str, since: int, names: Collection[str] | None = None) -> bytes:
        """Return the data of `replay`: events past *since*, as they were sent.

        Raises `CommandError` with ``gap_too_old`` where some of them are gone.
        """
        page = self._ring.after(since, names) if run == self.run else None
        if page is None:
            what = f"events before {self._ring.oldest} are gone" if run == self.run else "that run is over"
            details = {"oldest": self._ring.oldest, "run": self.run}
            raise CommandError("gap_too_old", f"{what}; ask for a snapshot", details=details)
        return replay_data(page.bodies, more=page.more)

    def heartbeat(self) -> None:
        """Publish the heartbeat, which the daemon does every second."""
        self.publish(Heartbeat(self.seq, dict(self._last)))

    def close(self, reason: str) -> None:
        """Publish ``bye`` and close; ending the context waits up to 200 ms until it is flushed."""
        self.publish(Bye(reason))
        self._inbox.close()
        self._arrivals.close()
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(LINGER_MS)

    def _body(self, event: IpcEvent) -> bytes:
        return event_body(
            event,
            run=self.run,
            seq=self.seq,
            n=self._last.get(name_of(event), 0),
            time=round(self._wall_clock(), 6),
            mono=round(self._clock(), 6),
        )

    def _send(self, topic: str, body: bytes) -> None:
        self._socket.send_multipart([topic.encode(), body], zmq.NOBLOCK)
        self._inbox.check()

    def _take(self, frames: list[bytes]) -> None:
        """Answer a subscription with its welcome; ignore whatever else a peer sends."""
        first = frames[0]
        if len(frames) > 1 or not first or first[0] > SUBSCRIBE:
            return
        topic = first[1:]
        # Others match no event: kept, they would let a peer fill our memory.
        if any(name.encode().startswith(topic) for name in EVENTS):
            (self._subscriptions.add if first[0] == SUBSCRIBE else self._subscriptions.discard)(topic)
        if first[0] == SUBSCRIBE and topic.isascii() and len(topic) <= MAX_SUBSCRIPTION_BYTES:
            subscription = topic.decode("ascii")
            self._send(f"{subscription}+welcome", self._body(Welcome(subscription, VERSION)))

    def _count(self, frames: list[bytes]) -> None:
        """Count a connection that came or went: u16 event, i32 descriptor (zmq_socket_monitor(3))."""
        kind, descriptor = struct.unpack("=Hi", frames[0])
        if kind == zmq.EVENT_ACCEPTED:
            self._connections.add(descriptor)
            self.subscribers_peak = max(self.subscribers_peak, len(self._connections))
        else:
            self._connections.discard(descriptor)
