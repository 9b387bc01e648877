"""Lists the sound devices from a short-lived child process.

PortAudio's list is frozen until it is shut down, which kills every stream: so
never in a process that plays.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import asdict

from rtvoiced.audio.cards.portaudio import FoundDevice, devices
from rtvoiced.errors import AudioError

COMMAND = (sys.executable, "-m", "rtvoiced.audio.cards.device_list")
LIST_S = 2.0
"""How long who asks may have to wait: a sound server that hangs hangs us as well."""


class DeviceList:
    """What there is now; who asks while a child is looking gets what that one finds."""

    def __init__(self, command: tuple[str, ...] = COMMAND, timeout_s: float = LIST_S) -> None:
        self._command = command
        self._timeout_s = timeout_s
        self._looking: asyncio.Task[tuple[FoundDevice, ...]] | None = None

    async def now(self) -> tuple[FoundDevice, ...]:
        """Return the devices. Raises AudioError, or TimeoutError after 2 s."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        """End a child that is still looking."""
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


def main() -> int:
    """Print the devices as a JSON list, or why there is none; the child's whole work."""
    try:
        print(json.dumps([asdict(each) for each in devices()]))
    except AudioError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
