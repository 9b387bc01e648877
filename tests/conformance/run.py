"""Runs independent clients, unmodified, against a real `rtvoiced serve` (`make conformance`).

Takes the folder with an environment for each client.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from conformance.scenarios import SPOKEN, tell
from rtvoiced.dsp.pcm import WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced_server.speech.voices import speak
from support.snippets import printed, snippets

CLIENTS = {"openai": ("with_openai", "with_openai_beta"), "agents": ("with_agents",)}
"""The clients of each environment."""
SNIPPETS = {"openai": "openai-python", "agents": "openai-agents"}
"""The section of docs/server.md whose program each environment runs."""
CLIENT_S = 600.0
SERVE = (sys.executable, "-m", "rtvoiced", "serve", "--while-stdin")
ENVIRONMENT = os.environ | {
    # Nothing leaves this computer: no proxy, and no record of what an agent did.
    "NO_PROXY": "127.0.0.1",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
}


@contextmanager
def serving() -> Iterator[str]:
    """Yield the URL of a server that ends with the block."""
    with subprocess.Popen(SERVE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            word, _, url = server.stdout.readline().strip().partition(" ")
            assert word == "listening", "the server did not start"
            yield url
        finally:
            server.stdin.close()


def speech(folder: Path) -> None:
    """Say what the clients will say into *folder*, at 24 kHz."""
    for name, text in SPOKEN.items():
        pcm, hz = speak(text)
        resampler = Resampler(hz, WIRE.hz)
        samples = np.concatenate((resampler.process(np.frombuffer(pcm, np.int16)), resampler.flush()))
        (folder / f"{name}.pcm").write_bytes(samples.tobytes())


def scenarios(python: Path, client: str, url: str, folder: Path) -> list[bool]:
    """Run the scenarios of one client; return how each ended."""
    ended = subprocess.run(
        [python, "-m", f"conformance.{client}", url, str(folder)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=CLIENT_S,
        check=False,
    )
    print(ended.stdout, end="", flush=True)
    results = [line.startswith("pass") for line in ended.stdout.splitlines()]
    if ended.returncode and all(results):
        tell(client, "as a whole", 0, f"exit status {ended.returncode}")
        results.append(False)
    return results


def documented(python: Path, section: str, url: str) -> bool:
    """Run the program of a section of docs/server.md; return whether it printed what the page says."""
    snippet = snippets()[section]
    began = time.monotonic()
    output = printed((python, "-c"), snippet, url, ENVIRONMENT)
    fault = "" if output == snippet.output else f"printed {output!r}"
    tell(section, "docs/server", time.monotonic() - began, fault)
    return not fault


def main(environments: Path) -> int:
    """Run all clients; return the exit status."""
    results: list[bool] = []
    with tempfile.TemporaryDirectory() as name, serving() as url:
        speech(Path(name))
        for environment, clients in CLIENTS.items():
            python = environments / environment / "bin" / "python"
            for client in clients:
                results += scenarios(python, client, url, Path(name))
            results.append(documented(python, SNIPPETS[environment], url))
    failed = results.count(False)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
