"""The input audio buffer: what the client appended, and the turns that the server's VAD finds in it, pure.

The clock is the audio itself: every appended frame counts, silence too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced.dsp.vad import VAD_HZ, WINDOW_MS, Onset, VadModel, VoiceDetector, silero
from rtvoiced_server.protocol.wire import Json, Refused, new_id

SLICE_MS = 100
"""What is listened to in one go: 6 ms of work at most, then others have their turn."""
LONGEST_MS = 300_000
"""What the buffer holds; of more, the newest."""
SHORTEST_COMMIT_MS = 100
ONSET_REACH_MS = 100
"""How long before its detection a voice may have begun: the onset's windows, rounded up."""
SILENCE_MS_OF_EAGERNESS = {"low": 2_000, "medium": 1_000, "auto": 1_000, "high": 500}
"""Of semantic_vad, which is judged by time here, for nobody could understand the sentence: a quarter of the
longest waits of the real one (8, 4 and 2 s)."""
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


@dataclass(frozen=True, slots=True)
class Idle:
    """Nobody spoke for the time of the idle timeout; the silence stays in the buffer, for a voice to come."""

    item_id: str
    start_ms: int
    """Where the wait began, since the session's start."""
    end_ms: int
    audio: bytes


@dataclass(frozen=True, slots=True)
class _Wait:
    """For a voice."""

    start_ms: int
    until_ms: int


class Judges:
    """The models that are loaded: one for each session at a time, and the next session's after it.

    Loaded and freed by many sessions at once, models leave holes that no other fits into: every 50 sessions
    at once left 100 MB more.
    """

    def __init__(self) -> None:
        self._free: list[VadModel] = []

    @contextmanager
    def lent(self) -> Iterator[VadModel]:
        """Lend one."""
        judge = self._free.pop() if self._free else silero()
        try:
            yield judge
        finally:
            self._free.append(judge)


class InputBuffer:
    """One session's input."""

    def __init__(self, turn_detection: Json | None, judge: VadModel | None = None) -> None:
        """*judge* is this buffer's alone; without one it loads its own."""
        self._judge = silero() if judge is None else judge
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
        self._wait: _Wait | None = None
        self.detect(turn_detection)

    def detect(self, turn_detection: Json | None) -> None:
        """Begin anew with these settings (null: none); an open turn is dropped, its audio stays."""
        self._settings = turn_detection
        self._turn = None
        self._wait = None
        self._detector = []
        if turn_detection is None:
            return
        self._grid_ms = -(-WIRE.duration_ms(self._heard) // WINDOW_MS) * WINDOW_MS
        eagerness = SILENCE_MS_OF_EAGERNESS.get(str(turn_detection.get("eagerness")), 500)
        self._judge.reset()
        detector = VoiceDetector(
            threshold=turn_detection.get("threshold", 0.5),
            silence_ms=turn_detection.get("silence_duration_ms", eagerness),
            model=self._judge,
        )
        self._detector.append(detector)

    @property
    def now_ms(self) -> int:
        """How much audio was appended since the session's start: the time."""
        return WIRE.duration_ms(self._end)

    def wait(self, start_ms: int, timeout_ms: int) -> None:
        """Tell of it when nobody speaks from *start_ms*, which may lie ahead, for *timeout_ms*."""
        self._wait = None if self._turn else _Wait(start_ms, start_ms + timeout_ms)

    def wait_no_more(self) -> None:
        """Tell of no silence."""
        self._wait = None

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

    def listen(self) -> list[Began | Ended | Idle]:
        """Look at the next 100 ms; return what begins and ends in them, or that nobody spoke for too long."""
        self._heard = max(self._heard, self._from)
        size = min(WIRE.size(SLICE_MS), self._end - self._heard)
        at = self._heard - self._from
        samples = np.frombuffer(bytes(self._audio[at : at + size]), np.int16)
        self._heard += size
        found: list[Began | Ended | Idle] = []
        for detector in self._detector:
            for decision in detector.process(self._resampler.process(samples)):
                ms = self._grid_ms + decision.frame * 1000 // VAD_HZ
                found.append(self._begin(ms) if isinstance(decision, Onset) else self._finish(ms))
        found += self._idle()
        if self._turn is None:
            keep = self._heard - WIRE.size(self._prefix_ms + ONSET_REACH_MS)
            self._drop(keep if self._wait is None else min(keep, WIRE.size(self._wait.start_ms)))
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
        self._wait = None
        self._turn = new_id("item")
        return Began(self._turn, start)

    def _finish(self, ms: int) -> Ended:
        end = min(WIRE.size(ms), self._end) - self._from
        ended = Ended(self._turn or new_id("item"), ms, bytes(self._audio[: max(end, 0)]))
        self._turn = None
        return ended

    def _idle(self) -> list[Idle]:
        """Return that the wait is over, if it is: judged when a whole window of the VAD is."""
        end_ms = WIRE.duration_ms(self._heard) // WINDOW_MS * WINDOW_MS
        if self._wait is None or end_ms < self._wait.until_ms:
            return []
        start_ms = max(self._wait.start_ms, WIRE.duration_ms(self._from))
        self._wait = None
        audio = self._audio[WIRE.size(start_ms) - self._from : WIRE.size(end_ms) - self._from]
        return [Idle(new_id("item"), start_ms, end_ms, bytes(audio))]

    def _drop(self, until: int) -> None:
        """Forget what lies before *until*, in bytes since the session's start."""
        size = min(max(0, until - self._from), len(self._audio))
        del self._audio[:size]
        self._from += size
