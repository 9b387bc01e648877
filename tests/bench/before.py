"""Measures this checkout beside another one, in turn and in one run: ``make bench BEFORE=DIR``.

DIR is a checkout of the commit before, set up by its own ``make setup``. Both rtvoiceds take turns on
one virtual card, in the life that `bench.sitting` gives each program, and both rtctls ask one daemon.
A figure is told to be the same where the medians differ by no more than either side's own values do.
"""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import targets
from bench.contenders import HOLD, PLAIN, Contender
from bench.interruption import SHORT, SWITCH_INTERVAL_S, WHOLE
from bench.ipc import speaking_daemon
from bench.scene import scene
from bench.sitting import Figures, sit
from bench.table import Row, machine, printed, write
from support.measuring import percentile
from support.virtual_card import available, virtual_card

ROUNDS = 4
PROCESSES = 40
OURS = str(Path(sys.executable).with_name("rtvoiced"))
LEAST_SHARE = 0.05
"""A difference of so much of the median is none, however little the values vary."""
TEXT = """\
This checkout beside the commit before, in turn and in one run (`make bench BEFORE=DIR`). "The same": the
medians differ by no more than the middle half of either side's values, or by 5 %."""


def pairs(before: str) -> list[tuple[Contender, Contender]]:
    """Return the older rtvoiced and this one, each as it can be set."""
    settings = (("", PLAIN, False), (", canceller, VAD and `hold`", HOLD, True))
    return [
        (
            Contender(f"before{how}", (before,), keys, cleans=cleans),
            Contender(f"now{how}", (OURS,), keys, cleans=cleans),
        )
        for how, keys, cleans in settings
    ]


def is_same(before: Sequence[float], now: Sequence[float]) -> bool:
    """Return whether two rows of values can't be told apart."""
    middle = [percentile(values, 50) for values in (before, now)]
    spread = [percentile(values, 75) - percentile(values, 25) for values in (before, now)]
    return abs(middle[1] - middle[0]) <= max(*spread, LEAST_SHARE * abs(middle[0]))


def compared(name: str, unit: str, before: Sequence[float], now: Sequence[float], how: str = "") -> list[Row]:
    """Return the two rows of a figure."""
    return [
        Row(f"{name}{how}: before", unit, "", before),
        Row(f"{name}{how}: now", unit, "the same, or less", now, is_same(before, now) or better(before, now)),
    ]


def better(before: Sequence[float], now: Sequence[float]) -> bool:
    """Return whether less was measured: of every figure here, less is better."""
    return percentile(now, 50) < percentile(before, 50)


def daemons(before: str, short: bool) -> list[Row]:
    """Return the rows of both rtvoiceds."""
    found, rounds = Figures(list), 1 if short else ROUNDS
    with virtual_card() as card, scene() as server:
        for number in range(1, rounds + 1):
            size = replace(SHORT if short else WHOLE, busy=False)
            for pair in pairs(before):
                # Who comes first has the quieter machine, or the busier one.
                for contender in random.sample(pair, 2):
                    print(f"round {number} of {rounds}: {contender.name} …", file=sys.stderr, flush=True)
                    sit(contender, server, card, size, found)
    rows: list[Row] = []
    for aim in targets.AIMS:
        for one, other in pairs(before):
            values = found.get((aim.what, one.name)), found.get((aim.what, other.name))
            if values[0] and values[1] and not aim.what.startswith(("click", "truncates")):
                rows += compared(aim.name, aim.unit, values[0], values[1], one.name.removeprefix("before"))
    return rows


def clients(before: str, short: bool) -> list[Row]:
    """Return the rows of both rtctls: `rtctl mute` as a process, in turn."""
    took: dict[str, list[float]] = {"before": [], "now": []}
    with speaking_daemon("--audio", "none") as (running, _):
        words = ("--runtime-dir", str(running.room.run), "-q", "mute")
        commands = {"before": [before, *words], "now": [str(Path(OURS).with_name("rtctl")), *words]}
        for _ in range(4 if short else PROCESSES):
            for name, command in random.sample(list(commands.items()), 2):
                begun = time.perf_counter()
                subprocess.run(command, check=True, env=running.room.environment())
                took[name].append((time.perf_counter() - begun) * 1000)
    return compared("`rtctl mute` as a process", "ms", took["before"], took["now"])


def main() -> int:
    """Measure both, print the table, write the page; 1 where something got worse."""
    short, before = "--short" in sys.argv, Path(os.environ["BENCH_BEFORE"]) / ".venv" / "bin"
    if not available():
        print("no pulseaudio here: nothing is measured", file=sys.stderr)
        return 1
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    rows = [*clients(str(before / "rtctl"), short), *daemons(str(before / "rtvoiced"), short)]
    print(f"\n{machine()}\n\n{printed(rows)}")
    if not short:
        write("before", "Beside the commit before", rows, TEXT)
    return int(any(row.kept is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
