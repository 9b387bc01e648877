"""What waits to be heard: the queue between the loop and the audio thread.

One short lock. The loop resamples outside of it, and the thread takes 10 ms at
a time; `Ledger` keeps the books of what went where.
"""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.events import CutResult, Drained, Held, Resumed, Started
from rtvoiced.audio.playback.ledger import Ledger, Progress
from rtvoiced.audio.playback.pending import Pending
from rtvoiced.audio.playback.stream import Chunk, ResampledStream, converted
from rtvoiced.dsp.pcm import BLOCK_MS, Part, Pcm

VOLUME_MAX_PERCENT = 200


class PlaybackQueue:
    """The speaker's queue.

    `push`, `finish`, `finish_response`, `cut`, `hold`, `resume`, `set_volume`, `set_fade`,
    `reports`, `progress` and `sounding` are for the loop; `take`, `note` and `retune` for
    the audio thread.
    """

    def __init__(self, hz: int, fade_ms: float = 5, volume_percent: int = 100) -> None:
        self._lock = Lock()
        self._ledger = Ledger()
        self._pending = Pending()
        self._hz = hz
        self._fade_ms = fade_ms
        self._streams: dict[str, ResampledStream] = {}
        """By response id: only the loop touches these."""
        self._fill = 0
        """Frames in the card, as far as is known: at the last note, and taken since."""
        self._flowing = False
        """The newest frame handed over belongs to an answer: only then is there anything to fade."""
        self._place: Part | None = None
        """Of a hold: the part that was audible."""
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

    def cut(self, lost_frames: int = 0) -> CutResult:
        """Swap what is queued for a fade of its next samples; return what was heard.

        What the card holds will sound, and so will the fade: both count as
        heard. With *lost_frames* the card was lost with that much in it: these
        do not count, and there is nothing to fade. A fade that is still on its
        way stays as it is.
        """
        self._streams.clear()
        with self._lock:
            reached, fade_frames, dropped = self._pending.cut(self._fade_frames(), lost=bool(lost_frames))
            silence_ms = 0.0 if lost_frames else (self._fill + fade_frames) * 1000 / self._hz
            self._flowing = False
            heard = self._ledger.cut(reached, fade_frames, lost_frames, silence_ms)
        # Here the last reference goes: a minute of audio is not given back under the lock.
        dropped.clear()
        return heard

    def hold(self) -> Held:
        """Fade out and keep back all that is queued, and what comes, until `resume` or `cut`.

        As with a cut, what the card holds will sound, and so will the fade.
        """
        with self._lock:
            reached, fade_frames = self._pending.hold(self._fade_frames())
            held = self._ledger.held(reached, (self._fill + fade_frames) * 1000 / self._hz)
            self._place = held.part
        return held

    def resume(self) -> Resumed:
        """Go on, faded in and a little before the place of the hold; without a hold nothing happens."""
        with self._lock:
            part = self._place if self._place is not None and self._ledger.has(self._place) else None
            position = self._pending.resume(part, Pcm(self._hz).frames(self._fade_ms))
            self._place = None
            return self._ledger.resumed(part, position)

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
            return bool(self._pending) or self._ledger.in_card_sounds

    @property
    def audible(self) -> bool:
        """As `sounding`, but for what is held back."""
        with self._lock:
            return self._pending.going_out or self._ledger.in_card_sounds

    # The audio thread's side

    def take(self, frames: int) -> bytes:
        """Return exactly *frames* for the card: silence where nothing is queued."""
        block = np.zeros(frames, np.int16)
        with self._lock:
            at = 0
            for piece in self._pending.take(frames):
                count = len(piece.samples)
                block[at : at + count] = piece.samples
                at += count
                if piece.part:
                    self._ledger.hand(piece.part, piece.end, count, piece.start)
                else:
                    self._ledger.hand_fade(count)
                self._flowing = piece.part is not None
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
                self._pending.forget()
                chunks = self._pending.chunks()
                stale = [chunk for chunk in chunks if chunk.hz != hz]
                if not stale:
                    self._hz, self._fill = hz, 0
                    self._ledger.in_card(0)
                    return
                moves, done = self._pending.moves, len(chunks) - len(stale)
            # A minute of audio takes 0.1 s, and the loop must not wait so long: what it pushes comes next.
            fresh = converted(stale, hz)
            with self._lock:
                if moves == self._pending.moves:
                    chunks = self._pending.chunks()
                    self._pending.replace([*chunks[:done], *fresh, *chunks[done + len(stale) :]])

    # Within

    def _stream(self, response_id: str, hz: int) -> ResampledStream:
        stream = self._streams.get(response_id)
        if stream and (stream.hz != hz or stream.card_hz != self._hz):
            self._append(stream.flush())
            stream = None
        if stream is None:
            with self._lock:
                known = {key for key in self._streams if self._ledger.knows(key)}
            self._streams = {key: kept for key, kept in self._streams.items() if key in known}
            stream = self._streams[response_id] = ResampledStream(hz, self._hz)
        return stream

    def _append(self, chunks: list[Chunk]) -> None:
        while chunks:
            with self._lock:
                hz = self._hz
                if all(chunk.hz == hz for chunk in chunks):
                    self._pending.append(chunks)
                    return
            chunks = converted(chunks, hz)

    def _fade_frames(self) -> int:
        """Return how long a fade is to be: where nothing sounds, there is nothing to fade."""
        return Pcm(self._hz).frames(self._fade_ms) if self._flowing else 0

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
