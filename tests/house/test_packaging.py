"""What people install: the wheel, in an environment of its own; and the sdist, which gives the same wheel."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from rtvoiced import __version__

pytestmark = pytest.mark.process

TOP = Path(__file__).parents[2]
MODULES = {"pyzmq": "zmq"}
"""Distributions whose module is called otherwise."""
SHARED = (
    *("man/man1/rtctl.1", "man/man1/rtvoiced.1", "man/man7/rtvoice-ipc.7"),
    *("bash-completion/completions/rtctl", "zsh/site-functions/_rtctl"),
    "fish/vendor_completions.d/rtctl.fish",
)


def built(source: Path, kind: str, into: Path) -> Path:
    """Build a wheel or an sdist as `pip install` does; return it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(TOP, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and with the dependencies of this one: nothing is fetched."""
    place = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "--isolated", "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", "--no-compile", wheel], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    # What the .pth files there say, the checkout for one, is not followed.
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return place


def run(installed: Path, name: str, *words: str) -> str:
    """Run one of its programs, and return what it prints."""
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(installed), "LANG": "C.UTF-8"}
    ended = subprocess.run(
        [installed / "bin" / name, *words], env=environ, capture_output=True, text=True, check=False, cwd="/"
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_its_programs_run_from_where_they_were_installed(installed: Path) -> None:
    assert run(installed, "rtctl", "--version") == f"rtctl {__version__}\n"
    assert run(installed, "rtvoiced", "--version") == f"rtvoiced {__version__}\n"
    where = "import rtctl, rtvoiced; print(*(each.__file__ for each in (rtctl, rtvoiced)))"
    for path in run(installed, "python", "-c", where).split():
        assert Path(path).is_relative_to(installed)


def test_it_finds_the_files_that_are_shipped_with_it(installed: Path) -> None:
    printed = json.loads(run(installed, "rtctl", "--json", "service", "print", "--provider", "local"))
    (unit,) = printed["files"].values()

    assert f"ExecStart={installed}/bin/rtvoiced --provider local\n" in unit
    assert "-F _shtab_rtctl rtctl" in run(installed, "rtctl", "completions", "bash")
    assert "event.state" in json.loads(run(installed, "rtctl", "schema"))
    assert json.loads(run(installed, "rtctl", "--json", "config"))["file"].endswith("/rtvoice/config.toml")


@pytest.mark.parametrize("name", SHARED)
def test_manual_pages_and_completions_are_where_programs_look(name: str, installed: Path) -> None:
    assert (installed / "share" / name).stat().st_size > 1000


def test_it_imports_nothing_that_it_does_not_ask_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        wanted = message_from_bytes(archive.read(metadata)).get_all("Requires-Dist", [])
        sources = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")]
    names = {re.split(r"[ ;<>=!~\[]", each)[0].lower() for each in wanted}
    asked_for = {MODULES.get(name, name.replace("-", "_")) for name in names}
    imported = {module for source in sources for module in imports(source)}

    assert imported - asked_for - {"rtvoiced", "rtvoiced_server", "rtctl"} - sys.stdlib_module_names == set()
    assert asked_for - imported == set()


def imports(source: str) -> Iterator[str]:
    """Yield the top module of each import, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                yield from (each.name.partition(".")[0] for each in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


def test_the_sdist_holds_all_that_the_same_wheel_is_made_of(wheel: Path, tmp_path: Path) -> None:
    for name in ("sdist", "source", "again"):
        (tmp_path / name).mkdir()
    with tarfile.open(built(TOP, "sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    again = built(source, "wheel", tmp_path / "again")

    assert contents(again) == contents(wheel)
    for name in ("tests/boot/boot.py", "systemd/rtvoiced.service", "docs/service.md", "Makefile", ".ci/run"):
        assert (source / name).exists(), name


def contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {each.filename: each.CRC for each in archive.infolist()}
