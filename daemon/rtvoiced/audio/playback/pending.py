"""Audio that waits for the card, in order of play: taken block by block, cut, or held and taken up again.

`PlaybackQueue` owns one `PendingAudio` and calls it under its lock; it is not
thread-safe by itself. There is no clock and no device in it, only chunks of samples:

* *ready*: what is taken next;
* *held back*: what waits behind a hold;
* *past*: the last 200 ms that were taken, which a resume plays again.

Fades are made here, of the very next samples, because only here they are known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.playback.stream import Chunk
from rtvoiced.dsp.pcm import Part, Pcm

REWIND_MS = 200
"""Milliseconds that are heard again after a hold: the word that it fell into."""


Fade = Callable[[NDArray[np.int16]], NDArray[np.int16]]
"""Makes a fade of samples: `faded_out` or `faded_in`."""


class Piece(NamedTuple):
    """Samples in the order of play, and the positions that they cover in their part."""

    part: Part | None
    """None for the faded end of what was cut."""
    start: int
    end: int
    """Positions of the part before the first and after the last sample, in frames of the source."""
    samples: NDArray[np.int16]
    """int16, shape (frames,), at the card's rate."""


class PendingAudio:
    """Chunks that are ready, chunks that are held back, and the last of those that were taken."""

    def __init__(self) -> None:
        self._ready: deque[Chunk] = deque()
        self._held_back: deque[Chunk] = deque()
        """What waits behind a hold."""
        self._past: deque[Chunk] = deque()
        """Chunks taken to their end, the newest last: the last `REWIND_MS`, and what the oldest of them has
        more."""
        self._past_frames = 0
        self.held = False
        """Whether everything but fades is held back."""
        self.changes = 0
        """Counts cuts, holds and resumes: whoever converts chunks outside of the lock starts again after
        one."""

    @property
    def has_ready(self) -> bool:
        """Whether anything waits that is not held back."""
        return bool(self._ready)

    def __bool__(self) -> bool:
        """Return True while anything waits, held back or not."""
        return bool(self._ready or self._held_back)

    def append(self, chunks: Iterable[Chunk]) -> None:
        """Let *chunks* wait at the end, behind a hold if there is one."""
        (self._held_back if self.held else self._ready).extend(chunks)

    def take(self, frames: int) -> list[Piece]:
        """Return the next *frames*, or as many as are ready."""
        pieces = []
        while self._ready and (frames > 0 or not self._ready[0].left):
            chunk = self._ready[0]
            start = chunk.position if chunk.left else chunk.start
            samples = chunk.take(frames)
            frames -= len(samples)
            pieces.append(Piece(chunk.part, start, chunk.position, samples))
            if not chunk.left:
                self._remember(self._ready.popleft())
        return pieces

    def cut(self, fade_frames: int, *, lost: bool) -> tuple[list[tuple[Part, int]], int, deque[Chunk]]:
        """Drop everything but a fade of the next *fade_frames*; with *lost*, drop that, too.

        Returns the positions that fades bring their parts to, how many frames of
        fades wait now, and the chunks that were dropped: freeing a minute of audio
        takes a while, and the caller does it outside of the lock. A fade that is
        on its way stays as it is.
        """
        fading = deque(chunk for chunk in self._ready if chunk.part is None)
        reached: list[tuple[Part, int]] = []
        if lost:
            fading.clear()
        elif self.held:
            for chunk in self._ready:
                if chunk.part is not None:
                    reached.append((chunk.part, chunk.end))
                    fading.append(Chunk(None, chunk.samples[chunk.taken :], chunk.hz, 0, 0))
        elif not fading and fade_frames:
            hz = self._ready[0].hz if self._ready else 0
            pieces = self.take(fade_frames)
            reached = [(piece.part, piece.end) for piece in pieces if piece.part is not None]
            samples = _joined(pieces)
            if len(samples):
                fading.append(Chunk(None, faded_out(samples), hz, 0, 0))
        dropped = deque([*self._ready, *self._held_back, *self._past])
        self._ready, self._held_back, self.held = fading, deque(), False
        self.forget()
        self.changes += 1
        return reached, sum(chunk.left for chunk in fading), dropped

    def hold(self, fade_frames: int) -> tuple[list[tuple[Part, int]], int]:
        """Hold everything back behind a fade of the next *fade_frames*.

        Returns the positions that fades bring their parts to, and how many
        frames of fades wait. A fade that is on its way stays as it is.
        """
        if not self.held:
            cut = [chunk for chunk in self._ready if chunk.part is None]
            self._ready = deque(chunk for chunk in self._ready if chunk.part is not None)
            # What a resume has faded in and is not heard yet goes with this fade.
            rest = sum(chunk.left for chunk in self._ready if chunk.fade)
            fading = self._faded(max(rest, 0 if cut else fade_frames), faded_out)
            self._ready, self._held_back, self.held = deque([*cut, *fading]), self._ready, True
            self.changes += 1
        reached = [(chunk.part, chunk.end) for chunk in self._ready if chunk.part is not None]
        return reached, sum(chunk.left for chunk in self._ready)

    def resume(self, part: Part | None, fade_frames: int) -> int | None:
        """Take up again what was held back, faded in, and *part* from `REWIND_MS` before.

        Returns the position where *part* goes on; None where nothing of it is
        heard again, or nothing was held.
        """
        if not self.held:
            return None
        fading, self._ready = self._ready, self._held_back
        self._held_back, self.held = deque(), False
        self.changes += 1
        again = self._rewind(part) if part is not None else None
        rising = self._faded(fade_frames, faded_in) if again is not None else []
        self._ready = deque([*fading, *rising, *self._ready])
        return again

    def chunks(self) -> list[Chunk]:
        """Return all chunks that wait, ready or held back, in order of play."""
        return [*self._ready, *self._held_back]

    def replace(self, chunks: list[Chunk]) -> None:
        """Let *chunks* wait in place of `chunks()`, one for one."""
        ready = len(self._ready)
        self._ready, self._held_back = deque(chunks[:ready]), deque(chunks[ready:])

    def forget(self) -> None:
        """Forget what was taken: nothing of it is heard again."""
        self._past.clear()
        self._past_frames = 0

    # Within

    def _remember(self, chunk: Chunk) -> None:
        """Keep a chunk that was taken to its end, and forget those that are older than `REWIND_MS`."""
        if chunk.part is None or chunk.fade:
            return
        self._past.append(chunk)
        self._past_frames += len(chunk.samples)
        while self._past_frames - len(self._past[0].samples) >= Pcm(chunk.hz).frames(REWIND_MS):
            self._past_frames -= len(self._past.popleft().samples)

    def _rewind(self, part: Part) -> int | None:
        """Put the last `REWIND_MS` of *part* before what waits; return the position there, or None."""
        head = self._ready[0] if self._ready else None
        if head is not None and head.part != part:
            return None
        hz = head.hz if head is not None else self._past[-1].hz if self._past else 0
        left = Pcm(hz).frames(REWIND_MS)
        if head is not None:
            step = min(head.taken, left)
            head.taken -= step
            left -= step
        while left > 0 and (head is None or not head.taken) and self._past and self._past[-1].part == part:
            head = self._past.pop()
            self._past_frames -= len(head.samples)
            head.taken = max(0, len(head.samples) - left)
            left -= len(head.samples) - head.taken
            self._ready.appendleft(head)
        if head is None:
            return None
        return head.position if head.left else head.start

    def _faded(self, frames: int, shape: Fade) -> list[Chunk]:
        """Take the next *frames*; return them as chunks of their own, faded."""
        hz = self._ready[0].hz if self._ready else 0
        pieces = self.take(frames) if frames else []
        samples, chunks, at = shape(_joined(pieces)), [], 0
        for piece in pieces:
            end = at + len(piece.samples)
            chunks.append(Chunk(piece.part, samples[at:end], hz, piece.start, piece.end, fade=True))
            at = end
        return chunks


def faded_out(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return *samples* (int16, shape (frames,)) going down to nothing on half a cosine.

    That curve has no corner at either end, so there is no click.
    """
    curve = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, len(samples) + 1) / max(1, len(samples)))
    return np.asarray(np.rint(samples * curve), dtype=np.int16)


def faded_in(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return *samples* coming up from nothing, as `faded_out` goes down."""
    return faded_out(samples[::-1])[::-1]


def _joined(pieces: list[Piece]) -> NDArray[np.int16]:
    return np.concatenate([piece.samples for piece in pieces] or [np.zeros(0, np.int16)])
