"""The input audio buffer: what the client appended, and the turns that the server finds in it.

The clock is the audio itself: every appended frame counts, silence too. All times
are milliseconds since the session's start. `append` takes audio in and is quick;
`listen` looks at the next 100 ms of it and returns what begins and ends there. The
detector of voices comes from outside (`rtvoiced_server.protocol.audio_port`); the
turns, their padding and the idle timeout are decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol.audio_port import VoiceActivityDetector
from rtvoiced_server.protocol.ids import new_id
from rtvoiced_server.protocol.wire import Refused
from rtvoiced_server.vocabulary import Eagerness

SLICE_MS = 100
"""How much is listened to in one go: 6 ms of work at most, then other sessions have their turn."""
LONGEST_MS = 300_000
"""How much the buffer holds; of more audio it holds the newest."""
SHORTEST_COMMIT_MS = 100
"""Less can't be committed."""
ONSET_REACH_MS = 100
"""How long before its detection a voice may have begun: the detector's two windows of 32 ms, rounded up."""
SILENCE_MS_OF_EAGERNESS = {
    Eagerness.LOW: 2_000,
    Eagerness.MEDIUM: 1_000,
    Eagerness.AUTO: 1_000,
    Eagerness.HIGH: 500,
}
"""The silence that ends a turn with ``semantic_vad``. Time decides here, for nobody could understand the
sentence: a quarter of the longest waits of the real server (8, 4 and 2 s)."""
SILENCE_MS = 500
THRESHOLD = 0.5
PREFIX_MS = 300
"""The three defaults, where the settings do not say otherwise."""


@dataclass(frozen=True, slots=True)
class BufferSpeechStarted:
    """The detector heard a voice begin: a turn is open."""

    item_id: str
    start_ms: int
    """The padding before the voice included."""


@dataclass(frozen=True, slots=True)
class BufferSpeechStopped:
    """The detector heard the voice end; the turn's audio is taken out of the buffer."""

    item_id: str
    end_ms: int
    audio: bytes


@dataclass(frozen=True, slots=True)
class BufferTimeout:
    """Nobody spoke for the time of the idle timeout; the silence stays in the buffer, for a voice to come."""

    item_id: str
    start_ms: int
    """Where the wait began."""
    end_ms: int
    audio: bytes


BufferEvent = BufferSpeechStarted | BufferSpeechStopped | BufferTimeout
"""What `InputBuffer.listen` finds."""


@dataclass(frozen=True, slots=True)
class _IdleWait:
    """The wait for a voice."""

    start_ms: int
    until_ms: int


class InputBuffer:
    """One session's input: PCM at 24 kHz."""

    def __init__(self, turn_detection: Json | None, detector: VoiceActivityDetector) -> None:
        """*detector* is this buffer's alone."""
        self._detector = detector
        self._audio = bytearray()
        self._from = 0
        """Where `_audio` begins, in bytes since the session's start."""
        self._listened = 0
        """How far the detector is, in bytes since the session's start."""
        self._detection_from_ms = 0
        """When the detector began to listen."""
        self._turn: str | None = None
        """The item's id of the turn that is open."""
        self._idle_wait: _IdleWait | None = None
        self.detect(turn_detection)

    def detect(self, turn_detection: Json | None) -> None:
        """Begin anew with these settings, None for no detection; an open turn is dropped, its audio stays."""
        self._settings = turn_detection
        self._turn = None
        self._idle_wait = None
        if turn_detection is None:
            return
        window_ms = self._detector.window_ms
        self._detection_from_ms = -(-WIRE.duration_ms(self._listened) // window_ms) * window_ms
        eagerness = turn_detection.get("eagerness")
        silence_ms = SILENCE_MS_OF_EAGERNESS[eagerness] if eagerness else SILENCE_MS
        self._detector.begin(
            turn_detection.get("threshold", THRESHOLD), turn_detection.get("silence_duration_ms", silence_ms)
        )

    @property
    def now_ms(self) -> int:
        """How much audio was appended since the session's start: the time."""
        return WIRE.duration_ms(self._end)

    def wait(self, start_ms: int, timeout_ms: int) -> None:
        """Tell of it when nobody speaks from *start_ms*, which may lie ahead, for *timeout_ms*."""
        self._idle_wait = None if self._turn else _IdleWait(start_ms, start_ms + timeout_ms)

    def wait_no_more(self) -> None:
        """Tell of no silence."""
        self._idle_wait = None

    def append(self, audio: bytes) -> None:
        """Take *audio* in; `listen` looks at it."""
        self._audio += audio
        if self._settings is None:
            self._listened = self._end
        self._drop(self._end - WIRE.size(LONGEST_MS))

    @property
    def waiting(self) -> bool:
        """Whether `listen` has something to do."""
        return self._listened < self._end

    def listen(self) -> list[BufferEvent]:
        """Look at the next 100 ms; return what begins and ends in them, or that nobody spoke for too long."""
        self._listened = max(self._listened, self._from)
        size = min(WIRE.size(SLICE_MS), self._end - self._listened)
        at = self._listened - self._from
        pcm = bytes(self._audio[at : at + size])
        self._listened += size
        found: list[BufferEvent] = []
        if self._settings is not None:
            for edge in self._detector.process(pcm):
                ms = self._detection_from_ms + edge.ms
                found.append(self._begin(ms) if edge.begins else self._finish(ms))
        found += self._idle()
        if self._turn is None:
            keep = self._listened - WIRE.size(self._prefix_ms + ONSET_REACH_MS)
            self._drop(keep if self._idle_wait is None else min(keep, WIRE.size(self._idle_wait.start_ms)))
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
        if self._settings is not None:
            self._detector.reset()

    @property
    def _end(self) -> int:
        """Where the audio ends, in bytes since the session's start."""
        return self._from + len(self._audio)

    @property
    def _prefix_ms(self) -> int:
        return int((self._settings or {}).get("prefix_padding_ms", PREFIX_MS))

    def _begin(self, ms: int) -> BufferSpeechStarted:
        start = max(ms - self._prefix_ms, WIRE.duration_ms(self._from), 0)
        self._drop(WIRE.size(start))
        self._idle_wait = None
        self._turn = new_id("item")
        return BufferSpeechStarted(self._turn, start)

    def _finish(self, ms: int) -> BufferSpeechStopped:
        end = min(WIRE.size(ms), self._end) - self._from
        stopped = BufferSpeechStopped(self._turn or new_id("item"), ms, bytes(self._audio[: max(end, 0)]))
        self._turn = None
        return stopped

    def _idle(self) -> list[BufferTimeout]:
        """Return that the wait is over, if it is; that is judged when a whole window of the detector is."""
        window_ms = self._detector.window_ms
        end_ms = WIRE.duration_ms(self._listened) // window_ms * window_ms
        if self._idle_wait is None or end_ms < self._idle_wait.until_ms:
            return []
        start_ms = max(self._idle_wait.start_ms, WIRE.duration_ms(self._from))
        self._idle_wait = None
        audio = self._audio[WIRE.size(start_ms) - self._from : WIRE.size(end_ms) - self._from]
        return [BufferTimeout(new_id("item"), start_ms, end_ms, bytes(audio))]

    def _drop(self, until: int) -> None:
        """Forget what lies before *until*, in bytes since the session's start."""
        size = min(max(0, until - self._from), len(self._audio))
        del self._audio[:size]
        self._from += size
