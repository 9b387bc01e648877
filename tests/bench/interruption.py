"""Measures interruption beside the article's design (`make bench`); ``--short`` writes nothing."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace

from bench import targets
from bench.contenders import contenders
from bench.scene import scene
from bench.sitting import Figures, Size, sit
from bench.table import machine, printed, write
from support.virtual_card import available, virtual_card

ROUNDS = 3
WHOLE = Size(starts=2, clicks=10, listening_s=30.0, interruptions=10, busy=False)
SHORT = Size(starts=1, clicks=4, listening_s=3.0, interruptions=3, busy=False)
SWITCH_INTERVAL_S = 0.0005
"""The server and the recorders are threads of one process: none of them shall wait for another."""


def main() -> int:
    """Measure all, print the table, write the page; 1 where a target is missed."""
    short = "--short" in sys.argv
    if not available():
        print("no pulseaudio here: the interruption is not measured", file=sys.stderr)
        return 1
    # What comes is kept and has no cycles; to look through it takes so long that times would suffer.
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    rounds, taking_part, found = 1 if short else ROUNDS, contenders(), Figures(list)
    with virtual_card() as card, scene() as server:
        for number in range(1, rounds + 1):
            size = replace(SHORT if short else WHOLE, busy=number == rounds)
            for contender in taking_part:
                print(f"round {number} of {rounds}: {contender.name} …", file=sys.stderr, flush=True)
                sit(contender, server, card, size, found)
    rows = targets.rows(found, taking_part)
    print(f"\n{machine()}\n\n{printed(rows)}")
    if not short:
        write("interruption", "Interruption", rows, targets.TEXT)
    return int(any(row.kept is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
