"""The embedded server as a package: what it may import, who may import it, and how it is started."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rtvoiced_server
from support.running import Running, room

PACKAGE = Path(rtvoiced_server.__file__).parent
ALLOWED = ("rtvoiced.dsp", "rtvoiced.errors", "rtvoiced.host.key_file", "rtvoiced.host.logs")
"""What the server may know of the daemon's package."""
LOOKING = """
import sys
from rtvoiced.__main__ import main

status = main()
print("of the server:", *(name for name in sys.modules if name.startswith("rtvoiced_server")))
print("all:", len(sys.modules))
sys.exit(status)
"""
SCRIPT = """
[[utterance]]
text = "hello"
"""


def imported(path: Path) -> set[str]:
    """Return the full names of what a module imports of rtvoiced."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "rtvoiced"}


def test_of_the_daemons_package_it_knows_only_what_it_may() -> None:
    foreign = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in PACKAGE.rglob("*.py")
        for name in imported(path)
        if not f"{name}.".startswith(tuple(f"{each}." for each in ALLOWED))
    }

    assert foreign == set()


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for what is left behind")
@pytest.mark.process
def test_nothing_of_it_is_loaded_into_a_daemon_that_it_serves() -> None:
    with room() as here:
        (here.path / "script.toml").write_text(SCRIPT)
        card = f"wav:{here.path}/script.toml,{here.path}/heard.wav"
        with Running(
            here, "--provider", "local", "--audio", card, program=(sys.executable, "-c", LOOKING)
        ) as daemon:
            # It has spoken its script, and the server has heard it and answered.
            daemon.wait("user_transcript", text="hello")
            daemon.stop()
        lines = daemon.out().splitlines()

    assert lines[-2:-1] == ["of the server:"]


@pytest.mark.process
def test_it_is_a_program_by_the_name_of_its_package_too() -> None:
    def helped(*program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *program, "--help"], capture_output=True, text=True, check=True
        )
        return done.stdout

    assert helped("rtvoiced_server") == helped("rtvoiced", "serve")
