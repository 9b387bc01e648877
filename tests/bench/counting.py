"""Many subscribers in a process of their own, each with a connection and libzmq's default buffers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq

from rtvoiced.host.paths import events_socket


@dataclass(frozen=True)
class Count:
    """What the subscribers got until the event that ended them."""

    first: list[int]
    """Number of each one's first event."""
    events: list[int]
    """How many each one got."""
    late_ms: list[float]
    """From the daemon's time of the event until it was read, of every hundredth."""
    seconds: float
    """From the first event to the last, by the daemon's clock."""


class Counting:
    """The child."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._line()

    def count(self) -> Count:
        """Return what all got, once the daemon was muted."""
        return Count(**json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the subscribers have ended"
        return line


@contextmanager
def counting(directory: Path, subscribers: int) -> Iterator[Counting]:
    """Let *subscribers* subscribe to everything, each welcomed."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__)), str(directory), str(subscribers)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield Counting(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Subscriber:
    """One connection."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], path: Path) -> None:
        self.socket = context.socket(zmq.SUB)
        self.socket.connect(f"ipc://{path}")
        self.socket.subscribe("")
        while self.socket.recv_multipart()[0] != b"+welcome":
            pass
        self.events = self.first = 0
        self.begun = self.last = 0.0
        self.late_ms: list[float] = []

    def drain(self) -> bool:
        """Take what is there; return whether that ended with the mute."""
        while self.socket.poll(0):
            topic, body = self.socket.recv_multipart()
            if topic == b"heartbeat" or topic.endswith(b"+welcome"):
                continue
            now, event = time.monotonic(), json.loads(body)
            self.first, self.begun = self.first or event["seq"], self.begun or event["mono"]
            self.events, self.last = self.events + 1, event["mono"]
            if self.events % 100 == 0:
                self.late_ms.append((now - event["mono"]) * 1000)
            if topic == b"state" and event["data"]["muted"]:
                return True
        return False


def main(directory: Path, subscribers: int) -> None:
    """Subscribe, say so, and tell at the mute what came."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made = [Subscriber(context, events_socket(directory)) for _ in range(subscribers)]
    print("ready", flush=True)
    poller = zmq.Poller()
    for each in made:
        poller.register(each.socket, zmq.POLLIN)
    going = {each.socket: each for each in made}
    while going:
        for socket, _ in poller.poll():
            if going[socket].drain():
                poller.unregister(socket)
                del going[socket]
    counted = Count(
        [each.first for each in made],
        [each.events for each in made],
        [late for each in made for late in each.late_ms],
        max(each.last - each.begun for each in made),
    )
    print(json.dumps(counted.__dict__), flush=True)
    context.destroy(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
