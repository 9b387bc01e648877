"""A subscriber that stands still knows afterwards exactly what it missed, and nobody else notices it."""

from __future__ import annotations

from dataclasses import dataclass

from flooding import Flood, flooding
from following import Account, following
from measuring import asking, percentile, rss_mb
from running import Running, room

RING = 5_000
WORDS = 8_000
PER_S = 4_000.0


@dataclass(frozen=True)
class Standstill:
    """What came of it."""

    account: Account
    last: int
    """Number of the event that ended it."""
    growth_mb: float
    took_ms: list[float]
    """How long each command took, one after the other while the events came."""


def standstill(running: Running, flood: Flood, words: int, per_s: float) -> Standstill:
    """Stop a subscriber, let *words* events come, ask all the while, set it going again."""
    pid = running.process.pid
    with following(running.room.run) as subscriber, asking(running.room.run) as asker:
        # What the daemon keeps anyway is there then: its ring is full.
        flood.words(RING, per_s)
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
    return Standstill(account, last, growth, took_ms)


def test_a_stopped_subscriber_knows_what_it_lost() -> None:
    with (
        flooding() as flood,
        room() as here,
        Running(here, "--url", flood.url, "--audio", "none", "--log-level", "error") as running,
    ):
        running.until(connection="up")
        stood = standstill(running, flood, WORDS, PER_S)

    assert stood.account.whole() == [(stood.account.joined + 1, stood.last)]
    p99 = percentile(stood.took_ms, 99)
    print(f"lost {stood.account.lost}, grew {stood.growth_mb:.1f} MB, p99 {p99:.1f} ms")
    assert stood.growth_mb < 20
