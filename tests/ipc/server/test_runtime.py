"""The runtime directory: private, and one daemon's at a time."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtvoiced.errors import AlreadyRunningError, ConfigError, PermissionRefusedError
from rtvoiced.host.paths import control_socket, events_socket, lock_file
from rtvoiced.ipc.server.runtime import claim
from support.small_daemon import short_dir

CLAIMER = """
import sys
from pathlib import Path
from rtvoiced.errors import RtvoiceError
from rtvoiced.ipc.server.runtime import claim

print("ready", flush=True)
sys.stdin.readline()
try:
    lock = claim(Path(sys.argv[1]))
except RtvoiceError as error:
    print(error.status, error, flush=True)
else:
    print("won", flush=True)
    sys.stdin.readline()
    lock.release()
"""


def as_root() -> bool:
    return os.getuid() == 0


@pytest.fixture
def room() -> Iterator[Path]:
    with short_dir() as made:
        yield made


def start_claimer(directory: Path) -> subprocess.Popen[str]:
    claimer = subprocess.Popen(
        [sys.executable, "-c", CLAIMER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert line_of(claimer) == "ready"
    return claimer


def line_of(claimer: subprocess.Popen[str]) -> str:
    assert claimer.stdout
    return claimer.stdout.readline().strip()


def say(claimer: subprocess.Popen[str]) -> None:
    assert claimer.stdin
    claimer.stdin.write("\n")
    claimer.stdin.flush()


def test_the_directory_is_made_private_whatever_the_umask(room: Path) -> None:
    before = os.umask(0)
    try:
        lock = claim(room / "a" / "run")
    finally:
        umask = os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (room / "a" / "run", room / "a" / "run" / "lock")]
    lock.release()

    assert umask == 0
    assert modes == [0o700, 0o600]


def test_the_machines_service_lets_its_group_enter_and_nobody_else(room: Path) -> None:
    claim(room / "run", for_group=True).release()
    assert stat.S_IMODE((room / "run").stat().st_mode) == 0o750

    (room / "run").chmod(0o755)
    with pytest.raises(PermissionRefusedError, match="chmod 750"):
        claim(room / "run", for_group=True)


def test_the_lock_holds_the_pid_for_people(room: Path) -> None:
    lock = claim(room)

    assert lock_file(room).read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_second_claim_names_the_holder_and_how_to_reach_it(room: Path) -> None:
    lock = claim(room)

    with pytest.raises(AlreadyRunningError) as refused:
        claim(room)
    assert refused.value.status == 75
    assert f"pid {os.getpid()}" in str(refused.value)
    assert f"rtctl --runtime-dir {room} status" in str(refused.value)
    lock.release()


def test_a_second_claim_leaves_the_sockets_of_the_first(room: Path) -> None:
    lock = claim(room)
    control_socket(room).touch()

    with pytest.raises(AlreadyRunningError):
        claim(room)
    assert control_socket(room).exists()
    lock.release()


def test_a_released_directory_is_free_and_has_no_sockets(room: Path) -> None:
    lock = claim(room)
    control_socket(room).touch()
    lock.release()

    assert not control_socket(room).exists()
    claim(room).release()


def test_stale_sockets_are_removed(room: Path) -> None:
    for path in (control_socket(room), events_socket(room)):
        path.touch()
    lock = claim(room)

    assert sorted(path.name for path in room.iterdir()) == ["lock"]
    lock.release()


def test_a_pid_of_a_living_stranger_holds_nothing(room: Path) -> None:
    lock_file(room).write_text(f"{os.getppid()}\n")

    claim(room).release()


@pytest.mark.process
def test_a_killed_daemon_holds_nothing(room: Path) -> None:
    claimer = start_claimer(room)
    say(claimer)
    assert line_of(claimer) == "won"
    claimer.send_signal(signal.SIGKILL)
    claimer.communicate()

    claim(room).release()


@pytest.mark.process
def test_of_twenty_daemons_at_once_exactly_one_wins(room: Path) -> None:
    claimers = [start_claimer(room / "run") for _ in range(20)]
    for claimer in claimers:
        say(claimer)
    answers = [line_of(claimer) for claimer in claimers]
    winners = [claimer for claimer, answer in zip(claimers, answers, strict=True) if answer == "won"]
    for claimer in claimers:
        claimer.communicate("\n")

    assert len(winners) == 1
    losers = [answer for answer in answers if answer != "won"]
    assert all(answer.startswith("75 ") and f"(pid {winners[0].pid})" in answer for answer in losers), losers


def test_a_link_is_refused(room: Path) -> None:
    (room / "real").mkdir(0o700)
    (room / "link").symlink_to("real")
    (room / "nowhere").symlink_to("absent")

    for name in ("link", "nowhere"):
        with pytest.raises(PermissionRefusedError, match="link"):
            claim(room / name)
    assert list((room / "real").iterdir()) == []


def test_a_lock_that_is_a_link_is_not_followed(room: Path) -> None:
    lock_file(room).symlink_to(room / "elsewhere")

    with pytest.raises(ConfigError):
        claim(room)
    assert not (room / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o750, 0o702, 0o777, 0o1777])
def test_a_directory_open_to_others_is_refused(room: Path, mode: int) -> None:
    room.chmod(mode)

    with pytest.raises(PermissionRefusedError, match="chmod 700"):
        claim(room)


@pytest.mark.skipif(not as_root(), reason="only root can give a directory away")
def test_a_strangers_directory_is_refused(room: Path) -> None:
    (room / "run").mkdir(0o700)
    os.chown(room / "run", 4242, 4242)
    with pytest.raises(PermissionRefusedError, match="4242"):
        claim(room / "run")

    os.chown(room / "run", os.getuid(), os.getgid())
    os.chown(room, 4242, 4242)
    with pytest.raises(PermissionRefusedError, match="4242"):
        claim(room / "run")


def test_what_is_no_directory_is_told_in_one_line(room: Path) -> None:
    (room / "file").touch()

    for path in (room / "file", room / "file" / "run"):
        with pytest.raises(ConfigError, match="can't be the runtime directory"):
            claim(path)


def test_too_long_a_path_is_refused_before_anything_is_made(room: Path) -> None:
    with pytest.raises(ConfigError, match="103"):
        claim(room / ("x" * 100))
    assert list(room.iterdir()) == []
