"""What soak and bench measure with: a warm connection, memory, percentiles."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from rtvoiced.host.paths import control_socket
from rtvoiced.ipc.contract.protocol import request_body
from support.running import PATIENCE_S
from support.schemas import check_reply


class Asker:
    """A client with one warm connection; one command at a time."""

    def __init__(self, req: zmq.Socket[bytes]) -> None:
        self._req = req
        self.took_ms: list[float] = []
        """How long each reply took."""

    def ask(self, command: str, **args: Any) -> dict[str, Any]:
        """Return the reply."""
        body = request_body(command, args)
        begun = time.perf_counter()
        self._req.send(body)
        assert self._req.poll(int(PATIENCE_S * 1000)), f"no answer to {command}"
        answer = self._req.recv()
        self.took_ms.append((time.perf_counter() - begun) * 1000)
        reply: dict[str, Any] = json.loads(answer)
        check_reply(json.loads(body), reply)
        assert reply["ok"], reply
        return reply


@contextmanager
def asking(directory: Path) -> Iterator[Asker]:
    """Connect to the daemon in *directory*; the first round trip is not counted."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        with context.socket(zmq.REQ) as req:
            req.set(zmq.LINGER, 0)
            req.connect(f"ipc://{control_socket(directory)}")
            asker = Asker(req)
            asker.ask("hello")
            asker.took_ms.clear()
            yield asker
    finally:
        context.term()


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which so many of *values* lie: one of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"{pid} has ended")


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used so far, all its threads; not its children's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
