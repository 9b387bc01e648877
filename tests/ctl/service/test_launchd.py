"""`rtctl service` under a launchd that only pretends: its commands, the plist, and the key outside of it."""

from __future__ import annotations

import io
import json
import os
import plistlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtctl.cli.verbs import parser
from rtctl.service import actions
from rtctl.service.files import LABEL
from rtctl.service.launchd import Launchd, connect
from rtvoiced.errors import ConfigError, PermissionRefusedError
from support.fake_supervisors import PROGRAM, FakeLaunchd
from support.running import KEPT, Room, room
from support.service_house import ask_here

pytestmark = pytest.mark.process

KEY = "sk-test-0123456789abcdef"
CONFIG = """
[audio]
card = "none"
[session]
url = "ws://127.0.0.1:9/v1/realtime"
auth = "bearer"
"""
DOMAIN = f"gui/{os.getuid()}"
SERVICE = f"{DOMAIN}/{LABEL}"


class Mac:
    """A user's home with a launchd in it, and rtctl service there."""

    def __init__(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in list(os.environ):
            if name not in KEPT:
                monkeypatch.delenv(name)
        environ = {"HOME": str(room.path), "XDG_CONFIG_HOME": str(room.path)}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        self.launchd = FakeLaunchd(room, environ)
        self.service = Launchd(self.launchd, room.path)
        # Where a room's daemons live; and the room's one configuration.
        self.service.directory = room.path / "rtvoice"
        self.service.config = room.path / "rtvoice"
        self.service.keys = self.service.config / "keys"
        self.service._environ["XDG_CONFIG_HOME"] = str(room.path)
        self.service.config.mkdir(mode=0o700)
        (self.service.config / "config.toml").write_text(CONFIG)
        self.plist = room.path / "Library/LaunchAgents" / f"{LABEL}.plist"
        self._monkeypatch = monkeypatch
        ask_here(monkeypatch)

    def do(self, *words: str, typed: str = "") -> int:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return actions.act(self.service, parser().parse_args(["service", *words]))

    def ran(self) -> list[str]:
        told = [
            " ".join(command[1:])
            for command in self.launchd.commands
            if command[:2] != ("launchctl", "print")
        ]
        self.launchd.commands.clear()
        return told


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    with room() as here:
        made = Mac(here, monkeypatch)
        try:
            yield made
        finally:
            made.launchd.daemon.stop()


def test_an_agent_is_installed_started_stopped_and_taken_away(
    mac: Mac, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mac.do("install", typed=KEY) == 0
    kept = mac.service.keys / "custom_api_key"
    words = plistlib.loads(mac.plist.read_bytes())["ProgramArguments"]
    assert words == [
        *(str(PROGRAM), "--supervisor", "launchd", "--provider", "custom"),
        *("--set", f"session.key_file={kept}"),
    ]
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (f"{KEY}\n", 0o600)
    assert KEY not in mac.plist.read_text() + capsys.readouterr().out
    start = [f"enable {SERVICE}", f"bootstrap {DOMAIN} {mac.plist}"]
    assert mac.ran() == [f"bootout {SERVICE}", *start]

    assert mac.do("--json", "status") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["supervisor"], found["active"], found["pid"]) == (
        "launchd",
        "active",
        mac.launchd.daemon.pid,
    )

    # Installed again while it runs: bootstrap is refused until the old one has gone.
    assert mac.do("install") == 0
    assert mac.ran() == [f"bootout {SERVICE}", *start, start[1]]

    assert (mac.do("stop"), mac.do("status")) == (0, 69)
    assert mac.do("start") == 0
    assert mac.do("uninstall") == 0
    assert (mac.plist.exists(), mac.service.keys.exists()) == (False, False)
    assert (mac.service.config / "config.toml").exists()


def test_on_a_mac_there_is_no_machines_service_and_nothing_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="login session"):
        connect({}, system=True)
    monkeypatch.setattr("os.getuid", lambda: 0)
    with pytest.raises(PermissionRefusedError, match="root has no login session"):
        connect({}, system=False)


def test_hardened_is_for_systemd(mac: Mac) -> None:
    with pytest.raises(ConfigError, match="--hardened is for systemd"):
        mac.do("install", "--hardened", typed=KEY)
    assert not Path(mac.plist).exists()
