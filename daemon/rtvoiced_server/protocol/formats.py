"""The audio formats of the wire; inside, all audio is PCM at 24 kHz.

This module knows how long audio of a format lasts and how it is cut; turning one
format into another is arithmetic on arrays, and comes in through
`rtvoiced_server.protocol.audio_port`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from rtvoiced_server.json_text import Json
from rtvoiced_server.vocabulary import AudioEncoding

TELEPHONE_HZ = 8_000
"""The rate of G.711."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How audio is written on the wire."""

    encoding: AudioEncoding
    hz: int
    frame_bytes: int
    description: str
    """What the real server's refusals call the format."""

    def duration_ms(self, size: int) -> int:
        """Return how long *size* bytes last, in milliseconds, rounded down."""
        return size // self.frame_bytes * 1000 // self.hz

    def size(self, ms: int) -> int:
        """Return how many bytes last *ms* milliseconds, rounded down to whole frames."""
        return self.hz * ms // 1000 * self.frame_bytes

    def slices(self, audio: bytes, ms: int) -> Iterator[bytes]:
        """Cut *audio* into pieces of *ms* milliseconds; the last piece is what is left."""
        for at in range(0, len(audio), self.size(ms)):
            yield audio[at : at + self.size(ms)]


PCM = AudioFormat(AudioEncoding.PCM, WIRE.hz, FRAME_BYTES, "mono PCM16 at 24kHz")
"""The format that is kept inside."""
FORMATS = {
    each.encoding: each
    for each in (
        PCM,
        AudioFormat(AudioEncoding.ULAW, TELEPHONE_HZ, 1, "mono G.711 u-law at 8kHz"),
        AudioFormat(AudioEncoding.ALAW, TELEPHONE_HZ, 1, "mono G.711 A-law at 8kHz"),
    )
}


def format_of(described: Json) -> AudioFormat:
    """Return the format that *described* names: an object of the session that was checked."""
    return FORMATS[described["type"]]
