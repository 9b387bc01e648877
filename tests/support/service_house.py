"""A home with a systemd that only pretends, and `rtctl service` there."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from rtctl.cli.verbs import parser
from rtctl.service import actions, program, views
from rtctl.service.files import UNIT
from rtctl.service.systemd import Systemd
from rtvoiced.__main__ import main as rtvoiced
from support.fake_supervisors import PROGRAM, Answering, FakeSystemd, Started
from support.in_process import called
from support.running import KEPT, Room, room

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

    def __init__(self, room: Room, monkeypatch: pytest.MonkeyPatch, *, real: bool = True) -> None:
        self.room = room
        self.config = room.path / "rtvoice"
        self.units = room.path / "systemd" / "user"
        self.unit = self.units / UNIT
        self.drop_ins = self.units / f"{UNIT}.d"
        self.environ = room.environment()
        self.systemd = FakeSystemd(room, self.units, {}, Started(room) if real else Answering(room))
        self.service = Systemd(self.systemd, self.environ, room.path / "rtvoice-run", system=False)
        self.service.directory = room.path / "rtvoice"
        self._monkeypatch = monkeypatch
        if not real:
            ask_here(monkeypatch)
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

    def notes(self, capsys: pytest.CaptureFixture[str]) -> str:
        """Return what ``rtctl service status`` notes."""
        capsys.readouterr()
        self.do("--json", "status")
        return "\n".join(json.loads(capsys.readouterr().out)["notes"])

    def view(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
        """Do ``rtctl --json WORDS``; return the exit status and what was printed."""
        capsys.readouterr()
        options = parser().parse_args(["--json", *words])
        look = {"doctor": views.doctor, "config": views.config}[words[0]]
        ended = look(options, lambda *, system: self.service)
        return ended, json.loads(capsys.readouterr().out)


def ask_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rtvoiced be asked in this process what it would use and what it finds."""

    def run(command: list[str], *, env: dict[str, str], **options: Any) -> subprocess.CompletedProcess[str]:
        if command[0] == str(PROGRAM):
            return called(rtvoiced, command[1:], env)
        return subprocess.run(command, env=env, **options)  # noqa: PLW1510

    monkeypatch.setattr(program, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run}))


@contextmanager
def service_house(monkeypatch: pytest.MonkeyPatch, *, real: bool = True) -> Iterator[House]:
    """Yield a house; no daemon is left in it.

    *real*: rtctl starts a real rtvoiced, as the service and to ask it; else that is done in this process.
    """
    with room() as here:
        made = House(here, monkeypatch, real=real)
        try:
            yield made
        finally:
            made.systemd.daemon.stop()
