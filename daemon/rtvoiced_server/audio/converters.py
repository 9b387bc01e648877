"""Streams of audio from the wire's formats to PCM at 24 kHz, and back.

Streams are resampled as they come, whatever the chunks. A chunk that ends amid a
sample waits for the rest of it, and a resampler holds back what it needs of the
audio that follows; `flush` ends the stream and gives that out, so that nothing is
lost and the length is right.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced_server.audio import g711
from rtvoiced_server.protocol.formats import AudioFormat
from rtvoiced_server.vocabulary import AudioEncoding


def _pcm_samples(data: bytes) -> NDArray[np.int16]:
    return np.frombuffer(data, np.int16)


DECODE: dict[AudioEncoding, Callable[[bytes], NDArray[np.int16]]] = {
    AudioEncoding.PCM: _pcm_samples,
    AudioEncoding.ULAW: g711.ulaw_decode,
    AudioEncoding.ALAW: g711.alaw_decode,
}
"""From bytes of the wire to samples, shape (frames,)."""
ENCODE: dict[AudioEncoding, Callable[[NDArray[np.int16]], bytes]] = {
    AudioEncoding.PCM: np.ndarray.tobytes,
    AudioEncoding.ULAW: g711.ulaw_encode,
    AudioEncoding.ALAW: g711.alaw_encode,
}
"""From samples, shape (frames,), to bytes of the wire."""


class StreamDecoder:
    """One stream from the wire to PCM at 24 kHz; what comes is whole frames."""

    def __init__(self, source: AudioFormat) -> None:
        self._decode = DECODE[source.encoding]
        self._resampler = Resampler(source.hz, WIRE.hz)

    def take(self, audio: bytes) -> bytes:
        """Return what *audio* makes ready; 1.9 ms of G.711 wait for what follows."""
        return self._resampler.process(self._decode(audio)).tobytes()

    def flush(self) -> bytes:
        """End the stream: return what waited. All that came out is as long as what went in."""
        return self._resampler.flush().tobytes()


class StreamEncoder:
    """One stream from PCM at 24 kHz to the wire, in chunks of any size."""

    def __init__(self, target: AudioFormat) -> None:
        self._as_it_is = target.hz == WIRE.hz
        self._encode = ENCODE[target.encoding]
        self._resampler = Resampler(WIRE.hz, target.hz)
        self._odd = b""
        """Half a sample, where a chunk ended in it."""

    def take(self, audio: bytes) -> bytes:
        """Return what *audio* makes ready. PCM goes out as it came, odd or not."""
        if self._as_it_is:
            return audio
        data = self._odd + audio
        whole = len(data) - len(data) % FRAME_BYTES
        self._odd = data[whole:]
        return self._encode(self._resampler.process(np.frombuffer(data[:whole], np.int16)))

    def flush(self) -> bytes:
        """End the stream: return what waited."""
        self._odd = b""
        return self._encode(self._resampler.flush())
