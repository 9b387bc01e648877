"""The service under systemd: the user's, or with ``--system`` the machine's.

The user's starts at login, or at boot where lingering is on; the machine's
runs as a user of its own. Keys come as credentials (``LoadCredential=``).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path

from rtctl.service import files, key
from rtctl.service.files import UNIT, Installed
from rtctl.service.steps import MakeDirectory, Remove, Run, Runner, Step, Write, last_line, runner
from rtctl.service.supervisor import SIGNALLED, ServiceState, WantedService, own_text
from rtvoiced.errors import PermissionRefusedError, ServiceError
from rtvoiced.host.paths import SERVICE_USER, SYSTEM_RUNTIME_DIR, runtime_dir

LINGER = Path("/var/lib/systemd/linger")
SYSTEM_CONFIG, SYSTEM_STATE = Path("/etc/rtvoice"), Path("/var/lib/rtvoice")
SYSUSERS = Path("/etc/sysusers.d/rtvoice.conf")
PROPERTIES = "LoadState,ActiveState,UnitFileState,MainPID,NRestarts,ExecMainCode,ExecMainStatus,StatusText"


class Systemd:
    """The unit rtvoiced.service, and where all that belongs to it is."""

    name = "systemd"

    def __init__(self, run: Runner, environ: Mapping[str, str], directory: Path, *, system: bool) -> None:
        """Take what runs systemctl, the environment of the manager, and the service's runtime directory."""
        self.run = run
        self.directory = directory
        self._environ = environ
        self._system = system
        self._scope = () if system else ("--user",)
        home = SYSTEM_STATE if system else Path(environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir)
        config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        self.config = SYSTEM_CONFIG if system else config_home / "rtvoice"
        self.keys = self.config / "keys"
        units = Path("/etc/systemd/system") if system else config_home / "systemd" / "user"
        self.file = units / UNIT
        self._drop_ins = units / f"{UNIT}.d"
        self._state = home if system else home / ".local/state/rtvoice"

    # What it says

    def environ(self) -> dict[str, str]:
        """Return the environment that the service gets."""
        given = dict(self._environ)
        if self._system:
            given |= {
                "HOME": str(SYSTEM_STATE),
                "STATE_DIRECTORY": str(SYSTEM_STATE),
                "XDG_CONFIG_HOME": str(SYSTEM_CONFIG.parent),
            }
        if self._key_conf_text() is not None:
            given["CREDENTIALS_DIRECTORY"] = str(self.keys)
        return given

    def installed(self) -> Installed | None:
        """Return what is installed."""
        text = own_text(self.file)
        return files.started_by_unit(text) if text else None

    def is_hardened(self) -> bool:
        """Return whether it was installed hardened."""
        return own_text(self._drop_ins / "hardened.conf") is not None

    def has_key(self, name: str) -> bool:
        """Return whether the service gets the key in the file *name*."""
        return f"LoadCredential={name}:" in (self._key_conf_text() or "") and (self.keys / name).exists()

    def key_words(self, name: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: the key comes as a credential."""
        return ()

    def state(self) -> ServiceState:
        """Ask how it does."""
        ended = self.run(("systemctl", *self._scope, "show", UNIT, f"--property={PROPERTIES}"))
        if ended.returncode:
            raise ServiceError(f"systemd does not answer: {last_line(ended)}")
        told = dict(line.partition("=")[::2] for line in ended.stdout.splitlines())
        # 0: no run has ended; 1: one exited; 2, 3: it was killed (CLD_… of sigaction(2)).
        how, exit_status = int(told.get("ExecMainCode") or 0), int(told.get("ExecMainStatus") or 0)
        exit_status += SIGNALLED if how > 1 else 0
        return ServiceState(
            enabled=told.get("UnitFileState") == "enabled",
            active=told.get("ActiveState", "inactive"),
            pid=int(told.get("MainPID") or 0) or None,
            exit_status=exit_status if how else None,
            restarts=int(told.get("NRestarts") or 0),
            status=told.get("StatusText", ""),
        )

    def log_command(self, *, follow: bool, lines: int, as_json: bool) -> Sequence[str]:
        """Return the command that prints its log, and what systemd says of it."""
        unit = ("--unit", UNIT) if self._system else ("--user-unit", UNIT)
        output = "--output=json" if as_json else "--output=short-iso"
        return (
            "journalctl",
            "--no-pager",
            output,
            *unit,
            f"--lines={lines}",
            *(("--follow",) if follow else ()),
        )

    def last_words(self) -> str:
        """Return the last line that it wrote itself; empty where that can't be read."""
        unit = f"_SYSTEMD_UNIT={UNIT}" if self._system else f"_SYSTEMD_USER_UNIT={UNIT}"
        return self.run(("journalctl", "--quiet", "--output=cat", "--lines=1", unit)).stdout.strip()

    def notes(self) -> list[str]:
        """Return when it does not run, and how to give somebody access."""
        if self._system:
            join = f"sudo usermod -aG {SERVICE_USER} NAME"
            return [f"rtctl --system is for root and the group {SERVICE_USER}, which one joins by: {join}"]
        if (LINGER / _user()).exists():
            return ["it runs from boot on, without a login (lingering is on)"]
        return [f"it runs while you are logged in; from boot on: {_linger()}"]

    # What is to be done

    def install(self, wanted: WantedService) -> list[Step]:
        """Return what writes all files and starts the service."""
        for path in self._files():
            own_text(path)
        return [*self.writes(wanted), *self._activate()]

    def writes(self, wanted: WantedService) -> list[Step]:
        """Return what writes the files."""
        flags = ("--system",) if self._system else ()
        command = [str(wanted.program), *flags, "--provider", wanted.provider]
        shipped = "rtvoiced-system.service" if self._system else UNIT
        steps: list[Step] = [MakeDirectory(self.file.parent)]
        keys = {path.name: path for path in key.kept(self.keys)}
        if wanted.key is not None:
            path = self.keys / key.file_name(wanted.provider)
            keys[path.name] = path
            steps += [MakeDirectory(self.config), MakeDirectory(self.keys, 0o700)]
            steps.append(Write(path, f"{wanted.key}\n", 0o600))
        steps.append(Write(self.file, files.unit(shipped, command)))
        if keys or wanted.hardened:
            steps.append(MakeDirectory(self._drop_ins))
        if wanted.hardened:
            steps.append(Write(self._drop_ins / "hardened.conf", files.shipped("hardened.conf")))
            # What does not exist can't be made writable for it.
            steps.append(MakeDirectory(self._state, 0o700))
        if keys:
            steps.append(Write(self._drop_ins / "key.conf", files.key_conf(keys.values())))
        else:
            steps.append(Remove(self._drop_ins / "key.conf"))
        if self._system:
            steps.append(Write(SYSUSERS, files.shipped("rtvoice.sysusers")))
        return steps

    def uninstall(self, *, others: bool) -> list[Step]:
        """Return what undoes `install`; *others*: the runtime directory is in use by another daemon."""
        found = [path for path in self._files() if own_text(path) is not None]
        if not found and not key.kept(self.keys):
            return []
        steps: list[Step] = [self._systemctl("disable", "--now", UNIT, may_fail=True)]
        if not others:
            steps.append(self._systemctl("clean", "--what=runtime", UNIT, may_fail=True))
        steps += [Remove(path) for path in (*found, self._drop_ins, *key.kept(self.keys), self.keys)]
        steps.append(Remove(self.config))
        return [
            *steps,
            self._systemctl("daemon-reload"),
            self._systemctl("reset-failed", UNIT, may_fail=True),
        ]

    def start(self) -> list[Step]:
        """Return what starts it, also after too many failures."""
        reset = self._systemctl("reset-failed", UNIT, may_fail=True)
        return [reset, self._systemctl("start", UNIT, may_fail=True)]

    def stop(self) -> list[Step]:
        """Return what stops it, until the next login or boot."""
        return [self._systemctl("stop", UNIT)]

    def restart(self) -> list[Step]:
        """Return what stops and starts it."""
        reset = self._systemctl("reset-failed", UNIT, may_fail=True)
        return [reset, self._systemctl("restart", UNIT, may_fail=True)]

    # Within

    def _activate(self) -> list[Step]:
        users: list[Step] = [Run(("systemd-sysusers", str(SYSUSERS)))] if self._system else []
        return [*users, self._systemctl("daemon-reload"), self._systemctl("enable", UNIT), *self.restart()]

    def _systemctl(self, *words: str, may_fail: bool = False) -> Run:
        return Run(("systemctl", *self._scope, *words), may_fail)

    def _files(self) -> list[Path]:
        drop_ins = [self._drop_ins / "key.conf", self._drop_ins / "hardened.conf"]
        return [self.file, *drop_ins, *([SYSUSERS] if self._system else [])]

    def _key_conf_text(self) -> str | None:
        return own_text(self._drop_ins / "key.conf")


def connect(environ: Mapping[str, str], *, system: bool) -> Systemd:
    """Return systemd as it runs here; *environ* is rtctl's own environment.

    Raises `PermissionRefusedError` for root without *system*, `ServiceError` where systemd does not answer.
    """
    if system:
        run = runner(environ)
        return Systemd(run, _manager_environ(run, ()), SYSTEM_RUNTIME_DIR, system=True)
    if os.getuid() == 0:
        raise PermissionRefusedError(
            "root has no sound server: run this as the user who is to be talked to, or, on a machine"
            " without a desktop, with --system"
        )
    session = _session_dir(environ)
    # Not there after su, and another's after sudo.
    fresh = {"XDG_RUNTIME_DIR": str(session), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={session}/bus"}
    run = runner(environ if environ.get("XDG_RUNTIME_DIR") == str(session) else {**environ, **fresh})
    return Systemd(run, _manager_environ(run, ("--user",)), session / "rtvoice", system=False)


def unconnected(environ: Mapping[str, str], *, system: bool) -> Systemd:
    """Return a systemd that need not run, for `Systemd.writes` alone."""
    return Systemd(runner(environ), environ, runtime_dir(None, environ, system=system), system=system)


def _manager_environ(run: Runner, scope: tuple[str, ...]) -> dict[str, str]:
    """Return the environment of the manager, which each service gets."""
    ended = run(("systemctl", *scope, "show-environment"))
    if ended.returncode:
        remedy = f"; log in anew, or run your services without a login: {_linger()}" if scope else ""
        raise ServiceError(f"systemd does not answer: {last_line(ended)}{remedy}")
    pairs = (line.partition("=") for line in ended.stdout.splitlines())
    return {name: _unquoted(value) for name, _, value in pairs}


def _linger() -> str:
    return f"sudo loginctl enable-linger {_user()}"


def _user() -> str:
    """Return the user's name; in a container the user may have none but the number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _session_dir(environ: Mapping[str, str]) -> Path:
    """Return the user's runtime directory: the one of the environment, if it is ours, else by its rule."""
    own = Path(f"/run/user/{os.getuid()}")
    for path in (Path(environ.get("XDG_RUNTIME_DIR") or own), own):
        try:
            if path.stat().st_uid == os.getuid():
                return path
        except OSError:
            continue
    raise ServiceError(
        f"no session of yours runs ({own} is not there): log in, or run your services without a login: "
        f"{_linger()}"
    )


def _unquoted(value: str) -> str:
    """Return a value of ``systemctl show-environment``, which quotes odd ones as bash does."""
    if value.startswith("$'") and value.endswith("'"):
        return value[2:-1].encode("latin-1", "backslashreplace").decode("unicode_escape")
    return value
