"""Minutes of abuse of one daemon (`make soak`): 100,000 events past a stopped subscriber, 100,000 frames."""

from __future__ import annotations

import pytest

from rtvoiced.ipc.contract.commands import COMMANDS
from support.flooding import flooding
from support.following import standstill
from support.fuzzing import NOWHERE, abuse
from support.measuring import percentile
from support.running import Running, room

pytestmark = pytest.mark.timeout(480)

EVENTS = 100_000
EVENTS_PER_S = 2_500.0
FRAMES = 100_000
OF_EVERY_COMMAND = 1_200
GROWTH_MB = 20.0
P99_MS = 20.0


def test_a_subscriber_stopped_for_100000_events_knows_what_it_lost_and_nobody_else_notices() -> None:
    with (
        flooding() as flood,
        room() as here,
        Running(here, "--url", flood.url, "--audio", "none", "--log-level", "error") as running,
    ):
        running.until(connection="up")
        stood = standstill(running, flood, EVENTS, EVENTS_PER_S)

    p50, p99 = (percentile(stood.took_ms, percent) for percent in (50, 99))
    lost = sum(until - since + 1 for since, until in stood.account.lost)
    print(
        f"\nof {EVENTS} events the stopped subscriber was told {lost} to be lost for good; the daemon grew by"
        f" {stood.growth_mb:.1f} MB (less than {GROWTH_MB:.0f}); {len(stood.took_ms)} commands meanwhile took"
        f" {p50:.1f} ms, p99 {p99:.1f} (less than {P99_MS:.0f}), at most {max(stood.took_ms):.1f}"
    )
    assert stood.account.whole() == [(stood.account.joined + 1, stood.last)]
    assert lost > 0
    assert stood.growth_mb < GROWTH_MB
    assert p99 < P99_MS


def test_100000_frames_are_answered_and_nothing_stops() -> None:
    assert OF_EVERY_COMMAND * len(COMMANDS) < FRAMES // 2
    with room() as here, Running(here, *NOWHERE) as running:
        grown = abuse(running, FRAMES, OF_EVERY_COMMAND, big=400)
    print(f"\n{FRAMES} frames: the daemon grew by {grown:.1f} MB")
