"""What is done to a machine, as data: a step can be shown before it is done.

Files are written whole or not at all, in place of the old ones. `perform` does
one step and raises errors that name it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtvoiced.errors import PermissionRefusedError, ServiceError

RUN_S = 60.0
"""How long a service manager may take for one command: starting waits for READY, at most 30 s."""
AGAIN_S = 0.5
"""Between two tries of a command that needs patience."""


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Make a directory, and those above it, where it is missing."""

    path: Path
    mode: int = 0o755

    def __str__(self) -> str:
        return f"make {self.path}/ ({self.mode:04o})"


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file whole, in place of the one that may be there."""

    path: Path
    text: str = field(repr=False)
    """May be a key."""
    mode: int = 0o644

    def __str__(self) -> str:
        return f"write {self.path}" + (f" ({self.mode:04o})" if self.mode != 0o644 else "")


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file, or a directory that is empty; what is not there is no error."""

    path: Path

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command of the service manager."""

    command: tuple[str, ...]
    may_fail: bool = False
    patience_s: float = 0.0
    """It is tried again for so long."""

    def __str__(self) -> str:
        return f"run {' '.join(self.command)}"


Step = MakeDirectory | Write | Remove | Run
Runner = Callable[[tuple[str, ...]], "subprocess.CompletedProcess[str]"]


def runner(environ: Mapping[str, str]) -> Runner:
    """Return what runs a command with this environment; it raises `ServiceError` where there is none such."""

    def run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=RUN_S,
                check=False,
            )
        except FileNotFoundError:
            raise ServiceError(f"{command[0]} is not there: no service manager that rtctl knows") from None
        except subprocess.TimeoutExpired:
            raise ServiceError(f"{' '.join(command)} takes longer than {RUN_S:.0f} s") from None

    return run


def perform(step: Step, run: Runner) -> None:
    """Do one step; raises `PermissionRefusedError` or `ServiceError`."""
    try:
        match step:
            case MakeDirectory(path, mode):
                _make_directory(path, mode)
            case Write(path, text, mode):
                _write(path, text, mode)
            case Remove(path):
                _remove(path)
            case Run(command, may_fail, patience_s):
                until = time.monotonic() + patience_s
                while (ended := run(command)).returncode and time.monotonic() < until:
                    time.sleep(AGAIN_S)
                if ended.returncode and not may_fail:
                    raise ServiceError(f"{' '.join(command)}: {last_line(ended)}")
    except PermissionError:
        raise PermissionRefusedError(f"no permission to {step}") from None
    except OSError as error:
        raise ServiceError(f"cannot {step}: {error.strerror}") from None


def last_line(ended: subprocess.CompletedProcess[str]) -> str:
    """Return what a failed command said last, or its exit status."""
    said = (ended.stderr or ended.stdout).strip().splitlines()
    return said[-1] if said else f"exit status {ended.returncode}"


def _make_directory(path: Path, mode: int) -> None:
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(exist_ok=True)
    path.chmod(mode)  # Whatever the umask.


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made 0600, and in place whole or not at all: nobody reads half a key, and no unit is half a unit.
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        if not any(path.iterdir()):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
