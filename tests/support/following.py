"""A subscriber of its own: the client library in a child process, that can be stopped and set going again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rtctl.client.follow import Event, Gap, Snapshot
from rtctl.client.sync import Client
from support.flooding import Flood
from support.measuring import asking, rss_mb
from support.running import Running

RING = 5_000
"""`ipc.replay_events`, the default."""

Range = tuple[int, int]
"""The first and the last of numbers that follow each other."""


@dataclass(frozen=True)
class Account:
    """What a subscriber knows at the end."""

    joined: int
    """The snapshot's number."""
    seen: list[Range]
    """Events that were yielded."""
    lost: list[Range]
    """Events that it was told were lost for good."""

    def whole(self) -> list[Range]:
        """Return what it knows of: one range where nothing is missing and nothing told twice."""
        return merged(sorted(self.seen + self.lost))


def merged(ranges: list[Range]) -> list[Range]:
    """Return neighbours as one range each; ranges that overlap stay apart."""
    found: list[Range] = []
    for low, high in ranges:
        if found and found[-1][1] + 1 == low:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found


class Following:
    """The child: it follows until it sees the daemon muted."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.joined = int(self._line())

    def stop(self) -> None:
        """Stop it in the middle of whatever it does: it reads nothing any more."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Set it going again."""
        os.kill(self._process.pid, signal.SIGCONT)

    def account(self) -> Account:
        """Return what it knows, once it has come to the mute that ends it."""
        told = json.loads(self._line())
        return Account(told["joined"], [(a, b) for a, b in told["seen"]], [(a, b) for a, b in told["lost"]])

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the subscriber has ended"
        return line


@contextmanager
def following(directory: Path) -> Iterator[Following]:
    """Run a subscriber to all events of the daemon in *directory*, and wait until it has joined."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.following", str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout
    try:
        yield Following(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def follow(directory: Path) -> Account:
    """Follow until the daemon is muted: by then everything before that is seen, or told to be lost."""
    joined = 0
    seen: list[Range] = []
    lost: list[Range] = []
    with Client(directory) as client:
        for item in client.events(snapshot=True):
            match item:
                case Snapshot(seq=seq) if not joined:
                    joined = seq
                    print(seq, flush=True)
                case Event(name, data, seq):
                    seen[-1:] = merged([*seen[-1:], (seq, seq)])
                    if name == "state" and data["muted"]:
                        break
                case Gap(_, since, until):
                    lost.append((since + 1, until))
                case _:
                    pass
    return Account(joined, seen, lost)


@dataclass(frozen=True)
class Standstill:
    """What came of it."""

    account: Account
    last: int
    """Number of the event that ended it."""
    growth_mb: float
    took_ms: list[float]
    """How long each command took, one after the other while the events came."""


def standstill(running: Running, flood: Flood, words: int, per_s: float, ring: int = RING) -> Standstill:
    """Stop a subscriber, let *words* events come, ask all the while, set it going again.

    *ring*: how many events the daemon keeps.
    """
    pid = running.process.pid
    with following(running.room.run) as subscriber, asking(running.room.run) as asker:
        # What the daemon keeps anyway is there then: its ring is full.
        flood.words(ring, per_s)
        flood.done()
        until = asker.ask("snapshot")["seq"] + words
        before = rss_mb(pid)
        subscriber.stop()
        asker.took_ms.clear()
        flood.words(words, per_s)
        while asker.ask("hello")["seq"] < until:
            pass
        flood.done()
        growth, took_ms = rss_mb(pid) - before, list(asker.took_ms)
        subscriber.resume()
        asker.ask("mute")
        last = asker.ask("hello")["seq"]
        account = subscriber.account()
    # Another subscriber, which reads late but was never stopped, has them all.
    running.wait("state", muted=True)
    numbers = [event["seq"] for event in running.events]
    assert numbers == list(range(numbers[0], last + 1))
    return Standstill(account, last, growth, took_ms)


if __name__ == "__main__":
    told = follow(Path(sys.argv[1]))
    print(json.dumps({"seen": told.seen, "lost": told.lost, "joined": told.joined}), flush=True)
