"""All that one session needs done to its audio, in one object.

`rtvoiced_server.net.listener` makes one for each session, with a VAD model that it
borrows from a pool (`rtvoiced_server.audio.voice_activity`); the session
knows it as `rtvoiced_server.protocol.audio_port.AudioProcessing`.
"""

from __future__ import annotations

from rtvoiced.dsp.vad import VadModel, silero
from rtvoiced_server.audio.converters import StreamDecoder, StreamEncoder
from rtvoiced_server.audio.voice_activity import SileroDetector
from rtvoiced_server.protocol.formats import AudioFormat


class SessionAudio:
    """The detector and the converters of one session."""

    def __init__(self, model: VadModel | None = None) -> None:
        """*model* tells speech from the rest, for this session alone; without one it loads its own."""
        self._detector = SileroDetector(silero() if model is None else model)

    @property
    def detector(self) -> SileroDetector:
        """The session's own detector."""
        return self._detector

    def decoder(self, source: AudioFormat) -> StreamDecoder:
        """Return what turns a new stream in *source* into PCM at 24 kHz."""
        return StreamDecoder(source)

    def encoder(self, target: AudioFormat) -> StreamEncoder:
        """Return what turns a new stream of PCM at 24 kHz into *target*."""
        return StreamEncoder(target)
