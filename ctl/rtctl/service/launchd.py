"""The service under launchd: a LaunchAgent of the user, and no daemon of the machine.

Microphone and speaker belong to the login session, which a LaunchDaemon of
macOS does not see.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rtctl.service import files, key
from rtctl.service.files import LABEL, Installed
from rtctl.service.steps import MakeDirectory, Remove, Run, Runner, Step, Write, runner
from rtctl.service.supervisor import ServiceState, WantedService, own_text
from rtvoiced.errors import ConfigError, PermissionRefusedError
from rtvoiced.host.paths import config_file, runtime_dir

PATH = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
"""As in the plist: launchd's own has no Homebrew."""

BOOTOUT_S = 12.0
"""ExitTimeOut of the plist, and a little."""


class Launchd:
    """The agent io.rtvoice.rtvoiced, and where all that belongs to it is."""

    name = "launchd"

    def __init__(self, run: Runner, home: Path) -> None:
        """Take what runs launchctl, and the user's home."""
        self.run = run
        self._environ = {"HOME": str(home), "PATH": PATH}
        self.config = config_file(self._environ).parent
        self.keys = self.config / "keys"
        self.file = home / "Library/LaunchAgents" / f"{LABEL}.plist"
        self.logs = home / "Library/Logs/rtvoice"
        self.directory = runtime_dir(None, self._environ)
        self._domain = f"gui/{os.getuid()}"
        self._service = f"{self._domain}/{LABEL}"

    # What it says

    def environ(self) -> dict[str, str]:
        """Return the environment that the service gets."""
        return dict(self._environ)

    def installed(self) -> Installed | None:
        """Return what is installed."""
        text = own_text(self.file)
        return files.started_by_plist(text) if text else None

    def is_hardened(self) -> bool:
        """Return False: launchd has nothing of the kind."""
        return False

    def has_key(self, name: str) -> bool:
        """Return whether the service gets the key in the file *name*."""
        return (self.keys / name).exists() and str(self.keys / name) in (own_text(self.file) or "")

    def key_words(self, name: str) -> tuple[str, ...]:
        """Return the flags by which the service finds its key; the key itself stands in no plist."""
        return ("--set", f"session.key_file={self.keys / name}")

    def state(self) -> ServiceState:
        """Ask how it does."""
        ended = self.run(("launchctl", "print", self._service))
        loaded = ended.returncode == 0

        def told(name: str) -> str:
            found = re.search(rf"^\s*{name} = (.+)$", ended.stdout, re.MULTILINE)
            return found[1] if found else ""

        pid, status = told("pid"), told("last exit code")
        running = loaded and pid.isdecimal()
        return ServiceState(
            enabled=self.file.exists(),
            active="active"
            if running
            else "activating"
            if loaded and status not in ("", "0")
            else "inactive",
            pid=int(pid) if running else None,
            exit_status=int(status) if status.isdecimal() else None,
        )

    def log_command(self, *, follow: bool, lines: int, as_json: bool) -> Sequence[str]:  # noqa: ARG002
        """Return the command that prints its log, which is JSON in any case."""
        return ("tail", *(("-F",) if follow else ()), "-n", str(lines), str(self.logs / "rtvoiced.log"))

    def last_words(self) -> str:
        """Return the last line that it wrote; empty where there is none."""
        return self.run(("tail", "-n", "1", str(self.logs / "rtvoiced.log"))).stdout.strip()

    def notes(self) -> list[str]:
        """Return when it runs, and what macOS asks for."""
        return [
            "it runs while you are logged in",
            "where the microphone stays silent: System Settings, Privacy & Security, Microphone",
        ]

    # What is to be done

    def install(self, wanted: WantedService) -> list[Step]:
        """Return what writes all files and starts the service."""
        own_text(self.file)
        return [*self.writes(wanted), *self.restart()]

    def writes(self, wanted: WantedService) -> list[Step]:
        """Return what writes all files."""
        if wanted.hardened:
            raise ConfigError("--hardened is for systemd; launchd has nothing of the kind")
        name = key.file_name(wanted.provider)
        steps: list[Step] = [MakeDirectory(self.logs, 0o700)]
        if wanted.key is not None:
            steps += [MakeDirectory(self.config), MakeDirectory(self.keys, 0o700)]
            steps.append(Write(self.keys / name, f"{wanted.key}\n", 0o600))
        has_key = wanted.key is not None or (self.keys / name).exists()
        command = [str(wanted.program), "--supervisor", "launchd", "--provider", wanted.provider]
        command += self.key_words(name) if has_key else ()
        return [*steps, MakeDirectory(self.file.parent), Write(self.file, files.plist(command, self.logs))]

    def uninstall(self, *, others: bool) -> list[Step]:  # noqa: ARG002
        """Return what undoes `install`; the log stays."""
        if own_text(self.file) is None and not key.kept(self.keys):
            return []
        steps: list[Step] = [Run(("launchctl", "bootout", self._service), may_fail=True)]
        return [
            *steps,
            *(Remove(path) for path in (self.file, *key.kept(self.keys), self.keys, self.config)),
        ]

    def start(self) -> list[Step]:
        """Return what starts it; a loaded one is kicked."""
        if self.run(("launchctl", "print", self._service)).returncode == 0:
            return [Run(("launchctl", "kickstart", self._service))]
        return self._load()

    def stop(self) -> list[Step]:
        """Return what stops it, until the next login: a signal alone would have it started again."""
        return [Run(("launchctl", "bootout", self._service), may_fail=True)]

    def restart(self) -> list[Step]:
        """Return what stops and starts it, with the plist as it is now."""
        return [*self.stop(), *self._load()]

    def _load(self) -> list[Step]:
        enable = Run(("launchctl", "enable", self._service), may_fail=True)
        # bootout returns before it is over: until then 5, "Input/output error".
        bootstrap = Run(("launchctl", "bootstrap", self._domain, str(self.file)), patience_s=BOOTOUT_S)
        return [enable, bootstrap]


def connect(environ: Mapping[str, str], *, system: bool) -> Launchd:
    """Return launchd for the user who runs this; *environ* is rtctl's own environment."""
    if system:
        raise ConfigError("on macOS there is no machine's service: the microphone belongs to a login session")
    if os.getuid() == 0:
        raise PermissionRefusedError("root has no login session: run this as the user who is to be talked to")
    return Launchd(runner(environ), Path(pwd.getpwuid(os.getuid()).pw_dir))
