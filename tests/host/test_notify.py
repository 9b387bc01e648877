"""What the service manager is told, by whom, and when it is told nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rtvoiced.app import status
from rtvoiced.host.notify import ServiceNotifier
from rtvoiced.ipc.contract.events import State
from support.service_manager import ServiceManager, service_manager

WORDS = State("listening", False, False, "up", "open", "open", "slt", "local")
Made = Callable[..., ServiceNotifier]


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    with service_manager(tmp_path if request.param == "path" else None) as it:
        yield it


@pytest.fixture
def notify(manager: ServiceManager) -> Made:
    return lambda **environ: ServiceNotifier({"NOTIFY_SOCKET": manager.address, **environ})


def test_ready_comes_with_the_line_for_people_from_the_process_itself(
    manager: ServiceManager, notify: Made
) -> None:
    notify().ready("connecting, 0 subscribers")

    assert manager.told() == (["READY=1", "STATUS=connecting, 0 subscribers"], os.getpid())


def test_the_line_is_told_when_it_is_another_one(manager: ServiceManager, notify: Made) -> None:
    told = notify()
    told.ready("a")
    for line in ("a", "b", "b", "a"):
        told.status(line)

    assert [manager.lines() for _ in range(3)] == [["READY=1", "STATUS=a"], ["STATUS=b"], ["STATUS=a"]]
    assert manager.silent()


def test_a_line_break_begins_no_other_assignment(manager: ServiceManager, notify: Made) -> None:
    notify().status("failed: x\nMAINPID=1")

    assert manager.lines() == ["STATUS=failed: x MAINPID=1"]


def test_a_reload_tells_when_it_began_by_the_managers_clock(manager: ServiceManager, notify: Made) -> None:
    before = time.monotonic_ns() // 1000
    notify().reloading()
    reloading, at = manager.lines()

    assert reloading == "RELOADING=1"
    assert before <= int(at.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_the_end_is_told_with_its_reason(manager: ServiceManager, notify: Made) -> None:
    notify().stopping("SIGTERM")

    assert manager.lines() == ["STOPPING=1", "STATUS=stopping: SIGTERM"]


def test_the_watchdog_is_told(manager: ServiceManager, notify: Made) -> None:
    notify().alive()

    assert manager.lines() == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    ("environ", "expected_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        # Inherited from a parent: it is the parent that is watched.
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getppid())}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
    ],
)
def test_only_the_process_that_is_watched_feeds_the_watchdog(
    environ: dict[str, str], expected_s: float | None, notify: Made
) -> None:
    assert notify(**environ).watchdog_s == expected_s


def test_without_a_service_manager_nobody_is_told() -> None:
    for environ in ({}, {"NOTIFY_SOCKET": ""}):
        told = ServiceNotifier({**environ, "WATCHDOG_USEC": "30000000"})
        told.ready("")
        assert told.watchdog_s is None


def test_a_manager_that_is_gone_or_reads_nothing_stops_nobody(tmp_path: Path) -> None:
    ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready("")
    with service_manager(tmp_path) as deaf:
        told = ServiceNotifier({"NOTIFY_SOCKET": deaf.address})
        for _ in range(10_000):
            told.alive()


@pytest.mark.parametrize(
    ("changes", "reason", "subscribers", "expected"),
    [
        ({}, None, 3, "connected to local, 3 subscribers"),
        ({"muted": True}, None, 1, "connected to local, muted, 1 subscriber"),
        (
            {"connection": "lost", "input": "unavailable", "output": "lost"},
            "connection refused",
            0,
            "lost: connection refused, microphone unavailable, speaker lost, 0 subscribers",
        ),
        ({"connection": "connecting"}, None, 0, "connecting, 0 subscribers"),
    ],
)
def test_the_daemon_in_one_line(
    changes: dict[str, object], reason: str | None, subscribers: int, expected: str
) -> None:
    words = replace(WORDS, **changes)  # type: ignore[arg-type]

    assert status.line(words, reason, subscribers) == expected
