"""How loud it is, for whoever watches: the event `level`.

The audio reports hand over every 20 ms of the microphone. At most 20 times a
second, and only while somebody subscribed to `level`, the loudness of microphone
and speaker is published. A muted microphone is told as silence: nobody learns from
the level whether somebody speaks.
"""

from __future__ import annotations

from collections.abc import Callable

from rtvoiced.audio.capture.front_end import FrontEnd
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.dsp.loudness import dbfs
from rtvoiced.ipc.contract.events import Level
from rtvoiced.ipc.server.publisher import Publisher

PERIOD_S = 0.05
"""Seconds between two events: at most 20 a second."""


class LevelMeter:
    """Decides when the next `level` is due, and measures it."""

    def __init__(self) -> None:
        self._next = 0.0

    def measured(self, microphone: bytes, speaker: bytes, vad: float | None, now: float) -> Level | None:
        """Return the loudness of the newest blocks, s16le mono, or None while it is too soon.

        *vad* is the probability of speech, 0 to 1, where a VAD of our own runs;
        *now* is CLOCK_MONOTONIC seconds.
        """
        if now < self._next:
            return None
        self._next = now + PERIOD_S
        return Level(dbfs(microphone), dbfs(speaker), None if vad is None else round(vad, 2))


class LevelFeed:
    """Publishes `level` while somebody listens; *muted* tells whether the microphone is off."""

    def __init__(
        self,
        publisher: Publisher,
        playback: PlaybackQueue,
        front_end: FrontEnd,
        muted: Callable[[], bool],
    ) -> None:
        self._publisher = publisher
        self._playback = playback
        self._front_end = front_end
        self._muted = muted
        self._meter = LevelMeter()

    def block(self, pcm: bytes, now: float) -> None:
        """Take 20 ms of the microphone, s16le mono, at *now*, CLOCK_MONOTONIC seconds."""
        if not self._publisher.subscribed("level"):
            return
        microphone, vad = (b"", None) if self._muted() else (pcm, self._front_end.probability)
        if level := self._meter.measured(microphone, self._playback.latest, vad, now):
            self._publisher.publish(level)
