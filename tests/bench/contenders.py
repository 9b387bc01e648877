"""The programs that are measured, each a process that is given a server's URL and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.running import RTVOICED, room

STOP_S = 5.0


@dataclass(frozen=True)
class Contender:
    """A program, and how it is called in the table."""

    name: str
    command: tuple[str, ...]
    """Words before the URL."""
    settings: Mapping[str, str]
    """Of rtvoiced, by key."""
    ours: bool = True
    cleans: bool = False
    """With the echo canceller and the local VAD."""

    def words(self, url: str, run: Path) -> list[str]:
        """Return the whole command line."""
        if not self.ours:
            return [*self.command, url]
        chosen = [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        return [*self.command, "--runtime-dir", str(run), "--log-level", "error", *chosen, "--url", url]


@dataclass(frozen=True)
class Started:
    """It runs."""

    process: subprocess.Popen[bytes]
    at: float
    """When it was started, CLOCK_MONOTONIC."""


ARTICLE = Contender(
    "article's design", (sys.executable, str(Path(__file__).with_name("article.py"))), {}, ours=False
)
PLAIN = {"echo.mode": "off", "interruption.policy": "server"}
HOLD = {"echo.mode": "on", "interruption.policy": "hold"}


def contenders() -> list[Contender]:
    """Return the article's design and what this rtvoiced can be set to."""
    known = _known_keys()
    plain = {key: value for key, value in PLAIN.items() if key in known}
    found = [ARTICLE, Contender("rtvoiced", RTVOICED, plain)]
    if known.issuperset(HOLD):
        found.append(Contender("rtvoiced with canceller, VAD and `hold`", RTVOICED, HOLD, cleans=True))
    return found


@contextmanager
def started(contender: Contender, url: str, environ: Mapping[str, str]) -> Iterator[Started]:
    """Run it; it leaves nothing behind."""
    with room() as here:
        errors = here.path / "errors"
        at = time.monotonic()
        with errors.open("wb") as err:
            process = subprocess.Popen(
                contender.words(url, here.run),
                env=here.environment(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
            )
        try:
            yield Started(process, at)
        except Exception as error:
            said = errors.read_text("utf-8", "replace")[-2000:]
            error.add_note(f"{contender.name}: exit status {process.poll()}, it said:\n{said}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _known_keys() -> frozenset[str]:
    with room() as here:
        told = here.rtvoiced("--check", "--json", "--audio", "none", "--url", "ws://127.0.0.1:1").stdout
    return frozenset(json.loads(told)["settings"])
