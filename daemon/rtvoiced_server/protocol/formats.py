"""The audio formats of the wire; inside, all audio is PCM at 24 kHz.

Streams are resampled as they come: whatever the chunks, and a chunk that
ends amid a sample waits for the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced_server.protocol.wire import Json
from rtvoiced_server.speech import g711

SLICE_MS = 1_000


@dataclass(frozen=True, slots=True)
class Form:
    """How audio is written on the wire."""

    hz: int
    frame_bytes: int
    name: str
    """As the real server's refusals call it."""
    decode: Callable[[bytes], NDArray[np.int16]]
    encode: Callable[[NDArray[np.int16]], bytes]

    def duration_ms(self, size: int) -> int:
        """Return how long *size* bytes last, in milliseconds, rounded down."""
        return size // self.frame_bytes * 1000 // self.hz

    def size(self, ms: int) -> int:
        """Return how many bytes last *ms* milliseconds, rounded down to whole frames."""
        return self.hz * ms // 1000 * self.frame_bytes

    def slices(self, audio: bytes, ms: int) -> Iterator[bytes]:
        """Cut *audio* into pieces of *ms* milliseconds, the last of what is left."""
        for at in range(0, len(audio), self.size(ms)):
            yield audio[at : at + self.size(ms)]


def _pcm_samples(data: bytes) -> NDArray[np.int16]:
    return np.frombuffer(data, np.int16)


FORMS = {
    "audio/pcm": Form(WIRE.hz, FRAME_BYTES, "mono PCM16 at 24kHz", _pcm_samples, np.ndarray.tobytes),
    "audio/pcmu": Form(g711.HZ, 1, "mono G.711 u-law at 8kHz", g711.ulaw_decode, g711.ulaw_encode),
    "audio/pcma": Form(g711.HZ, 1, "mono G.711 A-law at 8kHz", g711.alaw_decode, g711.alaw_encode),
}


PCM = FORMS["audio/pcm"]
"""What is kept inside."""


def form(described: Json) -> Form:
    """Return the format that the session's object *described*, which was checked, names."""
    return FORMS[described["type"]]


class Inlet:
    """One stream from the wire to PCM at 24 kHz; what comes is whole frames."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._resampler = Resampler(form.hz, WIRE.hz)

    def take(self, data: bytes) -> bytes:
        """Return what *data* makes ready; 1.9 ms of G.711 wait for what follows."""
        return self._resampler.process(self.form.decode(data)).tobytes()

    def flush(self) -> bytes:
        """End the stream: return what waited. All that came out is as long as what went in."""
        return self._resampler.flush().tobytes()


class Outlet:
    """One stream from PCM at 24 kHz to the wire, in chunks of any size."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._resampler = Resampler(WIRE.hz, form.hz)
        self._odd = b""
        """Half a sample, where a chunk ended in it."""

    def take(self, pcm: bytes) -> bytes:
        """Return what *pcm* makes ready. PCM goes out as it came, odd or not."""
        if self.form.hz == WIRE.hz:
            return pcm
        data = self._odd + pcm
        whole = len(data) - len(data) % FRAME_BYTES
        self._odd = data[whole:]
        return self.form.encode(self._resampler.process(np.frombuffer(data[:whole], np.int16)))

    def flush(self) -> bytes:
        """End the stream: return what waited."""
        self._odd = b""
        return self.form.encode(self._resampler.flush())


def converted(audio: bytes, source: Form, target: Form) -> Iterator[bytes]:
    """Return *audio*, which is whole, in another format, by the second: each is 4 ms of work."""
    if source is target:
        yield audio
        return
    inlet, outlet = Inlet(source), Outlet(target)
    for piece in source.slices(audio, SLICE_MS):
        yield outlet.take(inlet.take(piece))
    yield outlet.take(inlet.flush()) + outlet.flush()
