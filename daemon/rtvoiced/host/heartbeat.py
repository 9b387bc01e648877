"""What goes on while nothing happens: the heartbeat, the look at the audio thread, the watchdog's word.

`HeartbeatLoop.run` is a task of the daemon's loop, and nothing else beats: when the loop hangs, the
heartbeats stop, and the service manager's watchdog sees it. When the audio thread hangs in a call to the
sound system, the watchdog gets no word either, and after two looks the daemon ends by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rtvoiced.host.notify import ServiceNotifier

HEARTBEAT_S = 1.0
"""Seconds between two heartbeats."""
STALL_S = 10.0
"""Seconds without a round of the audio thread after which it hangs; any card takes less to open."""
STALLS = 2
"""Looks in a row at which it must hang to be given up: after a sleep of the whole machine it is late once."""


class HeartbeatLoop:
    """Beats in the loop, so that it stops when the loop does.

    *beat* publishes the heartbeat; *line* returns what the service manager shows;
    *audio_beat* returns when the audio thread's last round was (CLOCK_MONOTONIC
    seconds), and *stalled* is called when that thread is given up. *stall_s* is
    `STALL_S`, but for tests.
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
        """Tell the service manager that all is ready, and beat until this is cancelled."""
        self._notify.ready(self._line())
        async with asyncio.TaskGroup() as both:
            both.create_task(self._beats())
            both.create_task(self._alive())

    def reload(self, read: Callable[[], None]) -> None:
        """Call *read*, which reads the configuration again, and tell the service manager before and after."""
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
        """Give the audio thread up when it hangs: only a new start of the daemon helps then."""
        self._stalls = 0 if self._audio_lives() else self._stalls + 1
        if self._stalls == STALLS:
            self._stalled()

    async def _alive(self) -> None:
        """Tell the watchdog twice in its time that all is well, and nothing while it is not."""
        if self._notify.watchdog_s is None:
            return
        while True:
            if self._audio_lives():
                self._notify.alive()
            await asyncio.sleep(self._notify.watchdog_s / 2)

    def _audio_lives(self) -> bool:
        return time.monotonic() - self._audio_beat() <= self._stall_s
