"""Named timers: one a name, and none that was forgotten ever fires."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rtvoiced.app.timers import Timers


def fired(set_up: Callable[[Timers[str], float], None], count: int) -> list[str]:
    """Return the first *count* timers to fire, of those that *set_up*(timers, now) sets."""

    async def main() -> list[str]:
        names: list[str] = []
        done = asyncio.Event()

        def fire(name: str) -> None:
            names.append(name)
            if len(names) == count:
                done.set()

        timers = Timers(fire)
        set_up(timers, asyncio.get_running_loop().time())
        async with asyncio.timeout(20):
            await done.wait()
        timers.clear_all()
        return names

    return asyncio.run(main())


def test_timers_fire_in_the_order_of_their_times() -> None:
    def set_up(timers: Timers[str], now: float) -> None:
        timers.set("later", now + 0.002)
        timers.set("sooner", now + 0.001)
        timers.set("past", now - 5)

    assert fired(set_up, 3) == ["past", "sooner", "later"]


def test_a_timer_that_is_set_again_fires_once_at_its_new_time() -> None:
    def set_up(timers: Timers[str], now: float) -> None:
        timers.set("again", now)
        timers.set("other", now + 0.001)
        timers.set("again", now + 0.002)
        timers.set("end", now + 0.003)

    assert fired(set_up, 3) == ["other", "again", "end"]


def test_a_cleared_timer_does_not_fire_even_when_it_was_due() -> None:
    def set_up(timers: Timers[str], now: float) -> None:
        timers.set("due", now - 1)
        timers.set("gone", now)
        timers.clear("due")
        timers.clear("gone")
        timers.clear("never set")
        timers.set("end", now + 0.001)

    assert fired(set_up, 1) == ["end"]


def test_a_timer_can_be_set_again_where_it_fires() -> None:
    async def main() -> list[str]:
        names: list[str] = []
        done = asyncio.Event()

        def fire(name: str) -> None:
            names.append(name)
            if len(names) == 3:
                done.set()
            else:
                timers.set(name, 0.0)

        timers = Timers(fire)
        timers.set("beat", 0.0)
        async with asyncio.timeout(20):
            await done.wait()
        return names

    assert asyncio.run(main()) == ["beat", "beat", "beat"]


def test_the_loop_counts_the_same_seconds_as_the_daemon() -> None:
    async def main() -> None:
        before = time.monotonic()
        now = asyncio.get_running_loop().time()
        assert before <= now <= time.monotonic()

    asyncio.run(main())
