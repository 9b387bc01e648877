"""Lists the sound devices of the machine, by a short-lived child process.

PortAudio makes its list of devices once and keeps it until it is shut down, and
shutting it down ends every stream. A process that plays therefore never lists
devices itself: it starts this module as a child (``python -m
rtvoiced.audio.cards.device_list``), which prints the list as JSON and ends.

Two parts of the daemon ask: the commands `devices` and `set-device`, for which
somebody waits, and `DeviceWatch`, which nobody waits for and whose children
therefore run at a lower priority (`BACKGROUND`). Everything here belongs to the
loop; the audio thread starts no process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rtvoiced.audio.cards.portaudio import FoundDevice, devices
from rtvoiced.errors import AudioError

COMMAND = (sys.executable, "-m", "rtvoiced.audio.cards.device_list")
"""Starts the child at the priority of the daemon."""
NICENESS = 10
BACKGROUND = (*COMMAND, str(NICENESS))
"""Starts the child at a lower priority, so that it never takes the processor from the audio thread."""
LIST_S = 2.0
"""Seconds that somebody who asks may have to wait: a sound server that hangs makes its clients hang, too."""


class DeviceList:
    """Lists the devices; everybody who asks while a child is running gets what that child finds."""

    def __init__(self, command: tuple[str, ...] = COMMAND, timeout_s: float = LIST_S) -> None:
        self._command = command
        self._timeout_s = timeout_s
        self._looking: asyncio.Task[tuple[FoundDevice, ...]] | None = None

    async def now(self) -> tuple[FoundDevice, ...]:
        """Return the devices that there are now.

        Raises AudioError where they can't be listed, and TimeoutError where the
        child did not answer in time; the child is killed then.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        """Kill a child that is still running, and wait until it is gone."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    async def _look(self) -> tuple[FoundDevice, ...]:
        child = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                out, _ = await child.communicate()
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        if child.returncode != 0:
            raise AudioError(out.decode("utf-8", "replace").strip() or "the devices can't be listed")
        return tuple(FoundDevice(**each) for each in json.loads(out))


def main(arguments: Sequence[str]) -> int:
    """Print the devices as a JSON list, or why there is none: the child's whole work.

    *arguments* may hold one niceness, by which the child lowers its own priority first.
    """
    for niceness in arguments:
        os.nice(int(niceness))
    try:
        print(json.dumps([asdict(each) for each in devices()]))
    except AudioError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
