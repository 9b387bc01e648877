"""Boots a real systemd and tries the service in it: ``python tests/boot/boot.py`` as root; see ``make boot``.

The machine is an overlay of ``/`` in systemd-nspawn: this machine's programs,
a network of its own, and nothing that is written outlives it. It runs in
mount and pid namespaces of its own, so that even ``kill -9`` leaves nothing
mounted or running.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
GUEST = Path("/opt/boot")
"""Where the guest finds its half of this test."""
BOOT_S = 240.0
"""How long one life of the guest may take; each takes about half a minute."""
INNER = "RTVOICE_BOOT_PLACE"
"""Set for the half that runs in the namespaces: where the machine is to be."""
LOCK = Path("/run/lock/rtvoice-boot")
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
CGROUPS = Path("/sys/fs/cgroup")
MASKED = (
    *("systemd-firstboot", "systemd-networkd", "systemd-resolved", "systemd-timesyncd", "ssh", "cron"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "postgresql"),
)
"""Services of this machine that have no business in the guest."""
HIDDEN = ("/root/", "/home/", "/run/user/")
"""What the machine's service can't see."""


def main() -> int:
    """Boot until the guest says that all is done; print its cases; return the exit status."""
    if problem := obstacle():
        print(f"\n*** make boot: SKIPPED, nothing was tried: {problem} ***\n", file=sys.stderr)
        return 0
    if place := os.environ.get(INNER):
        with machine(Path(place)) as root:
            return lives(root, furnish(root))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as lock, tempfile.TemporaryDirectory(prefix="rtvoice-boot-") as made:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("make boot: another one runs on this machine", file=sys.stderr)
            return 1
        return outside(made)


def obstacle() -> str | None:
    """Return why it can't run here, or None."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    missing = [name for name in ("systemd-nspawn", "unshare", "pulseaudio") if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} missing"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "this kernel has no overlayfs"
    tried = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() or None if tried.returncode else None


def outside(place: str) -> int:
    """Run the rest in namespaces of its own, and take away the cgroups that nspawn leaves."""
    before = set(leftovers())
    process = subprocess.Popen(
        [*NAMESPACES, sys.executable, __file__],
        env={**os.environ, INNER: place},
        start_new_session=True,
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        process.kill()
        process.wait()
        for path in leftovers():
            if path not in before:
                remove_cgroup(path)


def leftovers() -> Iterator[Path]:
    for name in ("payload", "supervisor"):
        yield from (path for path in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")) if path.is_dir())


def remove_cgroup(path: Path) -> None:
    """Remove a cgroup and those below; the last of its processes may be just ending."""
    for _ in range(50):
        for each in sorted(path.rglob("*"), key=lambda each: len(each.parts), reverse=True):
            if each.is_dir():
                with contextlib.suppress(OSError):
                    each.rmdir()
        with contextlib.suppress(OSError):
            path.rmdir()
        if not path.exists():
            return
        time.sleep(0.1)


@contextlib.contextmanager
def machine(place: Path) -> Iterator[Path]:
    """Yield the root of a writable copy of this machine."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    layers = f"lowerdir=/,upperdir={place / 'upper'},workdir={place / 'work'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, place / "root"], check=True)
    try:
        yield place / "root"
    finally:
        subprocess.run(["umount", place / "root"], check=False)
        subprocess.run(["umount", place], check=False)


def furnish(root: Path) -> list[str]:
    """Install rtvoice, the users and the test in *root*; return what nspawn has to bind there."""
    (root / "etc/machine-id").write_text("")
    for unit in MASKED:
        name = unit if "." in unit else f"{unit}.service"
        mask = root / "etc/systemd/system" / name
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")
    for name in ("owner", "member", "stranger"):
        subprocess.run(["chroot", root, "useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
    linger = root / "var/lib/systemd/linger"
    linger.mkdir(parents=True, exist_ok=True)
    (linger / "owner").touch()
    home = root / GUEST.relative_to("/")
    shutil.copytree(Path(__file__).parent, home, ignore=shutil.ignore_patterns("__pycache__"))
    (home / "support").mkdir()
    shutil.copy(REPOSITORY / "tests" / "support" / "virtual_card.py", home / "support")
    (root / "etc/systemd/system/boot-test.service").write_text(
        "[Unit]\nAfter=multi-user.target\n[Service]\n"
        f"ExecStart=/opt/rtvoice/bin/python {GUEST}/guest.py\nStandardOutput=append:{GUEST}/output\n"
        f"StandardError=append:{GUEST}/output\nExecStopPost=/bin/systemctl --no-block poweroff\n"
    )
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "boot-test.service").symlink_to("../boot-test.service")
    return install(root)


def install(root: Path) -> list[str]:
    """Install the wheel at /opt/rtvoice, as for everybody; return the binds that it needs."""
    with tempfile.TemporaryDirectory() as built:
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
        )
        (wheel,) = Path(built).glob("*.whl")
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = root / "opt/rtvoice/lib" / version / "site-packages"
        zipfile.ZipFile(wheel).extractall(site)
    base, binds = python(root, version)
    programs = root / "opt/rtvoice/bin"
    programs.mkdir()
    (programs / "python").symlink_to(f"{base}/bin/{version}")
    (site / "dependencies.pth").write_text("/opt/deps\n")
    (programs.parent / "pyvenv.cfg").write_text(f"home = {base}/bin\ninclude-system-site-packages = false\n")
    for name, module in (("rtctl", "rtctl.cli.__main__"), ("rtvoiced", "rtvoiced.__main__")):
        script = programs / name
        script.write_text(
            f"#!/opt/rtvoice/bin/python\nimport sys\nfrom {module} import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)
    return binds


def python(root: Path, version: str) -> tuple[str, list[str]]:
    """Return the prefix of a Python that everybody can use, and the binds for it and its packages."""
    binds = [f"{sysconfig.get_paths()['purelib']}:/opt/deps"]
    base = os.path.realpath(sys.base_prefix)
    if not base.startswith(HIDDEN):
        return base, binds
    if Path(f"/usr/bin/{version}").exists():
        return "/usr", binds
    # Its library is looked for where it was built, which nobody can see, and then in the cache.
    (root / "etc/ld.so.conf.d/000-python.conf").write_text("/opt/python/lib\n")
    (root / "opt/python").mkdir()
    subprocess.run(["mount", "--bind", base, root / "opt/python"], check=True)
    subprocess.run(["chroot", root, "ldconfig"], check=True)
    subprocess.run(["umount", root / "opt/python"], check=True)
    return "/opt/python", [*binds, f"{base}:/opt/python"]


def lives(root: Path, binds: list[str]) -> int:
    """Boot the guest again and again until it has nothing more to try."""
    home = root / GUEST.relative_to("/")
    told, failed = 0, 0
    begun = time.monotonic()
    while not (home / "done").exists():
        console = boot(root, binds)
        output = home / "output"
        lines = output.read_text("utf-8", "replace").splitlines() if output.exists() else []
        for line in lines[told:]:
            case = json.loads(line) if line.startswith('{"case"') else None
            if case is None:
                print(f"         {line}")
                continue
            print(f"{'FAILED' if case['error'] else 'ok':6} {case['s']:5.1f} s  {case['case']}")
            if case["error"]:
                failed += 1
                print(case["error"])
        if len(lines) == told:
            print(f"{console}\nmake boot: the guest said nothing", file=sys.stderr)
            return 1
        told = len(lines)
    print(f"make boot: {'FAILED' if failed else 'passed'} in {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def boot(root: Path, binds: list[str]) -> str:
    """Let the guest live once, until it powers off; return its console."""
    command = [
        "systemd-nspawn",
        "-D",
        str(root),
        "--boot",
        "--register=no",
        "--keep-unit",
        "--private-network",
    ]
    ended = subprocess.run(
        [*command, "--console=pipe", "--quiet", *(f"--bind-ro={each}" for each in binds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BOOT_S,
        check=False,
    )
    return ended.stdout.decode("utf-8", "replace")


if __name__ == "__main__":
    sys.exit(main())
