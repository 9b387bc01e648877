"""What a service manager does for us, whichever it is; `systemd` and `launchd` implement `Supervisor`.

What changes the machine is returned as steps; what only asks is done at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rtctl.service.files import MARK, Installed
from rtctl.service.steps import Runner, Step
from rtvoiced.errors import PermissionRefusedError

SIGNALLED = 128
"""Added to the number of the signal that ended a run, as shells do."""
WORDS_OF_EXIT = {
    1: "it can't be started as it is installed; rtctl logs has the traceback",
    2: "it does not know its own flags; rtctl service install writes them anew",
    70: "a bug; rtctl logs has the traceback",
    75: "another rtvoiced has the runtime directory; rtctl stop ends it",
    77: "a file or directory is another's, or open to others; rtctl logs names it",
    78: "its configuration can't be used; rtctl logs and rtctl doctor name the key",
    243: "the key's file is gone; rtctl service install asks for it",
}
"""What a person does after an exit status of rtvoiced, or systemd's for a credential."""


def words_of_exit(status: int) -> str:
    """Return what a run that ended with *status* means, and what to do."""
    if status not in WORDS_OF_EXIT and status > SIGNALLED:
        return f"killed by signal {status - SIGNALLED}; rtctl logs tells by whom"
    return WORDS_OF_EXIT.get(status, "rtctl logs tells why")


@dataclass(frozen=True, slots=True)
class WantedService:
    """What `rtctl service install` is to install."""

    program: Path
    provider: str
    key: str | None
    """A new one; None: none, or the one that is kept."""
    hardened: bool = False

    def __repr__(self) -> str:
        # Without the key, which must not get into a traceback.
        return f"WantedService({self.program}, {self.provider})"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How the service does, as its manager says."""

    enabled: bool
    """It starts at login, or at boot."""
    active: str
    """``active``, ``activating``, ``inactive``, ``failed``."""
    pid: int | None = None
    exit_status: int | None = None
    """Of the last run, where that has ended; 128 more than the signal that killed it."""
    restarts: int | None = None
    status: str = ""
    """What it last told of itself."""

    @property
    def given_up(self) -> bool:
        """Whether it does not run and will not be started again by itself."""
        return self.active in ("inactive", "failed")


class Supervisor(Protocol):
    """systemd or launchd, for one user or the machine."""

    name: str
    file: Path
    """The unit or plist that it is installed by."""
    keys: Path
    """Directory of the files of keys."""
    config: Path
    """Directory of the configuration."""
    directory: Path
    """The service's runtime directory."""
    run: Runner

    def environ(self) -> dict[str, str]:
        """Return the environment that the service gets."""
        ...

    def installed(self) -> Installed | None:
        """Return what is installed."""
        ...

    def is_hardened(self) -> bool:
        """Return whether it was installed hardened."""
        ...

    def has_key(self, name: str) -> bool:
        """Return whether the service gets the key in the file *name*."""
        ...

    def key_words(self, name: str) -> tuple[str, ...]:
        """Return the flags by which the service finds the key in the file *name*, where it needs some."""
        ...

    def writes(self, wanted: WantedService) -> list[Step]:
        """Return what writes all files."""
        ...

    def install(self, wanted: WantedService) -> list[Step]:
        """Return what writes all files and starts the service."""
        ...

    def uninstall(self, *, others: bool) -> list[Step]:
        """Return what undoes `install`; *others*: the runtime directory is in use by another daemon."""
        ...

    def start(self) -> list[Step]:
        """Return what starts it."""
        ...

    def stop(self) -> list[Step]:
        """Return what stops it, until the next login or boot."""
        ...

    def restart(self) -> list[Step]:
        """Return what stops and starts it."""
        ...

    def state(self) -> ServiceState:
        """Ask how it does."""
        ...

    def log_command(self, *, follow: bool, lines: int, as_json: bool) -> Sequence[str]:
        """Return the command that prints its log."""
        ...

    def last_words(self) -> str:
        """Return the last line that it wrote itself; empty where that can't be read."""
        ...

    def notes(self) -> list[str]:
        """Return what its owner should know: when it does not run."""
        ...


def own_text(path: Path) -> str | None:
    """Return the text of a file that `rtctl service install` wrote; None: there is none.

    Raises `PermissionRefusedError` where somebody else's stands there.
    """
    try:
        text = None if path.is_symlink() else path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        text = None
    if text is None or MARK not in text:
        raise PermissionRefusedError(f"{path} was not written by {MARK}; move it away first")
    return text
