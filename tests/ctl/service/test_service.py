"""`rtctl service` under a systemd that only pretends: what is written, run, told, and taken away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rtctl.cli import __main__ as cli
from rtctl.cli.generated_verbs import PROVIDERS
from rtctl.cli.verbs import SERVICE_ACTIONS, parser
from rtctl.service import actions
from rtctl.service.files import UNIT
from rtctl.service.steps import perform
from rtvoiced.errors import ConfigError, NotRunningError, PermissionRefusedError
from rtvoiced.vocabulary import ProviderName, words
from support.fake_supervisors import PROGRAM
from support.service_house import House, service_house


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with service_house(monkeypatch, real=False) as made:
        yield made


@pytest.fixture
def real_house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with service_house(monkeypatch) as made:
        yield made


# ------------------------------------------------------------------------------------ a life


@pytest.mark.process
def test_it_is_installed_answers_and_is_taken_away_but_for_the_configuration(
    real_house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house = real_house
    house.configure()
    assert house.do("install") == 0
    told = capsys.readouterr().out
    assert f"ExecStart={PROGRAM} --provider custom\n" in house.unit.read_text()
    assert (f"write {house.unit}\n" in told, "connection    lost" in told) == (True, True)
    assert not (house.drop_ins / "key.conf").exists()
    assert house.ran() == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable {UNIT}",
        f"systemctl --user reset-failed {UNIT}",
        f"systemctl --user restart {UNIT}",
    ]

    assert house.do("--json", "status") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["starts"], found["provider"], found["answers"]) == (str(PROGRAM), "custom", True)
    assert (found["active"], found["enabled"], found["pid"]) == ("active", True, house.systemd.daemon.pid)

    assert house.do("stop") == 0
    assert house.do("status") == 69
    assert house.do("uninstall") == 0
    assert f"kept: {house.config}" in capsys.readouterr().out
    left = {name for name in house.written() if not name.startswith("state/")}
    assert left == {"rtvoice/config.toml", "rtvoice/lock"}
    with pytest.raises(NotRunningError, match="no service"):
        house.do("uninstall")


@pytest.mark.process
def test_a_service_that_ends_at_once_says_why_and_what_to_do(real_house: House) -> None:
    house = real_house
    house.configure()
    house.do("--dry-run", "install")
    steps = house.service.writes(actions._wanted(house.service, parser().parse_args(["service", "install"])))
    for step in steps:
        perform(step, house.systemd)
    (house.config / "config.toml").write_text("[audio]\nvolume = 1\n")

    with pytest.raises(ConfigError, match=r"ended with status 78: its configuration can't be used"):
        house.do("start")
    with pytest.raises(ConfigError, match=r"the service would not start: unknown key audio.volume"):
        house.do("install")


def test_nothing_is_started_that_is_not_installed(house: House) -> None:
    for action in ("start", "stop", "restart"):
        with pytest.raises(NotRunningError, match="rtctl service install"):
            house.do(action)
    assert house.do("status") == 69
    assert house.ran() == []


# --------------------------------------------------------------------------------- provider


def test_the_provider_stands_in_the_unit_and_stays_when_it_is_installed_again(house: House) -> None:
    house.configure()
    house.do("install")
    (house.config / "config.toml").write_text('[audio]\ncard = "none"\n')
    with pytest.raises(ConfigError, match="provider custom"):
        house.do("install")
    house.do("install", "--provider", "local")

    assert "--provider local\n" in house.unit.read_text()


def test_a_dry_run_tells_and_does_nothing(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.configure(auth="bearer")
    before = house.written()

    assert house.do("install", "--dry-run") == 0
    told = capsys.readouterr().out.splitlines()
    assert f"write {house.config}/keys/custom_api_key (0600)" in told
    assert told[-1] == f"run systemctl --user restart {UNIT}"
    assert (house.written(), house.ran()) == (before, [])


# ------------------------------------------------------------------------- others' files


def test_a_unit_of_somebody_elses_is_not_overwritten(house: House) -> None:
    house.configure()
    house.units.mkdir(parents=True)
    house.unit.write_text("[Service]\nExecStart=/my/own\n")
    for action in ("install", "uninstall", "start", "status"):
        with pytest.raises(PermissionRefusedError, match="was not written by rtctl service install"):
            house.do(action)
    house.unit.rename(house.units / "elsewhere")
    house.unit.symlink_to("elsewhere")
    with pytest.raises(PermissionRefusedError, match="was not written by"):
        house.do("install")

    assert (house.units / "elsewhere").read_text() == "[Service]\nExecStart=/my/own\n"


def test_drop_ins_of_the_users_own_stay(house: House) -> None:
    house.configure()
    house.do("install", "--hardened")
    (house.drop_ins / "override.conf").write_text("[Service]\nNice=-5\n")
    assert (house.drop_ins / "hardened.conf").exists()
    house.do("install")
    assert (house.drop_ins / "hardened.conf").exists()  # It stays hardened.
    house.do("uninstall")

    assert [path.name for path in house.drop_ins.iterdir()] == ["override.conf"]


# ----------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("install", "--runtime-dir", "/r"), "service goes without --runtime-dir: the service has its own"),
        (("stop", "--provider", "local"), "--provider goes with install and print"),
        (("start", "--hardened"), "--hardened goes with install and print"),
        (("print", "--new-key"), "--new-key goes with install"),
        (("status", "--dry-run"), "status changes nothing: it goes without --dry-run"),
        (("install", "--system", "--hardened"), "--hardened is for the user's service"),
    ],
)
def test_a_line_that_makes_no_sense_is_usage(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["service", *words]) == 2
    assert f"rtctl: {problem}" in capsys.readouterr().err


def test_root_is_told_whose_service_it_would_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)

    assert cli.main(["service", "install"]) == 77
    assert "run this as the user who is to be talked to" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("service", "install", "--dry-run"), ("service", "stop"), ("config",), ("doctor",)]
)
def test_the_machines_service_and_its_key_are_roots(
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("os.getuid", lambda: 12345)

    assert cli.main(["--system", *words]) == 77
    assert "machine's service" in capsys.readouterr().err


def test_a_user_without_a_name_is_told_how_to_linger_by_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 54321)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)

    assert cli.main(["service", "status"]) == 69
    assert "no session of yours runs (/run/user/54321 is not there)" in (told := capsys.readouterr().err)
    assert told.endswith("sudo loginctl enable-linger 54321\n")


def test_print_shows_the_files_and_needs_no_systemd(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--json", "service", "print", "--provider", "openai", "--system"]) == 0
    files: dict[str, Any] = json.loads(capsys.readouterr().out)["files"]

    assert set(files) == {"/etc/systemd/system/rtvoiced.service", "/etc/sysusers.d/rtvoice.conf"}
    assert (
        f"ExecStart={PROGRAM} --system --provider openai\n" in files["/etc/systemd/system/rtvoiced.service"]
    )


def test_the_words_are_the_daemons() -> None:
    assert words(ProviderName) == PROVIDERS
    assert SERVICE_ACTIONS == ("install", "uninstall", "start", "stop", "restart", "status", "print")
