"""The heartbeat stops when the loop does, and the watchdog's word when the audio thread does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rtvoiced.host.heartbeat import HeartbeatLoop
from rtvoiced.host.notify import ServiceNotifier
from support.service_manager import ServiceManager, service_manager

WATCHDOG = {"WATCHDOG_USEC": "20000"}
"""20 ms: fed every 10."""


def run(
    manager: ServiceManager, audio_beat: Callable[[], float], stalled: Callable[[], None], s: float
) -> None:
    """Let a heartbeat run for *s* seconds; the audio thread is late after half a second."""

    async def main() -> None:
        notify = ServiceNotifier({"NOTIFY_SOCKET": manager.address, **WATCHDOG})
        heartbeat = HeartbeatLoop(lambda: None, lambda: "well", audio_beat, stalled, notify, 0.5)
        task = asyncio.create_task(heartbeat.run())
        await asyncio.wait((task,), timeout=s)
        task.cancel()

    asyncio.run(main())


def everything(manager: ServiceManager) -> list[list[str]]:
    told = []
    while not manager.silent():
        told.append(manager.lines())
    return told


def test_ready_comes_first_and_then_the_watchdog_is_fed() -> None:
    with service_manager() as manager:
        run(manager, time.monotonic, lambda: None, 0.2)
        told = everything(manager)

    assert told[0] == ["READY=1", "STATUS=well"]
    assert set(map(tuple, told[1:])) == {("WATCHDOG=1",)}
    assert len(told) > 3


def test_while_the_audio_thread_stands_still_the_watchdog_is_not_fed_and_twice_in_a_row_is_the_end() -> None:
    given_up = []
    with service_manager() as manager:
        run(manager, lambda: 0.0, lambda: given_up.append(time.monotonic()), 1.5)
        told = everything(manager)

    assert told == [["READY=1", "STATUS=well"]]
    assert len(given_up) == 1


def test_an_audio_thread_that_is_late_once_is_not_given_up() -> None:
    beats = iter([0.0])
    given_up: list[None] = []
    with service_manager() as manager:
        run(manager, lambda: next(beats, time.monotonic()), lambda: given_up.append(None), 1.5)

    assert given_up == []


def test_a_reload_is_told_before_and_after() -> None:
    order: list[str] = []
    with service_manager() as manager:
        notify = ServiceNotifier({"NOTIFY_SOCKET": manager.address})
        heartbeat = HeartbeatLoop(lambda: None, lambda: "well", time.monotonic, lambda: None, notify, 0.5)
        heartbeat.reload(lambda: order.extend(line for told in everything(manager) for line in told))

        assert [line.partition("=")[0] for line in order] == ["RELOADING", "MONOTONIC_USEC"]
        assert everything(manager) == [["READY=1", "STATUS=well"]]
