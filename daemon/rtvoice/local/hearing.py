"""The input audio buffer: what the client appended, and the turns that the server's VAD finds in it, pure.

The clock is the audio itself: every appended frame counts, silence too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtvoice.audio.pcm import FRAME_BYTES, WIRE
from rtvoice.audio.resample import Resampler
from rtvoice.audio.vad import VAD_HZ, WINDOW_MS, Onset, VoiceDetector
from rtvoice.local.wire import Json, Refused, new_id

SLICE_MS = 100
"""What is listened to in one go: 6 ms of work at most, then others have their turn."""
LONGEST_MS = 300_000
"""What the buffer holds; of more, the newest."""
SHORTEST_COMMIT_MS = 100
ONSET_REACH_MS = 100
"""How long before its detection a voice may have begun: the onset's windows, rounded up."""
# Silences of semantic_vad: it is judged by time here, there is nobody who could understand the sentence.
SILENCE_MS_OF_EAGERNESS = {"low": 1_000, "medium": 600, "auto": 600, "high": 300}
PREFIX_MS = 300


@dataclass(frozen=True, slots=True)
class Began:
    """The VAD heard a voice begin."""

    item_id: str
    start_ms: int
    """Since the session's start, the padding included."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The VAD heard it end; its audio is taken out of the buffer."""

    item_id: str
    end_ms: int
    audio: bytes


class InputBuffer:
    """One session's input."""

    def __init__(self, turn_detection: Json | None) -> None:
        self._resampler = Resampler(WIRE.hz, VAD_HZ)
        self._audio = bytearray()
        self._from = 0
        """Where `_audio` begins, in bytes since the session's start."""
        self._heard = 0
        """How far the VAD is, in bytes since the session's start."""
        self._detector: list[VoiceDetector] = []
        self._grid_ms = 0
        """When the detector began to listen, since the session's start."""
        self._turn: str | None = None
        self.detect(turn_detection)

    def detect(self, turn_detection: Json | None) -> None:
        """Begin anew with these settings (null: none); an open turn is dropped, its audio stays."""
        self._settings = turn_detection
        self._turn = None
        self._detector = []
        if turn_detection is None:
            return
        self._grid_ms = -(-WIRE.duration_ms(self._heard) // WINDOW_MS) * WINDOW_MS
        eagerness = SILENCE_MS_OF_EAGERNESS.get(str(turn_detection.get("eagerness")), 500)
        detector = VoiceDetector(
            threshold=turn_detection.get("threshold", 0.5),
            silence_ms=turn_detection.get("silence_duration_ms", eagerness),
        )
        self._detector.append(detector)

    @property
    def speaking(self) -> bool:
        """Whether a turn is open."""
        return self._turn is not None

    def append(self, audio: bytes) -> None:
        """Take *audio*; `listen` looks at it."""
        self._audio += audio
        if self._settings is None:
            self._heard = self._end
        self._drop(self._end - WIRE.size(LONGEST_MS))

    @property
    def waiting(self) -> bool:
        """Whether `listen` has something to do."""
        return self._heard < self._end

    def listen(self) -> list[Began | Ended]:
        """Look at the next 100 ms; return what begins and ends in them."""
        self._heard = max(self._heard, self._from)
        size = min(WIRE.size(SLICE_MS), self._end - self._heard)
        at = self._heard - self._from
        samples = np.frombuffer(bytes(self._audio[at : at + size]), np.int16)
        self._heard += size
        found: list[Began | Ended] = []
        for detector in self._detector:
            for decision in detector.process(self._resampler.process(samples)):
                ms = self._grid_ms + decision.frame * 1000 // VAD_HZ
                found.append(self._begin(ms) if isinstance(decision, Onset) else self._finish(ms))
        if self._turn is None:
            self._drop(self._heard - WIRE.size(self._prefix_ms + ONSET_REACH_MS))
        return found

    def commit(self) -> tuple[str, bytes]:
        """Take all audio out by hand; return its item's id and the audio, or raise `Refused`."""
        ms = len(self._audio) * 1000 / (WIRE.hz * FRAME_BYTES)
        if ms < SHORTEST_COMMIT_MS:
            raise Refused(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {ms:.2f}ms of audio.",
            )
        taken = self._turn or new_id("item"), bytes(self._audio)
        self.clear()
        return taken

    def clear(self) -> None:
        """Throw all audio away, and an open turn."""
        self._turn = None
        self._drop(self._end)
        for detector in self._detector:
            detector.reset()

    @property
    def _end(self) -> int:
        return self._from + len(self._audio)

    @property
    def _prefix_ms(self) -> int:
        return int((self._settings or {}).get("prefix_padding_ms", PREFIX_MS))

    def _begin(self, ms: int) -> Began:
        start = max(ms - self._prefix_ms, WIRE.duration_ms(self._from), 0)
        self._drop(WIRE.size(start))
        self._turn = new_id("item")
        return Began(self._turn, start)

    def _finish(self, ms: int) -> Ended:
        end = min(WIRE.size(ms), self._end) - self._from
        ended = Ended(self._turn or new_id("item"), ms, bytes(self._audio[: max(end, 0)]))
        self._turn = None
        return ended

    def _drop(self, until: int) -> None:
        """Forget what lies before *until*, in bytes since the session's start."""
        size = min(max(0, until - self._from), len(self._audio))
        del self._audio[:size]
        self._from += size
