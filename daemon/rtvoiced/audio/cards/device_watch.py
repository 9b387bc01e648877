"""Looks for the missing half of a card without disturbing the half that works.

PortAudio's list of devices is frozen until it is shut down, which kills every
stream: so a short-lived child process lists them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from rtvoiced.audio.cards.portaudio import chosen, devices
from rtvoiced.errors import AudioError
from rtvoiced.vocabulary import Direction

PERIOD_S = 10.0
PERIOD_MAX_S = 320.0
"""A device that is listed but can't be opened must not cost the working half its stream every 10 s."""
LOOK_S = 10.0
NICE = 10


class DeviceWatch:
    """Tells which directions could be had; `Duplex` asks each round, so this never waits."""

    def __init__(
        self,
        input_name: str = "",
        output_name: str = "",
        command: tuple[str, ...] = (),
        period_s: float = PERIOD_S,
    ) -> None:
        self._command = command
        if not command:
            self.look_for(input_name, output_name)
        self._child: subprocess.Popen[str] | None = None
        self._period = self._shortest = period_s
        self._next = self._deadline = 0.0

    def look_for(self, input_name: str, output_name: str) -> None:
        """Look for devices of these names from the next time on."""
        self._command = (sys.executable, "-m", __name__, input_name, output_name)

    def __call__(self, now: float) -> frozenset[str]:
        """Return the directions (``input``, ``output``) that a child has just found; mostly none."""
        if self._child is None:
            if self._next and now >= self._next:
                self._deadline = now + LOOK_S
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            self._next = self._next or now + self._period
            return frozenset()
        if self._child.poll() is None:
            if now > self._deadline:
                # A sound server that hangs takes its clients with it; the next look is a new one.
                self.close()
                self._next = now + self._period
            return frozenset()
        out, _ = self._child.communicate()
        failed = self._child.returncode != 0
        self._child = None
        found = frozenset[str]() if failed else frozenset(json.loads(out))
        self._period = min(2 * self._period, PERIOD_MAX_S) if len(found) == 2 else self._shortest
        self._next = now + self._period
        return found

    def close(self) -> None:
        """End a child that is still looking."""
        if self._child:
            self._child.kill()
            self._child.communicate()
            self._child = None


def main(input_name: str, output_name: str) -> int:
    """Print the directions that there are as a JSON list; the child's whole work."""
    os.nice(NICE)
    try:
        found = devices()
    except AudioError:
        return 1
    there = []
    names: dict[Direction, str] = {"input": input_name, "output": output_name}
    for direction, name in names.items():
        try:
            chosen(found, direction, name)
        except AudioError:
            continue
        there.append(direction)
    print(json.dumps(there))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
