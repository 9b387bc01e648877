"""`rtctl service` under a systemd that only pretends: what is written, asked, run, told, and taken away."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_supervisors import PROGRAM, FakeSystemd
from rtctl import cli
from rtctl.service import actions, key, views
from rtctl.service.files import UNIT
from rtctl.service.steps import MakeDirectory, Remove, Run, Write, perform
from rtctl.service.supervisor import words_of_exit
from rtctl.service.systemd import Systemd, _unquoted
from rtctl.verbs import PROVIDERS, SERVICE_ACTIONS, parser
from rtvoice.errors import (
    AlreadyRunningError,
    ConfigError,
    NotRunningError,
    PermissionRefusedError,
    ServiceError,
)
from rtvoice.settings import WORDS
from running import KEPT, Room, Running, room

KEY = "sk-test-0123456789abcdef"
CONFIG = """
[audio]
card = "none"
[session]
url = "ws://127.0.0.1:9/v1/realtime"
auth = "{auth}"
"""
"""A server that nobody runs: port 9 discards."""


class House:
    """A user's home with a systemd in it, and rtctl service there."""

    def __init__(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = room
        self.config = room.path / "rtvoice"
        self.units = room.path / "systemd" / "user"
        self.unit = self.units / UNIT
        self.drop_ins = self.units / f"{UNIT}.d"
        self.environ = room.environment()
        self.systemd = FakeSystemd(room, self.units, {})
        self.service = Systemd(self.systemd, self.environ, room.path / "rtvoice-run", system=False)
        self.service.directory = room.path / "rtvoice"
        self._monkeypatch = monkeypatch
        for name in list(os.environ):
            if name not in KEPT:
                monkeypatch.delenv(name)
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)

    def configure(self, *, auth: str = "none") -> None:
        self.config.mkdir(mode=0o700, exist_ok=True)
        (self.config / "config.toml").write_text(CONFIG.format(auth=auth))

    def do(self, *words: str, typed: str = "") -> int:
        """Do ``rtctl service WORDS`` with *typed* on standard input."""
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return actions.act(self.service, parser().parse_args(["service", *words]))

    def ran(self) -> list[str]:
        """Return what systemctl was told since the last time, but for questions."""
        told = [" ".join(command) for command in self.systemd.commands if "show" not in command]
        self.systemd.commands.clear()
        return [each for each in told if each.startswith("systemctl")]

    def written(self) -> set[str]:
        return {str(path.relative_to(self.room.path)) for path in self.room.path.rglob("*") if path.is_file()}


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with room() as here:
        made = House(here, monkeypatch)
        try:
            yield made
        finally:
            made.systemd.daemon.stop()


# ------------------------------------------------------------------------------------ a life


def test_it_is_installed_answers_and_is_taken_away_but_for_the_configuration(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_a_service_that_ends_at_once_says_why_and_what_to_do(house: House) -> None:
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


# -------------------------------------------------------------------------------------- key


def test_the_key_is_asked_for_once_kept_private_and_shown_nowhere(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.configure(auth="bearer")
    with pytest.raises(ConfigError, match="provider custom needs a key: run this on a terminal"):
        house.do("install")
    assert house.do("install", typed=f"{KEY}\n") == 0
    kept = house.config / "keys" / "custom_api_key"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (kept.parent, kept)]
    assert (kept.read_text(), modes) == (f"{KEY}\n", [0o700, 0o600])
    assert f"LoadCredential=custom_api_key:{kept}\n" in (house.drop_ins / "key.conf").read_text()

    assert house.do("install") == 0  # Not asked again: nothing is typed.
    assert kept.read_text() == f"{KEY}\n"
    house.do("--json", "install", "--new-key", typed="another-key")
    assert kept.read_text() == "another-key\n"
    house.do("--json", "status")
    told = capsys.readouterr()
    texts = [path.read_text() for path in (house.unit, house.drop_ins / "key.conf")]
    commands = [" ".join(command) for command in house.systemd.commands]
    assert [KEY in text for text in (told.out, told.err, *texts, *commands)] == [False] * (4 + len(commands))

    house.do("uninstall")
    assert not kept.parent.exists()
    assert not house.drop_ins.exists()


def test_a_key_of_the_shell_is_offered_and_chooses_the_provider(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    options = parser().parse_args(["service", "install"])
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    wanted = actions._wanted(house.service, options)

    assert (wanted.provider, wanted.key) == ("openai", KEY)
    assert KEY not in repr(wanted)
    assert KEY not in repr(house.service.writes(wanted))
    monkeypatch.setattr("sys.stdin", io.StringIO("typed-instead\n"))
    assert actions._wanted(house.service, options).key == "typed-instead"


def test_a_key_that_the_service_finds_by_itself_is_not_asked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = house.room.path / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    house.configure(auth="bearer")
    with (house.config / "config.toml").open("a") as config:
        config.write(f'key_file = "{file}"\n')

    assert actions._wanted(house.service, parser().parse_args(["service", "install"])).key is None


def test_a_new_key_takes_the_place_of_one_that_is_none(house: House) -> None:
    house.configure(auth="bearer")
    house.do("install", typed=KEY)
    kept = house.config / "keys" / "custom_api_key"
    kept.write_text("")
    with pytest.raises(ConfigError, match=f"the service would not start: the key in {kept} is empty"):
        house.do("install")
    house.do("install", "--new-key", typed="another-key")

    assert kept.read_text() == "another-key\n"


def test_a_new_key_is_not_asked_for_where_none_is_needed(house: House) -> None:
    house.configure()
    with pytest.raises(ConfigError, match="provider custom needs no key"):
        house.do("install", "--new-key", typed=KEY)

    assert not house.unit.exists()


def test_a_kept_key_that_others_may_read_is_told_by_status_and_doctor(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.configure(auth="bearer")
    house.do("install", typed=KEY)
    kept = house.config / "keys" / "custom_api_key"
    kept.chmod(0o644)
    text = f"{kept} is open to others (0644)"
    _, told = view(house, capsys, "doctor")

    assert f"{text}: chmod 600 {kept}" in notes(house, capsys)
    assert {"check": "service", "verdict": "warning", "text": text, "remedy": f"chmod 600 {kept}"} in told[
        "findings"
    ]


@pytest.mark.parametrize("typed", ["two words\n", "ключ\n", "a\tb\n", "x" * 5000 + "\n"])
def test_what_is_no_key_is_refused_and_not_repeated(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(ConfigError) as refused:
        key.ask("openai", {})

    assert str(refused.value) == "that is no key for openai: a key is one word of letters and digits"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("a-typed-key\n", "length 11"),
        ("\n", "length 25"),
        ("\x04", "refused: no key was given, and nothing is installed"),
    ],
    ids=["key", "enter", "ctrl-d"],
)
def test_on_a_terminal_the_key_is_asked_for_without_an_echo(typed: str, told: str) -> None:
    program = f"""
from rtctl.service import key
try:
    print("length", len(key.ask("openai", {{"OPENAI_API_KEY": "{KEY}-"}})))
except key.ConfigError as refused:
    print("refused:", refused)
"""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    seen = b""
    with contextlib.suppress(OSError):  # A terminal ends so.
        while chunk := os.read(terminal, 1000):
            seen += chunk
            if seen.endswith(b": "):
                os.write(terminal, typed.encode())
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    text = " ".join(seen.decode().split())

    assert (status, text) == (0, f"Key for openai [Enter: the one in OPENAI_API_KEY]: {told}")


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


# ----------------------------------------------------------------------------- what is told


def notes(house: House, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    house.do("--json", "status")
    return "\n".join(json.loads(capsys.readouterr().out)["notes"])


def test_status_tells_what_an_upgrade_left_behind(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.configure()
    house.do("install")
    right = house.unit.read_text()
    assert "rtctl service install" not in notes(house, capsys)
    for text, told in (
        (right.replace(str(PROGRAM), "/old/bin/rtvoiced"), "/old/bin/rtvoiced is gone"),
        (right.replace(str(PROGRAM), "/bin/true"), f"this rtctl goes with {PROGRAM}"),
        (right.replace("WatchdogSec=30", "WatchdogSec=60"), "its files are of another version"),
    ):
        house.unit.write_text(text)
        assert told in notes(house, capsys)


def test_status_tells_what_the_service_does_not_see_and_who_else_answers(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure()
    monkeypatch.setenv("RTVOICE_TURN_SILENCE_MS", "700")
    house.do("install")
    assert "RTVOICE_TURN_SILENCE_MS is set here, and the service does not see it" in notes(house, capsys)
    process, house.systemd.daemon.process = house.systemd.daemon.process, None
    try:
        assert "the daemon that answers is not the service's" in notes(house, capsys)
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


def test_another_daemons_answer_is_not_taken_for_the_services(house: House) -> None:
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


def view(house: House, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    """Do ``rtctl --json WORDS``; return the exit status and what was printed."""
    capsys.readouterr()
    options = parser().parse_args(["--json", *words])
    look = {"doctor": views.doctor, "config": views.config}[words[0]]
    ended = look(options, lambda *, system: house.service)
    return ended, json.loads(capsys.readouterr().out)


def test_config_is_the_shells_or_the_services(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure()
    house.do("install")
    monkeypatch.setenv("RTVOICE_TURN_SILENCE_MS", "700")
    (_, shell), (_, service) = view(house, capsys, "config"), view(house, capsys, "config", "--service")

    assert shell["settings"]["turn.silence_ms"] == {
        "value": 700,
        "origin": "environment RTVOICE_TURN_SILENCE_MS",
    }
    assert service["settings"]["turn.silence_ms"] == {"value": 500, "origin": "default"}
    assert service["settings"]["session.provider"] == {"value": "custom", "origin": "flag --provider"}
    assert view(house, capsys, "config", "--path")[1] == {"path": str(house.config / "config.toml")}


def test_config_and_doctor_show_no_key(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.configure(auth="bearer")
    with (house.config / "config.toml").open("a") as file:
        file.write(f'headers = {{ X-Key = "{KEY}" }}\n')
    house.do("install", typed=KEY)
    printed = [json.dumps(view(house, capsys, *words)[1]) for words in (("config", "--service"), ("doctor",))]
    cli.main(["config", "--path"])

    assert [KEY in text for text in (*printed, capsys.readouterr().out)] == [False] * 3
    assert "keys/custom_api_key" not in printed[0]


def test_doctor_looks_in_the_services_place_and_at_the_service_first(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure(auth="bearer")
    house.do("install", typed=KEY)
    status, told = view(house, capsys, "doctor")
    found = {each["check"]: each["verdict"] for each in told["findings"]}

    # The key is the service's: this shell has none.
    assert (found["service"], found["key"], found["daemon"]) == ("ok", "ok", "ok")
    assert (status, found["server"]) == (1, "failure")

    house.do("stop")
    text = house.unit.read_text()
    house.unit.write_text(text.replace(str(PROGRAM), "/old/bin/rtvoiced"))
    status, told = view(house, capsys, "doctor")
    failed = [each["text"] for each in told["findings"] if each["verdict"] == "failure"]
    assert failed == [
        "/old/bin/rtvoiced is gone, by an upgrade perhaps",
        "cannot run /old/bin/rtvoiced: No such file or directory",
    ]


def test_doctor_without_a_service_looks_at_this_shell(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.configure()
    _, told = view(house, capsys, "doctor")

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
    assert WORDS["session.provider"] == PROVIDERS
    assert SERVICE_ACTIONS == ("install", "uninstall", "start", "stop", "restart", "status", "print")


# ------------------------------------------------------------------------------------- steps


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
