"""The units and the plist that are shipped: systemd and launchd know every key; as safe as is told."""

from __future__ import annotations

import os
import plistlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rtctl.service import files
from rtctl.service.files import LABEL, MARK, UNIT
from rtvoiced.errors import ConfigError

DOCS = Path(__file__).parents[3] / "docs"
PROGRAM = "/bin/true"
"""An ExecStart that is there."""
FORBIDDEN_TO_USERS = (
    *("CapabilityBoundingSet", "ProtectKernelModules", "ProtectKernelLogs", "PrivateDevices"),
    *("ProtectHome", "SupplementaryGroups", "StateDirectory", "DynamicUser"),
)
"""What fails in a user's unit, hides its sound server, or does nothing there."""
TYPES: dict[str, type] = {
    "Label": str,
    "ProgramArguments": list,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "ProcessType": str,
    "LimitLoadToSessionType": str,
    "EnvironmentVariables": dict,
    "StandardOutPath": str,
    "StandardErrorPath": str,
    "Umask": int,
}
"""Of launchd.plist(5): what it does not know it leaves out without a word."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir(mode=0o700)
    for kind in ("user", "system"):
        (tmp_path / kind / f"{UNIT}.d").mkdir(parents=True)
    (tmp_path / "user" / UNIT).write_text(files.unit(UNIT, [PROGRAM, "--provider", "local"]))
    (tmp_path / "system" / UNIT).write_text(files.unit("rtvoiced-system.service", [PROGRAM, "--system"]))
    return tmp_path


def analyze(units: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(units / "run"), "HOME": str(units), "NO_COLOR": "1"}
    return subprocess.run(
        ["systemd-analyze", *words], env=environ, capture_output=True, text=True, check=False
    )


def verified(units: Path, kind: str) -> str:
    """Return what systemd has to say of a unit: it says it on stderr, and ends with 0 all the same."""
    scope = ("--user",) if kind == "user" else ()
    ended = analyze(units, *scope, "verify", str(units / kind / UNIT))
    return ended.stderr + (f"exit status {ended.returncode}" if ended.returncode else "")


def exposure(units: Path, kind: str) -> str:
    scope = ("--user",) if kind == "user" else ()
    ended = analyze(units, *scope, "security", "--offline=true", "--no-pager", str(units / kind / UNIT))
    (found,) = re.findall(r"exposure level for rtvoiced\.service: ([\d.]+ \w+)", ended.stdout)
    return str(found)


@pytest.mark.parametrize("kind", ["user", "system"])
def test_systemd_has_nothing_to_say_of_the_units(kind: str, units: Path) -> None:
    assert verified(units, kind) == ""


def test_systemd_has_nothing_to_say_of_the_drop_ins(units: Path) -> None:
    drop_ins = units / "user" / f"{UNIT}.d"
    (drop_ins / "hardened.conf").write_text(files.shipped("hardened.conf"))
    (drop_ins / "key.conf").write_text(files.key_conf([units / "a key %h" / "openai_api_key"]))
    assert verified(units, "user") == ""

    # That it reads them at all:
    (drop_ins / "key.conf").write_text("[Service]\nProtectSystm=strict\n")
    assert "Unknown key 'ProtectSystm'" in verified(units, "user")


@pytest.mark.parametrize("name", ["a b", "50%", "$HOME", "ü", "a;b", "-x", "@"])
def test_a_program_may_lie_anywhere(name: str, units: Path) -> None:
    program = units / name / "rtvoiced"
    program.parent.mkdir()
    program.symlink_to(PROGRAM)
    text = files.unit(UNIT, [str(program), "--provider", "local"])
    (units / "user" / UNIT).write_text(text)

    assert verified(units, "user") == ""
    assert files.started_by_unit(text) == files.Installed(str(program), ("--provider", "local"))


@pytest.mark.parametrize("name", ['"', "'", "\\", "\n"])
def test_a_program_that_systemd_starts_from_nowhere_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"systemd starts no|can't stand in a unit"):
        files.unit(UNIT, [f"/opt/{name}/rtvoiced", "--provider", "local"])


def test_a_users_unit_has_nothing_that_fails_or_does_nothing_there() -> None:
    names = re.findall(r"^(\w+)=", files.shipped(UNIT), re.MULTILINE)

    assert set(names) & set(FORBIDDEN_TO_USERS) == set()


@pytest.mark.parametrize("name", [UNIT, "rtvoiced-system.service"])
def test_what_only_a_person_can_mend_is_not_tried_again(name: str) -> None:
    text = files.shipped(name)

    assert "\nRestart=on-failure\nRestartSec=1\n" in text
    assert "\nRestartPreventExitStatus=2 75 77 78 243\n" in text
    # systemd ignores them in [Service].
    assert text.index("StartLimitBurst=5") < text.index("[Service]")


def test_docs_tell_the_exposure_of_each_unit(units: Path) -> None:
    version = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("systemd 252 "):
        pytest.skip("docs/service.md tells the scores of systemd 252")
    user, system = exposure(units, "user"), exposure(units, "system")
    (units / "user" / f"{UNIT}.d" / "hardened.conf").write_text(files.shipped("hardened.conf"))
    hardened = exposure(units, "user")
    row = re.compile(r"^\| (?:the |with ).* \| ([\d.]+ [A-Z]+) \|$", re.MULTILINE)
    told = row.findall((DOCS / "service.md").read_text())

    assert told == [user, hardened, system]


def test_every_shipped_file_says_who_writes_it() -> None:
    for name in (UNIT, "rtvoiced-system.service", "hardened.conf", "rtvoice.sysusers"):
        assert MARK in files.shipped(name)
    assert MARK in files.plist(["/bin/rtvoiced"], Path("/logs"))


# ------------------------------------------------------------------------------------ launchd


def agent() -> dict[str, Any]:
    command = ["/opt/homebrew/bin/rtvoiced", "--supervisor", "launchd", "--provider", "openai"]
    return dict(plistlib.loads(files.plist(command, Path("/Users/a/Library/Logs/rtvoice")).encode()))


@pytest.mark.parametrize("made", [lambda: plistlib.loads(files.shipped(f"{LABEL}.plist").encode()), agent])
def test_the_plist_has_only_keys_that_launchd_knows_each_of_its_type(made: Any) -> None:
    found = made()

    assert {key: type(value) for key, value in found.items()} == TYPES
    assert all(isinstance(word, str) for word in found["ProgramArguments"])
    assert found["KeepAlive"] == {"SuccessfulExit": False}
    assert (found["Label"], found["ThrottleInterval"], found["Umask"]) == (LABEL, 30, 0o077)
    assert found["ProcessType"] in ("Standard", "Adaptive", "Background", "Interactive")
    assert Path(found["ProgramArguments"][0]).is_absolute()
    assert found["ProgramArguments"][1:3] == ["--supervisor", "launchd"]


def test_the_plist_is_filled_in_and_read_back() -> None:
    text = files.plist(["/b/rtvoiced", "--supervisor", "launchd", "--provider", "azure"], Path("/logs"))

    found = files.started_by_plist(text)
    assert found == files.Installed("/b/rtvoiced", ("--supervisor", "launchd", "--provider", "azure"))
    assert found.provider == "azure"
    assert plistlib.loads(text.encode())["StandardErrorPath"] == "/logs/rtvoiced.log"
    assert files.started_by_plist("no plist") is None
