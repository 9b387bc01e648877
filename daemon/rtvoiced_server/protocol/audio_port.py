"""What a session needs done to audio, and does not do itself: conversions, and finding voices.

The protocol is pure and makes no arrays. `rtvoiced_server.audio` implements these
interfaces with numpy and Silero; tests may bring their own. One `AudioProcessing`
belongs to one session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rtvoiced_server.protocol.formats import AudioFormat

SLICE_MS = 1_000
"""How much telephone audio is converted in one go: about 4 ms of work."""


class StreamConverter(Protocol):
    """Turns one stream of audio into another format, as it comes."""

    def take(self, audio: bytes) -> bytes:
        """Return what *audio* makes ready; a resampler holds back 1.9 ms of G.711 for what follows."""
        ...

    def flush(self) -> bytes:
        """End the stream: return what was held back. What came out is then as long as what went in."""
        ...


@dataclass(frozen=True, slots=True)
class VoiceEdge:
    """A voice begins or ends in the audio."""

    begins: bool
    ms: int
    """Since the detector began to listen; always a whole number of its windows."""


class VoiceActivityDetector(Protocol):
    """Finds where voices begin and end in one stream of PCM at 24 kHz."""

    @property
    def window_ms(self) -> int:
        """How much audio is judged at a time."""
        ...

    def begin(self, threshold: float, silence_ms: int) -> None:
        """Listen anew: a voice is likelier than *threshold*, and over after *silence_ms* without one."""
        ...

    def process(self, pcm: bytes) -> list[VoiceEdge]:
        """Listen to *pcm*, whole frames at 24 kHz; return the edges that it decided, in order."""
        ...

    def reset(self) -> None:
        """Forget a voice that has begun and what led to one; the time goes on."""
        ...


class AudioProcessing(Protocol):
    """All that one session needs done to its audio."""

    @property
    def detector(self) -> VoiceActivityDetector:
        """The session's own detector."""
        ...

    def decoder(self, source: AudioFormat) -> StreamConverter:
        """Return what turns a new stream of whole frames in *source* into PCM at 24 kHz."""
        ...

    def encoder(self, target: AudioFormat) -> StreamConverter:
        """Return what turns a new stream of PCM at 24 kHz, in chunks of any size, into *target*."""
        ...


def converted(
    processing: AudioProcessing, audio: bytes, source: AudioFormat, target: AudioFormat
) -> Iterator[bytes]:
    """Yield the whole of *audio* in another format, a second at a time: each is about 4 ms of work."""
    if source is target:
        yield audio
        return
    decoder, encoder = processing.decoder(source), processing.encoder(target)
    for piece in source.slices(audio, SLICE_MS):
        yield encoder.take(decoder.take(piece))
    yield encoder.take(decoder.flush()) + encoder.flush()
