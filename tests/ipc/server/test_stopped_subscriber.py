"""A subscriber that stands still knows afterwards exactly what it missed, and nobody else notices it."""

from __future__ import annotations

import pytest

from support.flooding import flooding
from support.following import standstill
from support.measuring import percentile
from support.running import Running, room

pytestmark = pytest.mark.process

EVENTS = 8_000
PER_S = 4_000.0


def test_a_stopped_subscriber_knows_what_it_lost() -> None:
    with (
        flooding() as flood,
        room() as here,
        Running(here, "--url", flood.url, "--audio", "none", "--log-level", "error") as running,
    ):
        running.until(connection="up")
        stood = standstill(running, flood, EVENTS, PER_S)

    assert stood.account.whole() == [(stood.account.joined + 1, stood.last)]
    p99 = percentile(stood.took_ms, 99)
    print(f"lost {stood.account.lost}, grew {stood.growth_mb:.1f} MB, p99 {p99:.1f} ms")
    assert stood.growth_mb < 20
