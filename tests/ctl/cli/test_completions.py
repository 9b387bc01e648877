"""The shipped completion files are right for their shell, and of use."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rtctl.cli import __main__ as cli

DIRECTORY = Path(cli.__file__).with_name("completions")
FILES = {"bash": "rtctl.bash", "zsh": "_rtctl", "fish": "rtctl.fish"}

COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p rtctl | sed -E 's/.*-F ([^ ]+).*/\\1/')
"$function" rtctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", FILES)
def test_it_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completions", shell]) == 0
    assert capsys.readouterr().out == (DIRECTORY / FILES[shell]).read_text("utf-8")


def test_bash_takes_it() -> None:
    assert subprocess.run(["bash", "-n", DIRECTORY / "rtctl.bash"], check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["sta"], ["stats", "status"]),
        (["mute", "t"], ["toggle"]),
        (["events", "inter"], ["interrupt"]),
        (
            ["wait", "conv"],
            [f"conversation={word}" for word in ("hearing", "idle", "listening", "speaking", "thinking")],
        ),
        (["set", "turn.si"], ["turn.silence_ms"]),
        (["watch", "--format", "w"], ["waybar"]),
        (["mute", "--f"], ["--for"]),
    ],
)
def test_bash_completes(words: list[str], found: list[str]) -> None:
    command = ["bash", "--norc", "-c", COMPLETE, "-", str(DIRECTORY / "rtctl.bash"), "rtctl", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (sorted(done.stdout.split()), done.stderr) == (found, "")
