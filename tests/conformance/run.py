"""Runs independent clients, unmodified, against a real `rtvoiced serve` (`make conformance`).

Takes the folder with an environment for each client.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from conformance.scenarios import SPOKEN
from rtvoice.audio.pcm import WIRE
from rtvoice.audio.resample import Resampler
from rtvoice.local.voices import speak

CLIENTS = {"openai": ("with_openai", "with_openai_beta"), "agents": ("with_agents",)}
"""The clients of each environment."""
CLIENT_S = 600.0
SERVE = (sys.executable, "-m", "rtvoice", "serve", "--while-stdin")
QUIET = {
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


def run(python: Path, client: str, url: str, folder: Path) -> list[str]:
    """Run one client; return its lines."""
    ended = subprocess.run(
        [python, "-m", f"conformance.{client}", url, str(folder)],
        env=os.environ | QUIET,
        stdout=subprocess.PIPE,
        text=True,
        timeout=CLIENT_S,
        check=False,
    )
    print(ended.stdout, end="", flush=True)
    lines = ended.stdout.splitlines()
    if ended.returncode and not any(line.startswith("FAIL") for line in lines):
        lines.append(f"FAIL  {client}: exit status {ended.returncode}")
        print(lines[-1], flush=True)
    return lines


def main(environments: Path) -> int:
    """Run all clients; return the exit status."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as name, serving() as url:
        speech(Path(name))
        for environment, clients in CLIENTS.items():
            python = environments / environment / "bin" / "python"
            for client in clients:
                lines += run(python, client, url, Path(name))
    failed = sum(line.startswith("FAIL") for line in lines)
    passed = sum(line.startswith("pass") for line in lines)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
