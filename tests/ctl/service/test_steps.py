"""What is done to a machine is told first, and done whole."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from rtctl.service.files import UNIT
from rtctl.service.steps import MakeDirectory, Remove, Run, Write, perform
from rtctl.service.systemd import _unquoted
from support.service_house import KEY


def test_a_step_is_told_as_it_is_done(tmp_path: Path) -> None:
    steps = [
        MakeDirectory(tmp_path / "a" / "b", 0o700),
        Write(tmp_path / "a" / "b" / "key", KEY, 0o600),
        Remove(tmp_path / "a" / "b" / "key"),
        Remove(tmp_path / "a" / "b"),
        Run(("systemctl", "start", UNIT)),
    ]

    assert [str(step) for step in steps] == [
        f"make {tmp_path}/a/b/ (0700)",
        f"write {tmp_path}/a/b/key (0600)",
        f"remove {tmp_path}/a/b/key",
        f"remove {tmp_path}/a/b",
        f"run systemctl start {UNIT}",
    ]
    assert KEY not in repr(steps)


def test_a_file_is_replaced_whole_and_a_directory_with_something_in_it_stays(tmp_path: Path) -> None:
    def run(command: tuple[str, ...]) -> Any:
        raise AssertionError(command)

    file = tmp_path / "d" / "key"
    for text in ("old", "new"):
        perform(Write(file, text, 0o600), run)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o600)
    assert [path.name for path in file.parent.iterdir()] == ["key"]
    perform(Remove(file.parent), run)
    assert file.exists()
    for path in (file, file, file.parent):
        perform(Remove(path), run)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("quoted", "value"),
    [("/usr/bin:/bin", "/usr/bin:/bin"), ("$'a\\nb'", "a\nb"), ("$'it\\'s'", "it's"), ("", "")],
)
def test_the_environment_of_the_manager_is_read_as_bash_would(quoted: str, value: str) -> None:
    assert _unquoted(quoted) == value
