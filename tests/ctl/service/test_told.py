"""What is told of the service: by its status, by what fails, and by `rtctl doctor`, `config` and `logs`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from rtctl.cli import __main__ as cli
from rtctl.cli.verbs import parser
from rtctl.service import views
from rtctl.service.files import UNIT
from rtctl.service.supervisor import words_of_exit
from rtctl.service.systemd import Systemd
from rtvoiced.errors import AlreadyRunningError, NotRunningError, ServiceError
from support.fake_supervisors import PROGRAM
from support.running import Room, Running
from support.service_house import KEY, House, service_house


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with service_house(monkeypatch, real=False) as made:
        yield made


@pytest.fixture
def real_house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with service_house(monkeypatch) as made:
        yield made


# ----------------------------------------------------------------------------- what is told


def test_status_tells_what_an_upgrade_left_behind(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.configure()
    house.do("install")
    right = house.unit.read_text()
    assert "rtctl service install" not in house.notes(capsys)
    for text, told in (
        (right.replace(str(PROGRAM), "/old/bin/rtvoiced"), "/old/bin/rtvoiced is gone"),
        (right.replace(str(PROGRAM), "/bin/true"), f"this rtctl goes with {PROGRAM}"),
        (right.replace("WatchdogSec=30", "WatchdogSec=60"), "its files are of another version"),
    ):
        house.unit.write_text(text)
        assert told in house.notes(capsys)


def test_status_tells_what_the_service_does_not_see_and_who_else_answers(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure()
    monkeypatch.setenv("RTVOICE_TURN_SILENCE_MS", "700")
    house.do("install")
    assert "RTVOICE_TURN_SILENCE_MS is set here, and the service does not see it" in house.notes(capsys)
    process, house.systemd.daemon.process = house.systemd.daemon.process, None
    try:
        assert "the daemon that answers is not the service's" in house.notes(capsys)
    finally:
        house.systemd.daemon.process = process


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [(0, 0, None), (1, 0, 0), (1, 78, 78), (1, 243, 243), (2, 9, 137), (3, 6, 134)],
)
def test_a_run_that_was_killed_is_told_by_its_signal(
    code: int, status: int, expected: int | None, house: House
) -> None:
    shown = f"ActiveState=failed\nExecMainCode={code}\nExecMainStatus={status}\nMainPID=0\n"
    asked = Systemd(
        lambda command: subprocess.CompletedProcess(command, 0, shown, ""),
        house.environ,
        house.room.path,
        system=False,
    )

    assert asked.state().exit_status == expected
    assert words_of_exit(137) == "killed by signal 9; rtctl logs tells by whom"


@pytest.mark.process
def test_another_daemons_answer_is_not_taken_for_the_services(real_house: House) -> None:
    house = real_house
    house.configure()
    theirs = Room(house.room.path)
    theirs.run = house.service.directory
    refused = pytest.raises(AlreadyRunningError, match="ended with status 75: another rtvoiced has")
    with Running(theirs, "--url", "ws://127.0.0.1:9/", "--audio", "none"), refused:
        house.do("install")


def test_what_systemd_refuses_is_told_with_its_words(house: House) -> None:
    house.configure()
    house.systemd.refuses = {"enable"}
    with pytest.raises(ServiceError) as refused:
        house.do("install")

    assert str(refused.value) == f"systemctl --user enable {UNIT}: Failed to enable unit: Access denied"


# ---------------------------------------------------------------------- doctor, config


def test_config_is_the_shells_or_the_services(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure()
    house.do("install")
    monkeypatch.setenv("RTVOICE_TURN_SILENCE_MS", "700")
    (_, shell), (_, service) = house.view(capsys, "config"), house.view(capsys, "config", "--service")

    assert shell["settings"]["turn.silence_ms"] == {
        "value": 700,
        "origin": "environment RTVOICE_TURN_SILENCE_MS",
    }
    assert service["settings"]["turn.silence_ms"] == {"value": 500, "origin": "default"}
    assert service["settings"]["session.provider"] == {"value": "custom", "origin": "flag --provider"}
    assert house.view(capsys, "config", "--path")[1] == {"path": str(house.config / "config.toml")}


def test_config_and_doctor_show_no_key(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.configure(auth="bearer")
    with (house.config / "config.toml").open("a") as file:
        file.write(f'headers = {{ X-Key = "{KEY}" }}\n')
    house.do("install", typed=KEY)
    printed = [json.dumps(house.view(capsys, *words)[1]) for words in (("config", "--service"), ("doctor",))]
    cli.main(["config", "--path"])

    assert [KEY in text for text in (*printed, capsys.readouterr().out)] == [False] * 3
    assert "keys/custom_api_key" not in printed[0]


@pytest.mark.process
def test_doctor_looks_in_the_services_place_and_at_the_service_first(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure(auth="bearer")
    house.do("install", typed=KEY)
    status, told = house.view(capsys, "doctor")
    found = {each["check"]: each["verdict"] for each in told["findings"]}

    # The key is the service's: this shell has none.
    assert (found["service"], found["key"], found["daemon"]) == ("ok", "ok", "ok")
    assert (status, found["server"]) == (1, "failure")

    house.do("stop")
    text = house.unit.read_text()
    house.unit.write_text(text.replace(str(PROGRAM), "/old/bin/rtvoiced"))
    status, told = house.view(capsys, "doctor")
    failed = [each["text"] for each in told["findings"] if each["verdict"] == "failure"]
    assert failed == [
        "/old/bin/rtvoiced is gone, by an upgrade perhaps",
        "cannot run /old/bin/rtvoiced: No such file or directory",
    ]


def test_doctor_without_a_service_looks_at_this_shell(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.configure()
    _, told = house.view(capsys, "doctor")

    assert told["findings"][0]["text"].startswith("none is installed")
    assert told["findings"][1] == {
        "check": "configuration",
        "verdict": "ok",
        "text": str(house.config / "config.toml"),
        "remedy": None,
    }


def test_the_log_is_the_services(house: House) -> None:
    with pytest.raises(NotRunningError, match="no service is installed"):
        views.logs(parser().parse_args(["logs"]), lambda *, system: house.service)
    command = house.service.log_command(follow=True, lines=7, as_json=False)

    assert " ".join(command) == (
        f"journalctl --no-pager --output=short-iso --user-unit {UNIT} --lines=7 --follow"
    )
