"""Where the daemon and its clients meet: the first place that is set wins, and nothing is searched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from rtvoiced.errors import ConfigError, PermissionRefusedError
from rtvoiced.host.paths import (
    MAX_SOCKET_PATH_BYTES,
    check_runtime_dir_of_daemon,
    config_file,
    control_socket,
    events_socket,
    lock_file,
    runtime_dir,
    state_dir,
)

ALL = {"RTVOICE_RUNTIME_DIR": "/r", "RUNTIME_DIRECTORY": "/systemd:/other", "XDG_RUNTIME_DIR": "/xdg"}


def without(*names: str) -> Mapping[str, str]:
    return {key: value for key, value in ALL.items() if key not in names}


def as_root() -> bool:
    return os.getuid() == 0


@pytest.mark.parametrize(
    ("explicit", "environ", "daemon", "system", "found"),
    [
        ("/e", ALL, True, False, "/e"),
        ("", ALL, True, False, "/r"),
        (None, ALL, False, True, "/r"),
        (None, ALL | {"RTVOICE_RUNTIME_DIR": ""}, True, False, "/systemd"),
        (None, without("RTVOICE_RUNTIME_DIR"), False, True, "/run/rtvoice"),
        (None, without("RTVOICE_RUNTIME_DIR"), False, False, "/xdg/rtvoice"),
        (None, {"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": "/xdg"}, True, False, "/xdg/rtvoice"),
    ],
)
def test_the_first_that_is_set_wins(
    explicit: str | None, environ: Mapping[str, str], daemon: bool, system: bool, found: str
) -> None:
    assert runtime_dir(explicit, environ, daemon=daemon, system=system) == Path(found)


def test_a_relative_directory_is_meant_from_here() -> None:
    assert runtime_dir("here", {}) == Path.cwd() / "here"


def test_with_nothing_set_it_is_the_users_runtime_directory() -> None:
    session = Path(f"/run/user/{os.getuid()}")
    found = runtime_dir(None, {})

    assert found.is_absolute()
    assert found.name == "rtvoice"
    assert found == session / "rtvoice" or not session.is_dir()


def test_daemon_and_client_agree() -> None:
    for environ in ({}, {"XDG_RUNTIME_DIR": "/xdg"}, {"RTVOICE_RUNTIME_DIR": "/r"}):
        assert runtime_dir(None, environ, daemon=True) == runtime_dir(None, environ)


@pytest.mark.process
def test_platformdirs_is_imported_only_as_the_last_resort() -> None:
    code = (
        "import sys, rtvoiced.host.paths as p\n"
        "p.runtime_dir(None, {'XDG_RUNTIME_DIR': '/x'}); print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert {"platformdirs", "zmq", "asyncio", "structlog", "numpy"} & set(modules.split()) == set()


def test_the_names_in_the_directory() -> None:
    files = (lock_file(Path("/r")), control_socket(Path("/r")), events_socket(Path("/r")))

    assert files == (Path("/r/lock"), Path("/r/control.sock"), Path("/r/events.sock"))


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_a_socket_path_is_at_most_103_bytes_long(letter: str) -> None:
    room = MAX_SOCKET_PATH_BYTES - len("//control.sock")
    fitting = Path("/" + letter * (room // len(letter.encode())))
    assert control_socket(fitting).parent == fitting

    longer = fitting.with_name(fitting.name + letter)
    with pytest.raises(ConfigError) as refused:
        control_socket(longer)
    assert "103" in str(refused.value)
    assert str(longer / "control.sock") in str(refused.value)


def test_configuration_and_state_may_be_named() -> None:
    assert config_file({"RTVOICE_CONFIG": "/etc/rt.toml"}) == Path("/etc/rt.toml")
    assert state_dir({"STATE_DIRECTORY": "/var/lib/rtvoice"}) == Path("/var/lib/rtvoice")


def test_configuration_and_state_are_the_users_by_default() -> None:
    assert config_file({"RTVOICE_CONFIG": ""}).parts[-2:] == ("rtvoice", "config.toml")
    assert state_dir({}).name == "rtvoice"


def test_a_client_trusts_its_own_directory_and_one_that_is_not_there(tmp_path: Path) -> None:
    check_runtime_dir_of_daemon(tmp_path)
    check_runtime_dir_of_daemon(tmp_path / "absent")


def test_a_client_refuses_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)

    with pytest.raises(PermissionRefusedError, match="link"):
        check_runtime_dir_of_daemon(tmp_path / "link")


@pytest.mark.skipif(not as_root(), reason="only root can give a directory away")
def test_a_client_refuses_a_strangers_directory(tmp_path: Path) -> None:
    os.chown(tmp_path, 4242, 4242)

    for system in (False, True):
        with pytest.raises(PermissionRefusedError, match="4242"):
            check_runtime_dir_of_daemon(tmp_path, system)
