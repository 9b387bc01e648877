"""The queue of what is to be heard, between the loop and the audio thread.

The loop pushes what the server sent, and cuts, holds and resumes; the audio thread
takes 10 ms at a time, and notes how much the card holds. `PendingAudio` keeps what
waits, `Ledger` the books of what was handed to the card and heard.

Both threads share one lock, which nobody holds for long: the loop resamples
outside of it, converts a queue for a card of another rate outside of it, and frees
dropped audio outside of it.

>>> queue = PlaybackQueue(24_000)
>>> queue.push(Part("r1", "i1"), bytes(480), 24_000)
>>> queue.cut().dropped_ms
10
"""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.events import CutResult, Drained, Held, Resumed, Started
from rtvoiced.audio.playback.ledger import Ledger, Progress
from rtvoiced.audio.playback.pending import PendingAudio
from rtvoiced.audio.playback.stream import Chunk, ResampledStream, converted
from rtvoiced.dsp.pcm import BLOCK_MS, Part, Pcm

VOLUME_MAX_PERCENT = 200
"""The queue could play twice as loud; the setting allows 100."""


class PlaybackQueue:
    """The queue of one daemon's speaker, which takes frames at *hz* until `retune`.

    `take`, `note` and `retune` are for the audio thread, all else for the loop;
    `sounding` and `audible` are for both. *fade_ms* is how long a cut or a hold
    takes to fade.
    """

    def __init__(self, hz: int, fade_ms: float = 5, volume_percent: int = 100) -> None:
        self._lock = Lock()
        self._ledger = Ledger()
        self._pending = PendingAudio()
        self._hz = hz
        self._fade_ms = fade_ms
        self._streams: dict[str, ResampledStream] = {}
        """By response id, the resampler of each; only the loop touches these."""
        self._fill = 0
        """Frames in the card, as far as is known: at the last note, and those taken since."""
        self._flowing = False
        """Whether the newest frame handed over belongs to a response: only then is there anything to fade."""
        self._held_part: Part | None = None
        """The part that was audible at the hold; None without a hold."""
        self._announced = False
        """Whether `note` has told of reports that nobody has fetched yet."""
        self._gain = self._gain_wanted = _gain(volume_percent)
        """The volume as a factor, as it is and as it is to become."""
        self.latest = b""
        """The newest block that went to the card, s16le mono, for whoever measures how loud it is."""

    @property
    def hz(self) -> int:
        """The card's rate, which is the rate of what `take` returns."""
        return self._hz

    # The loop's side

    def push(self, part: Part, pcm: bytes, hz: int) -> None:
        """Queue *pcm*, s16le mono at *hz*, as the next audio of *part*.

        It may end within a frame: the odd byte waits for the next audio of the
        same response. Raises ValueError when the rate of a part changes.
        """
        stream = self._stream(part.response_id, hz)
        samples = stream.frames(pcm)
        if not len(samples):
            return
        with self._lock:
            position = self._ledger.receive(part, len(samples), hz)
        self._append(stream.feed(part, position, samples))

    def finish(self, part: Part) -> None:
        """Note that no more audio of *part* will come; of a part that is not here, nothing happens."""
        stream = self._streams.get(part.response_id)
        if stream and stream.newest == part:
            # Its last millisecond must not wait for the next part, which may be long in coming.
            self._append(stream.flush())
        with self._lock:
            self._ledger.finish(part)

    def finish_response(self, response_id: str) -> None:
        """Note that no more audio of any part of this response will come."""
        stream = self._streams.pop(response_id, None)
        if stream:
            self._append(stream.flush())
        with self._lock:
            self._ledger.finish_response(response_id)

    def cut(self, lost_frames: int = 0) -> CutResult:
        """Swap what is queued for a fade of its next samples; return what was heard of each open part.

        What the card holds will sound, and so will the fade: both count as
        heard. With *lost_frames* the card was lost with so many frames in it:
        these do not count, and there is nothing to fade. A fade that is still on
        its way stays as it is.
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
            held = self._ledger.hold(reached, (self._fill + fade_frames) * 1000 / self._hz)
            self._held_part = held.part
        return held

    def resume(self) -> Resumed:
        """Go on, faded in and 200 ms before the place of the hold; without a hold nothing happens."""
        with self._lock:
            held = self._held_part
            part = held if held is not None and self._ledger.has(held) else None
            position = self._pending.resume(part, Pcm(self._hz).frames(self._fade_ms))
            self._held_part = None
            return self._ledger.resume(part, position)

    def set_volume(self, percent: int) -> None:
        """Change the volume, over one block. Raises ValueError outside of 0 to 200 percent."""
        self._gain_wanted = _gain(percent)

    def set_fade(self, ms: float) -> None:
        """Let the next cut or hold fade for *ms* milliseconds."""
        self._fade_ms = ms

    def reports(self) -> list[Started | Drained]:
        """Return what has happened since this was last asked, in order."""
        with self._lock:
            self._announced = False
            return self._ledger.reports()

    def progress(self) -> Progress:
        """Return the audible part, and its position as a listener hears it now."""
        with self._lock:
            return self._ledger.progress()

    @property
    def sounding(self) -> bool:
        """Whether anything is queued, held back, or handed to the card and not yet out of it."""
        with self._lock:
            return bool(self._pending) or self._ledger.in_card_sounds

    @property
    def audible(self) -> bool:
        """Whether anything sounds or is about to: as `sounding`, but without what is held back."""
        with self._lock:
            return self._pending.has_ready or self._ledger.in_card_sounds

    # The audio thread's side

    def take(self, frames: int) -> bytes:
        """Return exactly *frames* for the card, s16le mono at `hz`: silence where nothing is queued."""
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
        self.latest = self._at_volume(block).tobytes()
        return self.latest

    def note(self, fill_frames: int, latency_ms: float) -> bool:
        """Note that the card holds *fill_frames* now, and that *latency_ms* lie between it and the ear.

        Returns True when `reports` has something new that was not told before.
        """
        with self._lock:
            self._fill = fill_frames
            self._ledger.in_card(fill_frames + Pcm(self._hz).frames(latency_ms))
            fresh = self._ledger.has_reports and not self._announced
            self._announced = self._announced or fresh
            return fresh

    def retune(self, hz: int) -> None:
        """Follow a card that was opened anew, at *hz*: its buffer is empty; what is queued is converted."""
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
                changes, done = self._pending.changes, len(chunks) - len(stale)
            # A minute of audio takes 0.1 s, and the loop must not wait so long: what it pushes comes next.
            fresh = converted(stale, hz)
            with self._lock:
                if changes == self._pending.changes:
                    chunks = self._pending.chunks()
                    self._pending.replace([*chunks[:done], *fresh, *chunks[done + len(stale) :]])

    # Within

    def _stream(self, response_id: str, hz: int) -> ResampledStream:
        """Return the stream of a response; a new one where it is new, or a rate has changed."""
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
        """Queue *chunks*, converted where the card's rate has changed meanwhile."""
        while chunks:
            with self._lock:
                hz = self._hz
                if all(chunk.hz == hz for chunk in chunks):
                    self._pending.append(chunks)
                    return
            chunks = converted(chunks, hz)

    def _fade_frames(self) -> int:
        """Return how many frames a fade is to have: where nothing sounds, there is nothing to fade."""
        return Pcm(self._hz).frames(self._fade_ms) if self._flowing else 0

    def _at_volume(self, block: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return *block* at the volume, which moves to a new one by at most full scale in one block."""
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
    """Return *percent* as a factor. Raises ValueError outside of 0 to 200."""
    if not 0 <= percent <= VOLUME_MAX_PERCENT:
        raise ValueError(f"volume {percent} is not between 0 and {VOLUME_MAX_PERCENT}")
    return percent / 100
