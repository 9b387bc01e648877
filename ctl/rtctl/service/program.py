"""rtvoiced as the service would start it: where it is, and what it makes of the service's environment.

Questions about configuration and devices are answered by rtvoiced itself
(``--check``, ``--doctor``), run in the environment of the service or of this
shell; rtctl knows neither settings nor sound.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtvoiced.errors import ConfigError, ServiceError

CHECK_S = 60.0
"""How long rtvoiced may take to look at everything: devices and a session take seconds each."""
HOMES = ("/home/", "/root/", "/run/user/")
"""What ProtectHome= hides from the machine's service."""


def program() -> Path:
    """Return the rtvoiced that goes with this rtctl, as it was installed.

    Links are not followed: ``~/.local/bin/rtvoiced`` survives an upgrade, what
    it points to need not.
    """
    for folder in (Path(os.path.abspath(sys.argv[0])).parent, Path(sys.executable).parent):  # noqa: PTH100
        if os.access(found := folder / "rtvoiced", os.X_OK):
            return found
    if on_path := shutil.which("rtvoiced"):
        return Path(os.path.abspath(on_path))  # noqa: PTH100
    raise ConfigError("rtvoiced is neither beside this rtctl nor on the PATH: install rtvoice whole")


def refuse_home(path: Path) -> None:
    """Raise `ConfigError` where the machine's service could not start *path*: it sees nobody's home."""
    for each in (str(path), os.path.realpath(path), os.path.realpath(sys.executable)):
        if each.startswith(HOMES):
            raise ConfigError(
                f"the machine's service sees no home directory, and {each} is in one; install rtvoice for "
                "everybody, from its checkout: PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install ."
            )


def asked(path: Path, environ: Mapping[str, str], *words: str) -> dict[str, Any]:
    """Return the JSON that ``rtvoiced WORDS`` prints with this environment; raises `ServiceError`."""
    command = [str(path), *words]
    try:
        ended = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CHECK_S,
            check=False,
        )
    except OSError as error:
        raise ServiceError(f"cannot run {path}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{' '.join(command)} takes longer than {CHECK_S:.0f} s") from None
    try:
        answer = json.loads(ended.stdout)
    except ValueError:
        said = ended.stderr.strip().splitlines()
        reason = said[-1] if said else f"exit status {ended.returncode}"
        raise ServiceError(f"{' '.join(command)}: {reason}") from None
    if not isinstance(answer, dict):
        raise ServiceError(f"{' '.join(command)} printed no answer")
    return answer


def checked(path: Path, environ: Mapping[str, str], *words: str) -> dict[str, Any]:
    """Return what *path* would use with this environment, without a look at the devices."""
    return asked(path, environ, "--check", "--quick", "--json", *words)
