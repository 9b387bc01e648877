"""Files as a card, in real time: a WAV file or a script for a microphone, a WAV file for a speaker.

``audio.card = "wav:IN,OUT"`` chooses it. Tests, benchmarks and `make run` on a machine
without a sound device hold their conversations through it. The card keeps time by the
clock, as a real one does; texts of a script are spoken ahead of time in a thread of
their own, so that the audio thread never waits for a synthesiser.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.cards.script import Cue, ScriptedUtterance, read_script
from rtvoiced.audio.cards.wav_file import GrowingWav, at_wire_rate, load
from rtvoiced.dsp.pcm import BLOCK_MS, FRAME_BYTES, WIRE, OpenDevice
from rtvoiced.errors import ConfigError

BLOCK_S = BLOCK_MS / 1000
AFTER_END_S = 10.0
"""Seconds after the script's end, while nothing plays, at which the output stops growing."""
CATCH_UP_S = 0.5
"""Seconds of a stall that are made up for, at most."""
PREFIX = "wav:"


@dataclass(frozen=True, slots=True)
class WavSpec:
    """What ``wav:IN,OUT`` names; None for an empty side."""

    input: Path | None
    """A WAV file, or a script where its name ends with ``.toml``."""
    output: Path | None
    """The WAV file to be written."""


def parse_spec(spec: str) -> WavSpec:
    """Read ``wav:IN,OUT``; either side may be empty, not both. Raises ConfigError."""
    sides = spec.removeprefix(PREFIX).split(",")
    if not spec.startswith(PREFIX) or len(sides) != 2 or not any(sides):
        raise ConfigError(f"audio.card: {spec!r} is not of the form wav:IN,OUT")
    given, wanted = (Path(side.strip()).expanduser() if side.strip() else None for side in sides)
    return WavSpec(given, wanted)


Speak = Callable[[str, str], tuple[bytes, int]]
"""Makes speech of (text, voice): returns (s16le mono, hz), and may take its time."""


class WavCard:
    """A card of files at 24 kHz that keeps time by the clock.

    *sounding* tells whether an answer is heard now. *speak* makes speech of a
    script's texts, in a thread of its own and ahead of time. *on_utterance* is
    called in the audio thread with index and text when an utterance begins.
    Nothing is said before *ready* was true once, because nobody would listen. Time
    begins with the first block. Raises ConfigError when a file or script can't be used.
    """

    def __init__(
        self,
        spec: WavSpec,
        sounding: Callable[[], bool],
        speak: Speak,
        on_utterance: Callable[[int, str], None] = lambda _index, _text: None,
        ready: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sounding = sounding
        self._on_utterance = on_utterance
        self._ready = ready
        self._listened_to = False
        self._clock = clock
        self._sleep = sleep
        self._voice = SpeechSynthesiser(_script(spec.input), speak)
        self._file = GrowingWav(spec.output) if spec.output else None
        self.input = OpenDevice(spec.input.name, WIRE.hz, 0.0) if spec.input else None
        self.output = OpenDevice(spec.output.name, WIRE.hz, 0.0) if spec.output else None
        self.problems = {
            direction: f"audio.card names no file for the {direction}"
            for direction, device in (("input", self.input), ("output", self.output))
            if not device
        }
        self._running = False
        self._began = self._next = self._ended_at = clock()
        self._cue = Cue(first=True, now=self._began)
        self._index = 0
        self._speech: NDArray[np.int16] = np.zeros(0, np.int16)
        """What is left of the utterance that is being said."""
        self._written = 0
        """Frames of the speaker's time line: by the clock, gaps included."""

    @property
    def ended(self) -> bool:
        """Whether everything was said."""
        return self._index == len(self._voice.utterances) and not len(self._speech)

    def read(self) -> bytes:
        """Wait for the clock's next block and return it: of an utterance, or of the silence between."""
        self._keep_time()
        now = self._clock()
        self._next = max(self._next + BLOCK_S, now - CATCH_UP_S)
        if self._next > now:
            self._sleep(self._next - now)
        if not len(self._speech) and not self.ended:
            self._speech = self._begun(self._next)
        block, self._speech = self._speech[: WIRE.block], self._speech[WIRE.block :]
        if len(block) and not len(self._speech):
            self._cue = Cue(first=False, now=self._next)
        return block.tobytes() + bytes((WIRE.block - len(block)) * FRAME_BYTES)

    def _keep_time(self) -> None:
        """Let time begin with the first block, because the card is made long before."""
        if not self._running:
            self._running = True
            self._began = self._next = self._ended_at = self._clock()

    def _begun(self, now: float) -> NDArray[np.int16]:
        """Return the sound of the next utterance if it begins now, else no frames."""
        utterance = self._voice.utterances[self._index]
        speech = self._voice.said(self._index)
        if not self._listened_to:
            self._listened_to, self._cue = self._ready(), Cue(first=True, now=now)
        if speech is None or not self._listened_to or not self._cue.reached(utterance, now, self._sounding()):
            return self._speech
        self._on_utterance(self._index, utterance.text)
        self._index += 1
        self._cue = Cue(first=False, now=now)
        return speech

    def write(self, block: bytes) -> None:
        """Play *block*: write it into the file at the place of its time, after a gap where one is due."""
        self._keep_time()
        played = self._played()
        gap = max(0, played - self._written)
        self._written += gap + len(block) // FRAME_BYTES
        now = self._clock()
        if not self.ended or self._sounding():
            self._ended_at = now
        if self._file and now - self._ended_at <= AFTER_END_S:
            self._file.append(bytes(gap * FRAME_BYTES) + block)

    def fill(self) -> int:
        """Return how many frames are written and not played by now."""
        return max(0, self._written - self._played())

    def close(self) -> None:
        """End the file and the speaking; may be called twice."""
        self._voice.close()
        if self._file:
            self._file.close()

    def _played(self) -> int:
        """Return how many frames the speaker has played by now, by the clock."""
        return int((self._clock() - self._began) * WIRE.hz)


class SpeechSynthesiser:
    """Speaks the texts of a script ahead of time, in a thread of its own; loads its files at once."""

    def __init__(self, utterances: tuple[ScriptedUtterance, ...], speak: Speak) -> None:
        self.utterances = utterances
        self._speak = speak
        # What is wrong with a file is told at once, not in the middle of a script.
        self._said: list[NDArray[np.int16] | Exception | None] = [
            load(utterance.file) if utterance.file else None for utterance in utterances
        ]
        self._closing = Event()
        self._thread = Thread(target=self._run, name="voice", daemon=True)
        self._thread.start()

    def said(self, index: int) -> NDArray[np.int16] | None:
        """Return an utterance's sound (int16, shape (frames,), 24 kHz); None while it is not ready.

        Raises what *speak* raised.
        """
        said = self._said[index]
        if isinstance(said, Exception):
            raise said
        return said

    def close(self) -> None:
        """Begin no further text."""
        self._closing.set()

    def _run(self) -> None:
        for index, utterance in enumerate(self.utterances):
            if self._closing.is_set():
                return
            if self._said[index] is None:
                self._said[index] = self._spoken(utterance)

    def _spoken(self, utterance: ScriptedUtterance) -> NDArray[np.int16] | Exception:
        try:
            pcm, hz = self._speak(utterance.text, utterance.voice)
            return at_wire_rate(np.frombuffer(pcm, "<i2"), hz)
        except Exception as error:
            # Told by the audio thread, which waits for the sound.
            return error


def _script(path: Path | None) -> tuple[ScriptedUtterance, ...]:
    if path is None:
        return ()
    if path.suffix == ".toml":
        return read_script(path)
    return (ScriptedUtterance(path.name, path, "", None, 0),)
