"""The acoustic front end: what becomes of the microphone before anybody hears it.

Echo canceller and voice activity detection; half duplex where nothing cancels;
or nothing at all. It lives in the audio thread. What runs, and why, is told as
`EchoChanged` and never pretended.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rtvoiced.audio.capture.echo import SUPPRESS_S, Canceller, EchoPath, EchoProbe, Samples, webrtc
from rtvoiced.audio.capture.reference import CANCEL_HZ
from rtvoiced.audio.capture.voice import VoiceMonitor, model
from rtvoiced.audio.events import EchoChanged, VoiceStarted, VoiceStopped
from rtvoiced.dsp.resample import Resampler
from rtvoiced.dsp.vad import VadModel
from rtvoiced.errors import AudioError
from rtvoiced.settings.schema import EchoSettings, VadSettings
from rtvoiced.vocabulary import EchoMode, EchoState

TAIL_S = 0.3
"""Half duplex goes on for so long after an answer: the room still sounds."""
WITHHELD = 12
"""Of 20 ms: an onset that takes twice as long, and what our own VAD adds."""
HALF = "while an answer sounds, the microphone is not sent"

News = EchoChanged | VoiceStarted | VoiceStopped | EchoProbe


@dataclass(frozen=True, slots=True)
class CleanedBlock:
    """20 ms of the microphone."""

    pcm: bytes
    hz: int
    delay_s: float
    """How much longer ago than just now its last frame was read."""
    echoes: bool
    """The speaker sounds in it, and nothing took that out: the server is to get silence for it."""
    before: bytes = b""
    """Of a voice that has begun before: what the server got silence for until it was known for one."""


class FrontEnd:
    """The front end of one daemon.

    *sounding* tells whether an answer is heard or about to be. *room*: microphone
    and speaker are in one, which files are not. *load* makes the canceller and
    *judge* the VAD's model; they raise AudioError where there is none. `mode`,
    `probability`, `echo` and `measured` are for the loop, the rest for the audio thread.
    """

    def __init__(
        self,
        echo: EchoSettings,
        vad: VadSettings,
        sounding: Callable[[], bool],
        room: bool = True,
        load: Callable[[], Canceller] = webrtc,
        judge: Callable[[], VadModel] = model,
    ) -> None:
        self._wanted, self._asked = echo.mode, 0
        self.path: EchoPath | None = None
        """The canceller at work."""
        self._fallback, self._vad = echo.fallback, vad
        self._sounding, self._room = sounding, room
        self._load, self._judge = load, judge
        self._canceller: Canceller | None = None
        """One for the daemon's life: what it has learned stays."""
        self._voice: VoiceMonitor | None = None
        self._deaf: str | None = None
        """Why there is no VAD."""
        self._to_voice = Resampler(CANCEL_HZ, CANCEL_HZ)
        self._input_hz = self._output_hz = 0
        self._mode, self._begun, self._state = self.mode, 0, "off"
        self._told = EchoChanged(self.mode, "off", False, reason="no card was opened yet")
        self._news: list[News] = []
        self._first = b""
        self._unheard: tuple[Samples, float] | None = None
        self._withheld: deque[bytes] = deque(maxlen=WITHHELD)
        """The newest that was kept from the server: should a voice begin, it began in it."""
        self._late_s = 0.0
        """How late the echo was when the canceller was last given up: half duplex waits for that, too."""
        self._sounds, self._since = False, -math.inf
        """Whether an answer sounds, and since when that is so."""

    @property
    def mode(self) -> EchoMode:
        """As `EchoSettings.mode`; may be set in another thread, and the same one begins anew, too."""
        return self._wanted

    @mode.setter
    def mode(self, mode: EchoMode) -> None:
        self._wanted = mode
        self._asked += 1

    @property
    def probability(self) -> float | None:
        """Of speech, 0 to 1; None without a VAD."""
        return self._voice.probability if self._voice and self._told.vad else None

    @property
    def echo(self) -> EchoChanged:
        """What was told last, with the echo's return loss as it is now."""
        path = self.path
        return replace(self._told, erle_db=path.convergence.erle_db) if path else self._told

    def prepare(self, mode: EchoMode) -> None:
        """Load what *mode* will need: that takes 30 ms, in which an open card would run dry."""
        cancels = mode == "on" or (mode == "auto" and self._room)
        # Why there is none is told when a card is there.
        if cancels or mode == "system":
            with contextlib.suppress(AudioError):
                self._voice = self._voice or VoiceMonitor(self._vad, self._judge)
        if cancels:
            with contextlib.suppress(AudioError):
                self._canceller = self._canceller or self._load()

    def opened(self, input_hz: int, output_hz: int, now: float) -> None:
        """Take a card into use; 0: that direction is missing."""
        self._input_hz, self._output_hz, self._first = input_hz, output_hz, b""
        self._begin(now)

    def wrote(self, block: bytes) -> None:
        """Note what the speaker was just given: 10 ms."""
        if self.path:
            self.path.reference.wrote(block)

    def block(self, block: bytes, hz: int, held_frames: int, now: float) -> CleanedBlock | None:
        """Take 10 ms of the microphone; the card holds *held_frames*. Return 20 ms at every second call."""
        if not self._first and self._asked != self._begun:
            self._begin(now)
        if self.path:
            self.path.block(held_frames)
        if not self._first:
            self._first = block
            return None
        pcm, self._first = self._first + block, b""
        if self._sounding() != self._sounds:
            self._sounds, self._since = not self._sounds, now
        return (self._cleaned(pcm, now) if self.path else None) or self._as_it_is(pcm, hz, now)

    def attend(self) -> list[News]:
        """Listen for a voice in what `block` returned, which takes 2 ms; return what there is to be told."""
        if self._unheard and self._voice:
            samples, at = self._unheard
            self._unheard = None
            early = self.path is not None and self.path.convergence.early
            evident = self.path is not None and self.path.convergence.unexplained
            if early and not evident:
                samples = np.zeros_like(samples)
            self._news += self._voice.hear(samples, at, doubtful=early, evident=evident and not early)
        news, self._news = self._news, []
        return news

    def measured(self, probe: EchoProbe) -> None:
        """Find the lag in *probe*, which takes a millisecond: not for the audio thread."""
        path, lag = self.path, probe.lag_ms()
        if path and lag is not None:
            path.found(lag)

    # Within

    def _cleaned(self, pcm: bytes, now: float) -> CleanedBlock | None:
        """Return 20 ms without the echo; None when the canceller can't."""
        assert self.path
        try:
            cleaned = self.path.clean(pcm)
        except AudioError as error:
            self._fall_back(str(error), now)
            return None
        if probe := self.path.probe():
            self._news.append(probe)
        delay_s = self.path.delay_s
        self._unheard = (cleaned.voice, now - delay_s)
        # What the canceller leaves in its first seconds the server might take for the user; our VAD is wary.
        early = self._told.vad and self.path.convergence.early
        early = early and not (self._voice and self._voice.speaking)
        self._weigh(self.path, now)
        sound = cleaned.sound.tobytes()
        before = self._withhold(sound) if early else self._given_back()
        return CleanedBlock(sound, CANCEL_HZ, delay_s + SUPPRESS_S, early, before)

    def _withhold(self, sound: bytes) -> bytes:
        self._withheld.append(sound)
        return b""

    def _given_back(self) -> bytes:
        """Return what was withheld, if it turns out to be a voice; it is forgotten in any case."""
        known = self._voice is not None and self._voice.speaking
        before = b"".join(self._withheld) if known else b""
        self._withheld.clear()
        return before

    def _as_it_is(self, pcm: bytes, hz: int, now: float) -> CleanedBlock:
        if self._told.vad:
            self._unheard = (self._to_voice.process(np.frombuffer(pcm, "<i2")), now)
        sounds = self._sounds or now - self._since < TAIL_S + self._late_s
        return CleanedBlock(pcm, hz, 0.0, self._state == "half_duplex" and sounds)

    def _begin(self, now: float) -> None:
        """Decide what runs, by the mode, the card and what can be loaded."""
        self._end(now)
        self._begun, self._mode = self._asked, self.mode
        if self._mode == "off":
            self._tell("off", None)
        elif self._mode == "auto" and not self._room:
            self._tell("off", "there is no echo between files")
        elif not (self._input_hz and self._output_hz):
            self._tell("off", f"there is no {'speaker' if self._input_hz else 'microphone'}")
        elif self._mode == "half_duplex":
            self._tell("half_duplex", None)
        elif self._mode == "system":
            self._to_voice = Resampler(self._input_hz, CANCEL_HZ)
            self._listen("on")
        else:
            self._start(now)

    def _start(self, now: float) -> None:
        try:
            self._canceller = self._canceller or self._load()
        except AudioError as error:
            self._fall_back(str(error), now)
            return
        self.path = EchoPath(self._canceller, self._input_hz, self._output_hz)
        self._listen("converging")

    def _listen(self, state: EchoState) -> None:
        """Run the VAD as well, where there is one."""
        try:
            self._voice = self._voice or VoiceMonitor(self._vad, self._judge)
        except AudioError as error:
            self._deaf = str(error)
        self._tell(state, self._deaf, vad=self._voice is not None)

    def _end(self, now: float) -> None:
        self.path, self._unheard = None, None
        self._withheld.clear()
        if self._voice:
            self._news += self._voice.end(now)

    def _fall_back(self, reason: str, now: float) -> None:
        """Do without the canceller, and say so."""
        lag_ms = self.path.lag_ms if self.path else None
        self._late_s = max(0.0, lag_ms or 0.0) / 1000
        self._end(now)
        if self._fallback == "half_duplex":
            self._tell("half_duplex", f"{reason}; {HALF}")
        else:
            self._tell("failed", f"{reason}; the server hears the echo")

    def _weigh(self, path: EchoPath, now: float) -> None:
        """Say how the canceller does, when that has changed."""
        if trouble := path.trouble():
            self._fall_back(trouble, now)
            return
        state: EchoState = "on" if path.converged else "converging"
        if state != self._state or path.lag_ms != self._told.lag_ms:
            self._tell(state, path.advice() or self._deaf, vad=self._told.vad)

    def _tell(self, state: EchoState, reason: str | None, *, vad: bool = False) -> None:
        self._state = state
        told, lag_ms = self._told, self.path.lag_ms if self.path else None
        self._told = EchoChanged(self._mode, state, vad, lag_ms, None, reason)
        if self._told != told:
            self._news.append(self.echo)
