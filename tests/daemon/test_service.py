"""The whole daemon under a service manager: what it says, when, and which exit status it ends with."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtvoiced.host.paths import control_socket, events_socket, lock_file
from support.running import RTVOICED, Room, Running, eventually, room
from support.service_manager import ServiceManager, service_manager

NOWHERE = ("--url", "ws://127.0.0.1:9/v1/realtime", "--audio", "none", "--log-level", "error")
"""A server that nobody runs: port 9 discards."""
KEY = "sk-proj-0123456789abcdef"


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture
def manager() -> Iterator[ServiceManager]:
    with service_manager() as it:
        yield it


def test_ready_is_told_when_a_command_is_answered_and_waits_for_no_server(
    here: Room, manager: ServiceManager
) -> None:
    process = subprocess.Popen(
        [*RTVOICED, "--runtime-dir", here.run, *NOWHERE],
        env=here.environment({"NOTIFY_SOCKET": manager.address}),
    )
    try:
        (ready, line), pid = manager.told()
        answered = here.rtctl("hello")
    finally:
        process.terminate()
        process.wait()

    assert (ready, pid, answered.returncode) == ("READY=1", process.pid, 0)
    assert line == "STATUS=connecting, microphone unavailable, speaker unavailable, 0 subscribers"


def test_what_changes_a_reload_and_the_end_are_told_and_the_watchdog_is_fed(
    here: Room, manager: ServiceManager
) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"}
    with Running(here, *NOWHERE, environ=environ) as daemon:
        for _ in range(2):
            assert manager.until("WATCHDOG") == ["WATCHDOG=1"]
        daemon.data("mute")
        while ", muted, " not in manager.until("STATUS")[0]:
            continue

        daemon.process.send_signal(signal.SIGHUP)
        assert manager.until("RELOADING")[0] == "RELOADING=1"
        assert manager.until("READY")[0] == "READY=1"

        daemon.stop()
        assert manager.until("STOPPING") == ["STOPPING=1", "STATUS=stopping: SIGTERM"]


def test_another_daemons_directory_is_never_ready(here: Room, manager: ServiceManager) -> None:
    with Running(here, *NOWHERE):
        second = subprocess.run(
            [*RTVOICED, "--runtime-dir", here.run, *NOWHERE],
            env=here.environment({"NOTIFY_SOCKET": manager.address}),
            capture_output=True,
            check=False,
        )

    assert second.returncode == 75
    assert manager.silent()


@pytest.mark.parametrize(("supervisor", "status"), [((), 78), (("--supervisor", "systemd"), 78)])
def test_a_configuration_that_cannot_be_used_ends_with_78(
    here: Room, supervisor: tuple[str, ...], status: int
) -> None:
    assert here.rtvoiced(*supervisor, "--provider", "openai").returncode == status


def test_under_launchd_it_ends_with_0_so_that_it_is_not_started_for_ever(here: Room) -> None:
    ended = here.rtvoiced("--supervisor", "launchd", "--provider", "openai")

    assert (ended.returncode, ended.stderr.count("\n")) == (0, 1)
    assert "provider openai (flag --provider) needs a key" in ended.stderr


def test_launchd_is_told_as_the_supervisor(here: Room) -> None:
    with Running(here, *NOWHERE, "--supervisor", "launchd") as daemon:
        assert daemon.data("status")["supervisor"] == "launchd"


def test_the_machines_service_is_for_its_group_too(here: Room) -> None:
    with Running(here, *NOWHERE, "--system"):
        made = (here.run, lock_file(here.run), control_socket(here.run), events_socket(here.run))
        modes = [stat.S_IMODE(path.stat().st_mode) for path in made]

    assert modes == [0o750, 0o600, 0o660, 0o660]


def test_no_child_of_it_has_the_key_in_its_environment(here: Room) -> None:
    environ = {"OPENAI_API_KEY": KEY, "AZURE_OPENAI_API_KEY": KEY, "RTVOICE_SESSION_MODEL": KEY}
    with Running(here, "--provider", "local", "--audio", "none", environ=environ) as daemon:
        daemon.until(connection="up")
        eventually(lambda: len(here.processes()) == 4)  # The daemon, its server, two recognisers.
        children = [pid for pid in here.processes() if pid != daemon.process.pid]
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in children]

        assert [KEY.encode() in each for each in environments] == [False, False, False]
        assert os.fsencode(KEY) in Path(f"/proc/{daemon.process.pid}/environ").read_bytes()
