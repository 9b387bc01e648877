"""After a reboot: the user's service runs and is uninstalled; then the machine's service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from house import (
    KEY,
    UNIT,
    answers,
    done,
    files,
    home,
    rtctl,
    run,
    shown,
    status,
    systemctl,
    told,
    uid,
    until,
)

SYSTEM = ("--system",)
HERE = Path(__file__).parent


def runs_after_a_reboot() -> None:
    """after poweroff and boot it runs, without a login"""
    took = until(answers, "an answer")
    told("it answered after", took)
    found = status()

    assert (found["supervisor"], found["connection"]["provider"], shown("NRestarts")) == (
        "systemd",
        "local",
        "0",
    )
    until(lambda: status()["input"]["status"] == "open", "an open microphone")


def uninstall_leaves_nothing() -> None:
    """uninstall leaves no file, process or socket, but for the configuration and the state"""
    done(rtctl("service", "uninstall"))
    before = set(json.loads((HERE / "before").read_text()))
    left = {name.removeprefix(f"{home()}/") for name in files(home()) - before}

    assert rtctl("status").returncode == 69
    assert not Path(f"/run/user/{uid()}/rtvoice").exists()
    assert {name for name in left if "systemd" in name or "key" in name} <= {
        ".config/systemd",
        ".config/systemd/user",
        ".config/systemd/user/default.target.wants",
    }, left
    assert (home() / ".config/rtvoice/config.toml").exists()
    assert UNIT not in systemctl("list-unit-files").stdout
    assert "rtvoiced" not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    assert rtctl("service", "uninstall").returncode == 69


def needs_root() -> None:
    """the machine's service is root's business, and root's own is refused"""
    assert rtctl(*SYSTEM, "service", "install", "--provider", "local").returncode == 77
    assert rtctl("service", "install", "--provider", "local", user="root").returncode == 77


def system_installs() -> None:
    """service install --system: it answers root and its group, and nobody else"""
    (HERE / "before-etc").write_text(json.dumps(sorted(files(Path("/etc")))))
    said = done(rtctl(*SYSTEM, "service", "install", "--provider", "local", user="root"))
    done(run("usermod", "-aG", "rtvoice", "member", user="root"))

    assert "write /etc/systemd/system/rtvoiced.service\n" in said, said
    until(lambda: status(*SYSTEM, user="root")["connection"]["status"] == "up", "the connection")
    found = status(*SYSTEM, user="root")
    assert (found["supervisor"], shown("User", "root"), shown("UnitFileState", "root")) == (
        "systemd",
        "rtvoice",
        "enabled",
    )
    assert Path(f"/proc/{found['pid']}").stat().st_uid == uid("rtvoice")
    assert status(*SYSTEM, user="member")["pid"] == found["pid"]
    assert rtctl(*SYSTEM, "status", user="stranger").returncode == 77
    assert (oct(Path("/run/rtvoice").stat().st_mode & 0o777)) == "0o750"
    done(rtctl(*SYSTEM, "ask", "--wait", "say hello", user="member"))
    assert "hello" in done(rtctl(*SYSTEM, "history", user="root"))

    done(rtctl(*SYSTEM, "mute", user="member"))
    os.kill(found["pid"], 9)
    until(lambda: (now := answers(*SYSTEM, user="root")) and now["pid"] != found["pid"], "another daemon", 5)
    assert status(*SYSTEM, user="root")["muted"] is True


def system_key() -> None:
    """the machine's service gets its key by root's file of mode 0600, and says it nowhere"""
    done(rtctl(*SYSTEM, "service", "install", "--provider", "openai", user="root", given=f"{KEY}\n"))
    kept = Path("/etc/rtvoice/keys/openai_api_key")
    told_of_it = done(systemctl("show", UNIT, user="root")) + done(
        run("journalctl", "--no-pager", "-o", "json", user="root")
    )

    assert (kept.stat().st_uid, oct(kept.stat().st_mode & 0o777)) == (0, "0o600")
    assert status(*SYSTEM, user="root")["connection"]["provider"] == "openai"
    assert KEY not in told_of_it


def system_uninstalls() -> None:
    """uninstall --system leaves nothing but the user"""
    before = set(json.loads((HERE / "before-etc").read_text()))
    done(rtctl(*SYSTEM, "service", "uninstall", user="root"))
    left = files(Path("/etc")) - before
    backups = {"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-"}
    assert left - backups <= {"/etc/sysusers.d"}, left
    assert rtctl(*SYSTEM, "status", user="root").returncode == 69
    assert not Path("/run/rtvoice").exists()


CASES = (
    runs_after_a_reboot,
    uninstall_leaves_nothing,
    needs_root,
    system_installs,
    system_key,
    system_uninstalls,
)
