"""What goes on while nothing happens: the heartbeat, the look at the audio thread, the watchdog's word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rtvoiced.host.notify import ServiceNotifier

HEARTBEAT_S = 1.0
STALL_S = 10.0
"""So long without a round of the audio thread: longer than any card takes to open."""
STALLS = 2
"""In a row: after a sleep of the whole machine the audio thread is late as well, once."""


class HeartbeatLoop:
    """Beats in the loop, so that it stops when the loop does.

    *beat* publishes the heartbeat, *line* is what the service manager shows,
    *audio_beat* is CLOCK_MONOTONIC seconds of the audio thread's last round,
    *stalled* is called when that thread is given up.
    """

    def __init__(
        self,
        beat: Callable[[], None],
        line: Callable[[], str],
        audio_beat: Callable[[], float],
        stalled: Callable[[], None],
        notify: ServiceNotifier,
        stall_s: float,
    ) -> None:
        self._beat = beat
        self._line = line
        self._audio_beat = audio_beat
        self._stalled = stalled
        self._notify = notify
        self._stall_s = stall_s
        self._stalls = 0

    async def run(self) -> None:
        """Beat until it is cancelled; the service manager is told first that all is ready."""
        self._notify.ready(self._line())
        async with asyncio.TaskGroup() as both:
            both.create_task(self._beats())
            both.create_task(self._alive())

    def reload(self, read: Callable[[], None]) -> None:
        """Tell the service manager that the configuration is read, while *read* does it."""
        self._notify.reloading()
        read()
        self._notify.ready(self._line())

    async def _beats(self) -> None:
        while True:
            self._beat()
            self._notify.status(self._line())
            self._check_audio()
            await asyncio.sleep(HEARTBEAT_S)

    def _check_audio(self) -> None:
        """A sound system that hangs in a call can't be helped from within: end, and be started anew."""
        self._stalls = 0 if self._audio_lives() else self._stalls + 1
        if self._stalls == STALLS:
            self._stalled()

    async def _alive(self) -> None:
        """Tell the watchdog that all is well, and nothing while it is not."""
        if self._notify.watchdog_s is None:
            return
        while True:
            if self._audio_lives():
                self._notify.alive()
            await asyncio.sleep(self._notify.watchdog_s / 2)

    def _audio_lives(self) -> bool:
        return time.monotonic() - self._audio_beat() <= self._stall_s
