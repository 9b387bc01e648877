"""A subscriber that stands still knows afterwards exactly what it missed, and nobody else notices it."""

from __future__ import annotations

import pytest

from support.flooding import flooding
from support.following import standstill
from support.measuring import percentile
from support.running import Running, room

pytestmark = pytest.mark.process

EVENTS = 3_500
"""More than libzmq keeps for a subscriber that stands still, and `KEPT` on top."""
KEPT = 1_000
"""By the daemon, for a replay; `make soak` has its default and 100,000 events."""
PER_S = 4_000.0
KEEP = ("--log-level", "error", "--set", f"ipc.replay_events={KEPT}")


def test_a_stopped_subscriber_knows_what_it_lost() -> None:
    with (
        flooding() as flood,
        room() as here,
        Running(here, "--url", flood.url, "--audio", "none", *KEEP) as running,
    ):
        running.until(connection="up")
        stood = standstill(running, flood, EVENTS, PER_S, KEPT)

    assert stood.account.whole() == [(stood.account.joined + 1, stood.last)]
    p99 = percentile(stood.took_ms, 99)
    print(f"lost {stood.account.lost}, grew {stood.growth_mb:.1f} MB, p99 {p99:.1f} ms")
    assert stood.growth_mb < 20
