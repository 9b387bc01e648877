"""What waits to be sent to the server: control events are never lost, old audio is. Pure.

The link has one. On a stalled line the microphone goes on, and its audio piles up; what is
older than a second is dropped, because speech that late would only be answered too late.
Everything else, a cancel or a truncation, waits until it can be sent.
"""

from __future__ import annotations

from collections import deque

from rtvoiced.dsp.pcm import FRAME_BYTES
from rtvoiced.realtime.events import AppendAudio, ClientEvent

MOST_AUDIO = 50
"""How many audio events wait, at most: 50 of 20 ms are 1 s."""


class LinkOutbox:
    """A queue of client events, bounded by dropping the oldest audio."""

    def __init__(self, most_audio: int = MOST_AUDIO) -> None:
        self._waiting: deque[ClientEvent] = deque()
        self._most_audio = most_audio
        self._audio = 0
        self.dropped_frames = 0
        """Microphone audio that was dropped, in frames, since the start."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: ClientEvent) -> None:
        """Queue *event*; too much audio pushes the oldest audio out, wherever in the queue it stands."""
        self._waiting.append(event)
        if not isinstance(event, AppendAudio):
            return
        self._audio += 1
        if self._audio > self._most_audio:
            oldest = next(each for each in self._waiting if isinstance(each, AppendAudio))
            self._waiting.remove(oldest)
            self._audio -= 1
            self.dropped_frames += len(oldest.pcm) // FRAME_BYTES

    def take(self) -> ClientEvent:
        """Remove and return the event that waits longest; raises IndexError when there is none."""
        event = self._waiting.popleft()
        if isinstance(event, AppendAudio):
            self._audio -= 1
        return event

    def forget(self) -> None:
        """Drop everything: it was meant for a session that is gone; its audio counts as dropped."""
        while self._waiting:
            event = self.take()
            if isinstance(event, AppendAudio):
                self.dropped_frames += len(event.pcm) // FRAME_BYTES
