"""What `rtctl service` runs: a systemctl and a launchctl that only pretend, and the daemon they start."""

from __future__ import annotations

import os
import plistlib
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rtctl.service.files import LABEL, UNIT
from support.answers import WHOLE
from support.running import RTVOICED, Room
from support.small_daemon import small_daemon_beside

Ended = subprocess.CompletedProcess[str]


class Started:
    """The daemon of a service: started as its unit says, in its room."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, words: list[str], environ: dict[str, str]) -> None:
        """Start rtvoiced with the flags that stand behind its path."""
        self.stop()
        self.process = subprocess.Popen(
            [*RTVOICED, *words[1:]],
            env=self.room.environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
        self.process = None

    @property
    def pid(self) -> int:
        running = self.process is not None and self.process.poll() is None
        return self.process.pid if running and self.process else 0

    @property
    def status(self) -> int | None:
        """The exit status, once it has ended by itself."""
        return self.process.poll() if self.process is not None else None


class Answering:
    """The same for tests of which the daemon is not the point: what answers is a thread of this process."""

    def __init__(self, room: Room) -> None:
        self.process: ExitStack | None = None
        self.status: int | None = None
        self._directory = room.path / "rtvoice"

    def start(self, _words: list[str], _environ: dict[str, str]) -> None:
        self.stop()
        self.process = ExitStack()
        answer = WHOLE | {"pid": os.getpid()}
        self.process.enter_context(small_daemon_beside(self._directory, lambda _: answer))

    def stop(self) -> None:
        if self.process is not None:
            self.process.close()
        self.process = None

    @property
    def pid(self) -> int:
        return os.getpid() if self.process is not None else 0


class FakeSystemd:
    """Called with a command, as the runner is; remembers all of them."""

    def __init__(
        self, room: Room, units: Path, environ: dict[str, str], daemon: Started | Answering | None = None
    ) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.daemon = daemon or Started(room)
        self.enabled = False
        self.refuses: set[str] = set()
        """What fails, by its word."""
        self._units = units
        self._environ = environ

    def __call__(self, command: tuple[str, ...]) -> Ended:
        self.commands.append(command)
        words = [word for word in command[1:] if word != "--user"]
        if command[0] != "systemctl":
            return Ended(command, 0, "", "")
        if words[0] in self.refuses:
            return Ended(command, 1, "", f"Failed to {words[0]} unit: Access denied\n")
        match words[0]:
            case "enable":
                self.enabled = True
            case "disable":
                self.enabled = False
                self.daemon.stop()
            case "stop":
                self.daemon.stop()
            case "start" | "restart":
                self._start()
            case "show":
                return Ended(command, 0, self._shown(), "")
        return Ended(command, 0, "", "")

    def _start(self) -> None:
        lines = (self._units / UNIT).read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("ExecStart=")]
        key_conf = self._units / f"{UNIT}.d" / "key.conf"
        environ = dict(self._environ)
        if key_conf.exists():
            (given,) = [line for line in key_conf.read_text().splitlines() if line.startswith("LoadCred")]
            environ["CREDENTIALS_DIRECTORY"] = str(Path(given.partition(":")[2]).parent)
        self.daemon.start(shlex.split(line.removeprefix("ExecStart=")), environ)

    def _shown(self) -> str:
        pid, status = self.daemon.pid, self.daemon.status
        told: dict[str, Any] = {
            "ActiveState": "active" if pid else "failed" if status else "inactive",
            "UnitFileState": "enabled" if self.enabled else "disabled",
            "MainPID": pid,
            "NRestarts": 0,
            "ExecMainCode": 0 if status is None else 1,
            "ExecMainStatus": status or 0,
            "StatusText": "connecting, 0 subscribers" if pid else "",
        }
        return "".join(f"{name}={value}\n" for name, value in told.items())


class FakeLaunchd:
    """The same for launchctl: knows what is bootstrapped, and starts it."""

    def __init__(self, room: Room, environ: dict[str, str]) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.daemon = Started(room)
        self._loaded = False
        self._environ = environ
        self._ending = 0

    def __call__(self, command: tuple[str, ...]) -> Ended:
        self.commands.append(command)
        match command[1:]:
            case ("bootstrap", _, plist):
                # As launchd answers while an agent of that name is still ending, or loaded.
                if self._ending or self._loaded:
                    self._ending -= self._ending > 0
                    return Ended(command, 5, "", "Bootstrap failed: 5: Input/output error\n")
                self._loaded = True
                words = plistlib.loads(Path(plist).read_bytes())["ProgramArguments"]
                self.daemon.start(words, self._environ)
            case ("bootout", _):
                self._ending = 1 if self._loaded else 0
                self._loaded = False
                self.daemon.stop()
            case ("print", _):
                if not self._loaded:
                    return Ended(command, 113, "", f'Could not find service "{LABEL}"\n')
                pid = self.daemon.pid
                return Ended(command, 0, f"{LABEL} = {{\n\tpid = {pid}\n}}\n" if pid else "{\n}\n", "")
        return Ended(command, 0, "", "")


PROGRAM = Path(sys.executable).with_name("rtvoiced")
"""What a service of these tests is to start: the one beside this Python."""
