"""A microphone that somebody switched off stays off, over a restart too."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rtvoiced.app.mute_file import MuteFile
from rtvoiced.clocks import WallClock
from rtvoiced.conversation.inputs import Begun

NOW = 1_795_204_195.5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mute.json"


@pytest.mark.parametrize("start_muted", [False, True])
def test_a_first_start_does_what_is_configured(path: Path, start_muted: bool) -> None:
    assert MuteFile(path).read(start_muted, NOW) == Begun(start_muted)


def test_a_mute_survives_and_so_does_its_end(path: Path) -> None:
    file = MuteFile(path)
    file.write(True, None)
    assert MuteFile(path).read(False, NOW) == Begun(True)
    file.write(True, NOW + 90.25)
    assert MuteFile(path).read(False, NOW) == Begun(True, 90.25, WallClock(NOW + 90.25))
    file.write(False, None)
    assert MuteFile(path).read(False, NOW) == Begun(False)


@pytest.mark.parametrize("start_muted", [False, True])
def test_a_mute_whose_end_is_past_is_over(path: Path, start_muted: bool) -> None:
    MuteFile(path).write(True, NOW - 0.5)

    assert MuteFile(path).read(start_muted, NOW) == Begun(start_muted)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '"muted"', "{}", '{"muted": true}', '{"until": null}', "\x00"),
        *('{"muted": "false", "until": null}', '{"muted": 0, "until": null}'),
        *(
            '{"muted": true, "until": NaN}',
            '{"muted": true, "until": "soon"}',
            '{"muted": true, "until": true}',
        ),
        *('{"muted": false, "until": Infinity}', f'{{"muted": true, "until": {10**400}}}', "[" * 100_000),
    ],
)
def test_a_file_that_cannot_be_read_means_muted(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with capture_logs() as logs:
        assert MuteFile(path).read(False, NOW) == Begun(True)

    assert [each["event"] for each in logs] == ["mute.unreadable"]


def test_nor_does_one_that_is_no_text(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe")
    with capture_logs():
        assert MuteFile(path).read(False, NOW) == Begun(True)
        path.unlink()
        path.mkdir()
        assert MuteFile(path).read(False, NOW) == Begun(True)


def test_a_file_that_cannot_be_written_is_logged_and_the_daemon_goes_on(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with capture_logs() as logs:
        MuteFile(in_the_way / "state" / "mute.json").write(True, None)

    assert [(each["event"], each["problem"]) for each in logs] == [("mute.not_kept", "Not a directory")]


def test_the_directory_is_private_and_nothing_is_left_half_written(path: Path) -> None:
    MuteFile(path).write(True, None)

    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]
