"""The programs and snippets of docs/examples, beside a real daemon."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rtctl.cli.verbs import parser
from support.flooding import Flood, flooding
from support.running import Room, Running, eventually, room
from support.stage import Stage, stage

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NODE_MODULES = Path(sys.prefix) / "node" / "node_modules"
BIN = Path(sys.executable).parent
"""Where rtctl is."""
WORDS = 4_500
"""More than libzmq keeps for a subscriber that stands still, and less than the daemon keeps for a replay."""
PER_S = 4_000.0
SNIPPETS = ("events.sh", "i3.conf", "polybar.ini", "sway.conf", "waybar.jsonc")


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture
def flood() -> Iterator[Flood]:
    with flooding() as made:
        yield made


def running(here: Room, server: Flood | Stage) -> Running:
    return Running(here, "--url", server.url, "--audio", "none", "--log-level", "error")


class Program:
    """A started example, and the lines that it printed."""

    def __init__(self, process: subprocess.Popen[bytes], told: Path) -> None:
        self.pid = process.pid
        self._told = told

    def lines(self) -> list[str]:
        """Return the whole lines so far."""
        return self._told.read_text("utf-8").split("\n")[:-1]

    def wait(self, text: str, count: int = 1) -> None:
        """Wait until so many lines have *text* in them."""
        eventually(
            lambda: sum(text in line for line in self.lines()) >= count,
            lambda: f"no {text!r} in\n" + "\n".join(self.lines()[-20:]),
        )


def environment(here: Room) -> dict[str, str]:
    """Return the environment of an example: it is nobody of the room, which is empty when a daemon ends."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    further = {"HOME": str(here.path / "home"), "RTVOICE_RUNTIME_DIR": str(here.run), "PATH": path}
    return here.environment(further)


@contextmanager
def started(here: Room, *command: str | Path) -> Iterator[Program]:
    """Run an example until the end of the test."""
    told = here.path / f"{uuid.uuid4().hex[:8]}.out"
    with told.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=environment(here),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Program(process, told)
    finally:
        # A script's children are of its session.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def in_python(name: str) -> list[str | Path]:
    return [sys.executable, EXAMPLES / name]


def in_c(here: Room) -> list[str | Path]:
    made = here.path / "subscriber"
    built = subprocess.run(
        ["cc", "-Wall", "-Wextra", "-Werror", "-o", made, EXAMPLES / "subscriber.c", "-lzmq"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, ""), "does libzmq3-dev lack? make test installs it"
    return [made]


def in_javascript(here: Room, *names: str) -> list[str | Path]:
    assert NODE_MODULES.is_dir(), "npm's zeromq lacks: make test installs it"
    # A module looks for its packages beside itself, and nowhere else.
    shutil.copy(EXAMPLES / "subscriber.mjs", here.path)
    if not (here.path / "node_modules").exists():
        (here.path / "node_modules").symlink_to(NODE_MODULES)
    return ["node", here.path / "subscriber.mjs", *names]


def test_python_followers_print_the_state_and_each_change(here: Room, flood: Flood) -> None:
    with running(here, flood) as daemon:
        daemon.until(connection="up")
        with (
            started(here, *in_python("state_follower.py")) as raw,
            started(here, *in_python("state_follower_client.py")) as library,
        ):
            for follower in (raw, library):
                follower.wait("listening open")
            daemon.data("mute")
            daemon.data("mute", mode="off")
            for follower in (raw, library):
                follower.wait("listening open", 2)

            assert raw.lines() == ["listening open", "listening muted", "listening open"]
            assert library.lines() == raw.lines()


def test_subscribers_know_what_they_lost_while_they_stood_still(here: Room, flood: Flood) -> None:
    with running(here, flood) as daemon:
        daemon.until(connection="up")
        with (
            started(here, *in_javascript(here, "delta", "state")) as script,
            started(here, *in_c(here)) as compiled,
        ):
            for subscriber in (script, compiled):
                subscriber.wait("snapshot")
                os.kill(subscriber.pid, signal.SIGSTOP)
            flood.words(WORDS, PER_S)
            flood.done()
            daemon.wait("delta", count=WORDS)
            for subscriber in (script, compiled):
                os.kill(subscriber.pid, signal.SIGCONT)
            daemon.data("mute")
            for subscriber in (script, compiled):
                subscriber.wait('"muted":true')

            events = [event for event in map(json.loads, script.lines()) if "event" in event]
            assert [each for each in events if each["event"] == "delta"] == daemon.named("delta")
            assert [each["seq"] for each in events] == sorted({each["seq"] for each in events})
            assert lost_and_seen(compiled.lines()) == (True, True)


def lost_and_seen(lines: list[str]) -> tuple[bool, bool]:
    """Return whether the C subscriber told a loss, and whether whatever it did not tell is in order."""
    known, lost, in_order = 0, False, True
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "lost":
            lost = True
            continue
        if word == "silent:":
            # It stood still for as long as it waits for a heartbeat.
            continue
        seq = json.loads(rest)["seq"]
        in_order &= word == "snapshot" or seq == known + 1
        known = seq
    return lost, in_order


def test_followers_go_on_with_the_next_daemon(here: Room) -> None:
    with (
        stage() as server,
        started(here, *in_python("state_follower_client.py")) as library,
        started(here, *in_javascript(here)) as script,
        started(here, *in_c(here)) as compiled,
    ):
        with running(here, server) as daemon:
            daemon.until(connection="up")
            runs = [daemon.data("hello")["run"]]
            library.wait("open")
            for subscriber in (script, compiled):
                subscriber.wait(runs[0])
        library.wait("gone: the daemon ended: SIGTERM")
        with running(here, server) as daemon:
            daemon.until(connection="up")
            runs.append(daemon.data("hello")["run"])
            daemon.data("mute")
            library.wait("muted")
            for subscriber in (script, compiled):
                subscriber.wait(runs[1])
                subscriber.wait('"muted":true')

        snapshots = [line for line in map(json.loads, script.lines()) if "snapshot" in line]
        assert [each["snapshot"]["run"] for each in snapshots] == runs


@pytest.mark.parametrize("name", SNIPPETS)
def test_snippet_calls_rtctl_as_it_is(name: str) -> None:
    calls = rtctl_calls(name)

    assert calls
    for words in calls:
        parser().parse_args(words)


def rtctl_calls(name: str) -> list[list[str]]:
    """Return the words behind each rtctl in a snippet."""
    calls = []
    for line in (EXAMPLES / name).read_text("utf-8").splitlines():
        code = "" if re.match(r"\s*(#|;|//)", line) else line
        for found in re.findall(r"\brtctl ([^|;,]+)", code):
            # In JSON a quotation mark ends the command; in a shell it begins a word.
            text = found.partition('"')[0] if name.endswith(".jsonc") else found
            calls.append(shlex.split(text))
    return calls


def test_bars_show_the_state_and_keys_do_what_they_say(here: Room, flood: Flood) -> None:
    bars = {"waybar": waybar()["custom/rtvoice"]["exec"], "polybar": polybar()["exec"]}
    with running(here, flood) as daemon:
        daemon.until(connection="up")
        with (
            started(here, "sh", "-c", bars["waybar"]) as waybar_line,
            started(here, "sh", "-c", bars["polybar"]) as polybar_line,
        ):
            for bar in (waybar_line, polybar_line):
                bar.wait("")
            for words in rtctl_calls("sway.conf"):
                if words[0] not in ("say", "reconnect"):
                    assert here.rtctl(*words).returncode == 0, words
            daemon.data("mute")
            for bar in (waybar_line, polybar_line):
                bar.wait("muted")

            first = json.loads(waybar_line.lines()[0])
            assert {"text", "tooltip", "class"} - set(first) == set()


def waybar() -> dict[str, Any]:
    text = (EXAMPLES / "waybar.jsonc").read_text("utf-8")
    read: dict[str, Any] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return read


def polybar() -> dict[str, str]:
    read = configparser.ConfigParser(interpolation=None)
    read.read(EXAMPLES / "polybar.ini", "utf-8")
    return dict(read["module/rtvoice"])


def test_shell_line_follows_playback(here: Room, flood: Flood) -> None:
    with running(here, flood) as daemon:
        daemon.until(connection="up")
        with started(here, "sh", EXAMPLES / "events.sh") as script:
            # Its rtctl has joined once the daemon counts two subscribers.
            eventually(lambda: daemon.data("status")["subscribers"] == 2)
            flood.speech(0.2, "resp_1")
            flood.done()
            script.wait("0")

            assert script.lines() == ["1", "0"]
