"""From the audio of one response to chunks for the card, each frame labelled with its part.

`PlaybackQueue` has a `ResampledStream` for each response, and works it in the loop,
outside of its lock. All of a response is resampled as one stream, so that there is no seam
between its parts; the output is then split where the parts meet. The positions in a
chunk are those of the source, so the ledger's books stay true at any rate of the card.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import FRAME_BYTES, Part
from rtvoiced.dsp.resample import Resampler


@dataclass(slots=True)
class Chunk:
    """Audio of one part, at the card's rate, waiting for the card."""

    part: Part | None
    """None for the faded end of what was cut."""
    samples: NDArray[np.int16]
    """int16, shape (frames,); may be empty, because a part can be shorter than a frame of the card."""
    hz: int
    """The rate of the samples."""
    start: int
    end: int
    """Positions of the part, in frames of the source, before the first and after the last sample."""
    taken: int = 0
    """How many of the samples were taken."""
    fade: bool = False
    """Whether this is a faded copy: the chunk that it was made of waits as well."""

    @property
    def left(self) -> int:
        """How many frames are not taken yet."""
        return len(self.samples) - self.taken

    @property
    def position(self) -> int:
        """The part's position after what was taken, rounded down."""
        if not self.left:
            return self.end
        return self.start + (self.end - self.start) * self.taken // len(self.samples)

    def take(self, frames: int) -> NDArray[np.int16]:
        """Return the next *frames* (int16, shape (frames,)), or as many as are left."""
        samples = self.samples[self.taken : self.taken + frames]
        self.taken += len(samples)
        return samples


@dataclass(slots=True)
class _Span:
    """A stretch of the stream that belongs to one part; all in frames of the source."""

    part: Part
    start: int
    end: int
    """Where in the stream it begins and ends."""
    offset: int
    """The part's position at `start`."""
    labelled: int
    """Up to where in the stream chunks were made of it."""


class ResampledStream:
    """The audio of one response, resampled as one stream from *hz* to *card_hz*."""

    def __init__(self, hz: int, card_hz: int) -> None:
        self.hz = hz
        self.card_hz = card_hz
        self._resampler = Resampler(hz, card_hz)
        self._odd = b""
        """The first byte of a frame, the second of which is still to come."""
        self._spans: deque[_Span] = deque()
        """The parts that output may still come of."""
        self._frames_in = 0
        self._frames_out = 0
        """Frames that went in and came out since the stream began."""

    @property
    def newest(self) -> Part | None:
        """The part that the resampler's tail belongs to; None when there is no tail."""
        return self._spans[-1].part if self._spans else None

    def frames(self, pcm: bytes) -> NDArray[np.int16]:
        """Return the whole frames of *pcm* and of the byte left from before: int16, shape (frames,)."""
        pcm = self._odd + pcm
        whole = len(pcm) // FRAME_BYTES * FRAME_BYTES
        self._odd = pcm[whole:]
        return np.frombuffer(pcm[:whole], "<i2")

    def feed(self, part: Part, position: int, samples: NDArray[np.int16]) -> list[Chunk]:
        """Take *samples* of *part* from its *position* on; return the chunks that are ready."""
        begin, self._frames_in = self._frames_in, self._frames_in + len(samples)
        if self._spans and self._spans[-1].part == part:
            self._spans[-1].end = self._frames_in
        else:
            self._spans.append(_Span(part, begin, self._frames_in, position, begin))
        return self._labelled(self._resampler.process(samples))

    def flush(self) -> list[Chunk]:
        """End the stream: return its last chunks. What comes next is a new stream."""
        chunks = self._labelled(self._resampler.flush())
        chunks += [
            self._chunk(span, np.zeros(0, np.int16), span.end)
            for span in self._spans
            if span.labelled < span.end
        ]
        self._spans.clear()
        self._frames_in = self._frames_out = 0
        return chunks

    def _labelled(self, samples: NDArray[np.int16]) -> list[Chunk]:
        """Split *samples* at the borders of parts: output n lies at frame ``n * down / up`` of the source."""
        up, down = self._resampler.up, self._resampler.down
        chunks = []
        while len(samples):
            span = self._spans[0]
            # The first output at or past the span's end is the next span's.
            count = min(len(samples), -(-span.end * up // down) - self._frames_out)
            self._frames_out += count
            end = min(span.end, self._frames_out * down // up)
            if count or span.labelled < span.end:
                chunks.append(self._chunk(span, samples[:count], end))
            samples = samples[count:]
            if len(samples):
                self._spans.popleft()
        return chunks

    def _chunk(self, span: _Span, samples: NDArray[np.int16], end: int) -> Chunk:
        """Return *samples* as the chunk of *span* that goes up to *end* of the stream."""
        start, span.labelled = span.labelled, end
        offset = span.offset - span.start
        return Chunk(span.part, samples, self.card_hz, offset + start, offset + end)


def converted(chunks: list[Chunk], hz: int) -> list[Chunk]:
    """Return *chunks*, which are all at one rate, at *hz*: their positions stay what they are."""
    resampler = Resampler(chunks[0].hz, hz)
    left = [chunk.samples[chunk.taken :] for chunk in chunks]
    samples = np.concatenate((resampler.process(np.concatenate(left)), resampler.flush()))
    fresh, frames, at = [], 0, 0
    for chunk, rest in zip(chunks, left, strict=True):
        frames += len(rest)
        end = -(-frames * resampler.up // resampler.down)
        fresh.append(Chunk(chunk.part, samples[at:end], hz, chunk.position, chunk.end, fade=chunk.fade))
        at = end
    return fresh
