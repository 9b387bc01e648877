"""What the cases of the boot test share: the users, rtctl, systemctl, and waiting."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PATH = "/opt/rtvoice/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
UNIT = "rtvoiced.service"
PATIENCE_S = 20.0
"""How long a case waits for what must come, where the issue names no bound."""
KEY = "sk-proj-boot-0123456789abcdef"


def uid(name: str = "owner") -> int:
    return pwd.getpwnam(name).pw_uid


def home(name: str = "owner") -> Path:
    return Path(pwd.getpwnam(name).pw_dir)


def run(
    *command: str, user: str = "owner", given: str = "", environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as *user*, as after su: with no session in its environment."""
    variables = {"PATH": PATH, "HOME": str(home(user)), "LANG": "C.UTF-8", **(environ or {})}
    as_user = () if user == "root" else ("runuser", "-u", user, "--")
    return subprocess.run(
        [*as_user, *command],
        env=variables,
        input=given,
        capture_output=True,
        text=True,
        cwd=home(user),
        timeout=60,
        check=False,
    )


def rtctl(*words: str, user: str = "owner", given: str = "") -> subprocess.CompletedProcess[str]:
    return run("rtctl", *words, user=user, given=given)


def done(ended: subprocess.CompletedProcess[str]) -> str:
    """Return what a command printed, which must have succeeded."""
    assert ended.returncode == 0, f"{ended.args}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def status(*words: str, user: str = "owner") -> dict[str, Any]:
    """Return what ``rtctl status`` tells."""
    return dict(json.loads(done(rtctl("--json", *words, "status", user=user))))


def systemctl(*words: str, user: str = "owner") -> subprocess.CompletedProcess[str]:
    """Run systemctl: *user*'s, and the machine's for root."""
    if user == "root":
        return run("systemctl", *words, user="root")
    return run(
        "systemctl", "--user", *words, user=user, environ={"XDG_RUNTIME_DIR": f"/run/user/{uid(user)}"}
    )


def shown(name: str, user: str = "owner") -> str:
    """Return a property of the service."""
    return done(systemctl("show", UNIT, f"--property={name}", "--value", user=user)).strip()


def until(condition: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> float:
    """Wait until *condition*; return how long that took."""
    begun = time.monotonic()
    while not condition():
        took = time.monotonic() - begun
        assert took < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - begun


def answers(*words: str, user: str = "owner") -> dict[str, Any] | None:
    """Return the status, or None while no daemon answers."""
    ended = rtctl("--json", *words, "status", user=user)
    return json.loads(ended.stdout) if ended.returncode == 0 else None


def told(name: str, value: Sequence[object] | float) -> None:
    """Print a figure that was measured."""
    print(f"{name}: {value:.1f} s" if isinstance(value, float) else f"{name}: {value}", flush=True)


def files(*places: Path) -> set[str]:
    """Return every file and link below *places*."""
    return {
        f"{folder}/{name}"
        for place in places
        for folder, folders, names in os.walk(place)
        for name in [*folders, *names]
    }
