"""What waits to be heard: the queue between the loop and the audio thread.

One short lock. The loop resamples outside of it, and the thread takes 10 ms at
a time; `Ledger` keeps the books of what went where.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from rtvoice.audio.ledger import Drained, Heard, Ledger, Progress, Started
from rtvoice.audio.pcm import BLOCK_MS, Part, Pcm
from rtvoice.audio.stream import Chunk, Stream, converted

VOLUME_MAX_PERCENT = 200


class Playback:
    """The speaker's queue.

    `push`, `finish`, `finish_response`, `cut`, `set_volume`, `set_fade`,
    `reports`, `progress` and `sounding` are for the loop; `take`, `note` and `retune` for
    the audio thread.
    """

    def __init__(self, hz: int, fade_ms: float = 5, volume_percent: int = 100) -> None:
        self._lock = Lock()
        self._ledger = Ledger()
        self._queue: deque[Chunk] = deque()
        self._hz = hz
        self._fade_ms = fade_ms
        self._streams: dict[str, Stream] = {}
        """By response id: only the loop touches these."""
        self._fill = 0
        """Frames in the card, as far as is known: at the last note, and taken since."""
        self._flowing = False
        """The newest frame handed over belongs to an answer: only then is there anything to fade."""
        self._cuts = 0
        self._announced = False
        self._gain = self._gain_wanted = _gain(volume_percent)
        self.latest = b""
        """The newest block that went to the card, s16le mono: how loud it is can be measured elsewhere."""

    @property
    def hz(self) -> int:
        """The card's rate: what `take` returns."""
        return self._hz

    # The loop's side

    def push(self, part: Part, pcm: bytes, hz: int) -> None:
        """Queue *pcm*, s16le mono at *hz*, as the next audio of *part*.

        A chunk may end within a frame: the odd byte waits for the next chunk of
        the same response. Raises ValueError when the rate of a part changes.
        """
        stream = self._stream(part.response_id, hz)
        samples = stream.frames(pcm)
        if not len(samples):
            return
        with self._lock:
            position = self._ledger.receive(part, len(samples), hz)
        self._append(stream.feed(part, position, samples))

    def finish(self, part: Part) -> None:
        """No more audio of *part* will come; of a part that is not here, nothing happens."""
        stream = self._streams.get(part.response_id)
        if stream and stream.newest == part:
            # Its last millisecond must not wait for the next part, which may be long in coming.
            self._append(stream.flush())
        with self._lock:
            self._ledger.finish(part)

    def finish_response(self, response_id: str) -> None:
        """No more audio of any part of this response will come."""
        stream = self._streams.pop(response_id, None)
        if stream:
            self._append(stream.flush())
        with self._lock:
            self._ledger.finish_response(response_id)

    def cut(self, lost_frames: int = 0) -> Heard:
        """Swap what is queued for a fade of its next samples; return what was heard.

        What the card holds will sound, and so will the fade: both count as
        heard. With *lost_frames* the card was lost with that much in it: these
        do not count, and there is nothing to fade. A fade that is still on its
        way stays as it is.
        """
        self._streams.clear()
        with self._lock:
            old, fading = self._queue, deque(chunk for chunk in self._queue if chunk.part is None)
            fade: list[tuple[Part, int]] = []
            if lost_frames:
                fading.clear()
            elif not fading and self._flowing:
                samples, fade = self._next(Pcm(self._hz).frames(self._fade_ms))
                if len(samples):
                    fading.append(Chunk(None, _faded(samples), self._hz, 0, 0))
            fade_frames = sum(chunk.left for chunk in fading)
            silence_ms = 0.0 if lost_frames else (self._fill + fade_frames) * 1000 / self._hz
            self._queue = fading
            self._flowing = False
            self._cuts += 1
            heard = self._ledger.cut(fade, fade_frames, lost_frames, silence_ms)
        # Here the last reference goes: a minute of audio is not given back under the lock.
        old.clear()
        return heard

    def set_volume(self, percent: int) -> None:
        """Change the volume, over one block. Raises ValueError outside 0 to 200."""
        self._gain_wanted = _gain(percent)

    def set_fade(self, ms: float) -> None:
        """Let the next cut fade for so long."""
        self._fade_ms = ms

    def reports(self) -> list[Started | Drained]:
        """Return what has happened since this was last asked, in order."""
        with self._lock:
            self._announced = False
            return self._ledger.reports()

    def progress(self) -> Progress:
        """Return the position of the audible part, as a listener hears it now."""
        with self._lock:
            return self._ledger.progress()

    @property
    def sounding(self) -> bool:
        """Anything is queued, or handed to the card and not yet out of it."""
        with self._lock:
            return bool(self._queue) or self._ledger.in_card_sounds

    # The audio thread's side

    def take(self, frames: int) -> bytes:
        """Return exactly *frames* for the card: silence where nothing is queued."""
        block = np.zeros(frames, np.int16)
        with self._lock:
            at = 0
            while self._queue and (at < frames or not self._queue[0].left):
                chunk = self._queue[0]
                samples = chunk.take(frames - at)
                block[at : at + len(samples)] = samples
                at += len(samples)
                if chunk.part:
                    self._ledger.hand(chunk.part, chunk.position, len(samples))
                else:
                    self._ledger.hand_fade(len(samples))
                self._flowing = chunk.part is not None
                if not chunk.left:
                    self._queue.popleft()
            if at < frames:
                self._ledger.hand_silence(frames - at)
                self._flowing = False
            self._fill += frames
        self.latest = self._louder(block).tobytes()
        return self.latest

    def note(self, fill_frames: int, latency_ms: float) -> bool:
        """Tell what the card holds now, and what lies between it and the ear.

        Return True once `reports` has something new.
        """
        with self._lock:
            self._fill = fill_frames
            self._ledger.in_card(fill_frames + Pcm(self._hz).frames(latency_ms))
            fresh = self._ledger.news and not self._announced
            self._announced = self._announced or fresh
            return fresh

    def retune(self, hz: int) -> None:
        """Follow a card that was opened again, at *hz*: its buffer is empty, what is queued is converted."""
        while True:
            with self._lock:
                self._flowing = False
                stale = [chunk for chunk in self._queue if chunk.hz != hz]
                if not stale:
                    self._hz, self._fill = hz, 0
                    self._ledger.in_card(0)
                    return
                cuts, done = self._cuts, len(self._queue) - len(stale)
            # A minute of audio takes 0.1 s, and the loop must not wait so long: what it pushes comes next.
            fresh = converted(stale, hz)
            with self._lock:
                if cuts == self._cuts:
                    chunks = list(self._queue)
                    self._queue = deque([*chunks[:done], *fresh, *chunks[done + len(stale) :]])

    # Within

    def _stream(self, response_id: str, hz: int) -> Stream:
        stream = self._streams.get(response_id)
        if stream and (stream.hz != hz or stream.card_hz != self._hz):
            self._append(stream.flush())
            stream = None
        if stream is None:
            with self._lock:
                known = {key for key in self._streams if self._ledger.knows(key)}
            self._streams = {key: kept for key, kept in self._streams.items() if key in known}
            stream = self._streams[response_id] = Stream(hz, self._hz)
        return stream

    def _append(self, chunks: list[Chunk]) -> None:
        while chunks:
            with self._lock:
                hz = self._hz
                if all(chunk.hz == hz for chunk in chunks):
                    self._queue.extend(chunks)
                    return
            chunks = converted(chunks, hz)

    def _next(self, frames: int) -> tuple[NDArray[np.int16], list[tuple[Part, int]]]:
        """Take the next *frames* of the queue, or what there is; tell where they bring each part."""
        samples, positions = [], []
        for chunk in self._queue:
            if frames <= 0:
                break
            samples.append(chunk.take(frames))
            frames -= len(samples[-1])
            assert chunk.part, "a fade is never faded again"
            positions.append((chunk.part, chunk.position))
        return np.concatenate(samples or [np.zeros(0, np.int16)]), positions

    def _louder(self, block: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return *block* at the volume, moving to a new volume by at most full scale in one block."""
        wanted = self._gain_wanted
        if self._gain == wanted == 1.0:
            return block
        step = 1.0 / Pcm(self._hz).frames(BLOCK_MS)
        way = np.arange(1, len(block) + 1) * step
        gains = (
            np.minimum(self._gain + way, wanted)
            if self._gain < wanted
            else np.maximum(self._gain - way, wanted)
        )
        if len(gains):
            self._gain = float(gains[-1])
        return np.asarray(np.clip(np.rint(block * gains), -32768, 32767), dtype="<i2")


def _gain(percent: int) -> float:
    if not 0 <= percent <= VOLUME_MAX_PERCENT:
        raise ValueError(f"volume {percent} is not between 0 and {VOLUME_MAX_PERCENT}")
    return percent / 100


def _faded(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return *samples* going down to nothing on half a cosine: no corner at either end, so no click."""
    curve = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, len(samples) + 1) / len(samples))
    return np.asarray(np.rint(samples * curve), dtype=np.int16)
