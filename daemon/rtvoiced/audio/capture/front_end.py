"""The acoustic front end: what becomes of the microphone before anybody hears it.

The audio thread gives it every block that it read (`process`) and every block
that it wrote (`on_block_written`), and gets 20 ms back at every second block.
Depending on the mode, on the card and on what can be loaded, one of these runs:

* the echo canceller (`EchoPath`) and our own VAD (`VoiceMonitor`): state ``converging``, then ``on``;
* the VAD alone, where the operating system cancels (mode ``system``): state ``on``;
* half duplex: while an answer sounds, the server is to get silence: state ``half_duplex``;
* nothing: the microphone goes out as it is: state ``off``, or ``failed`` where it should be better.

What runs, and why, is told as `EchoChanged` and never pretended. For the first 2 s
of sound after a card was opened, or after the lag has moved, the canceller lets
an echo through now and then. The server might take that for the user, so it gets
silence there until the VAD knows a voice, and then what was withheld.

One front end lives as long as the daemon, and the canceller in it as well: what
it has learned of the room stays. All of it belongs to the audio thread but for
`mode`, `prepare`, `probability`, `echo` and `on_echo_probe`, which the loop may use.
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
from rtvoiced.audio.capture.voice import VoiceMonitor, load_vad_model
from rtvoiced.audio.events import EchoChanged, VoiceStarted, VoiceStopped
from rtvoiced.dsp.resample import Resampler
from rtvoiced.dsp.vad import VadModel
from rtvoiced.errors import AudioError
from rtvoiced.settings.schema import EchoSettings, VadSettings
from rtvoiced.vocabulary import EchoMode, EchoState

TAIL_S = 0.3
"""Half duplex goes on for so long after an answer, because the room still sounds."""
WITHHELD = 12
"""Frames of 20 ms that are withheld while the canceller converges: 12 cover an onset that needs twice the
usual time (128 ms) and the delay of our own VAD."""
HALF_DUPLEX_REMARK = "while an answer sounds, the microphone is not sent"

FrontEndEvent = EchoChanged | VoiceStarted | VoiceStopped | EchoProbe
"""What the front end tells the loop."""


@dataclass(frozen=True, slots=True)
class CleanedBlock:
    """20 ms of the microphone, as they leave the front end."""

    pcm: bytes
    """s16le mono at *hz*."""
    hz: int
    delay_s: float
    """How many seconds before the call of `FrontEnd.process` its last frame was read."""
    echoes: bool
    """Whether it may hold an echo that nothing took out: the server is to get silence for it."""
    before: bytes = b""
    """Of a voice that has begun before: the audio for which the server got silence until the voice was
    known."""


class FrontEnd:
    """The front end of one daemon.

    *sounding* tells whether an answer is heard or about to be. *room* tells
    whether microphone and speaker are in one room, which files are not.
    *load_canceller* and *load_vad_model* raise AudioError where there is none.
    """

    def __init__(
        self,
        echo: EchoSettings,
        vad: VadSettings,
        sounding: Callable[[], bool],
        room: bool = True,
        load_canceller: Callable[[], Canceller] = webrtc,
        load_vad_model: Callable[[], VadModel] = load_vad_model,
    ) -> None:
        self._wanted_mode = echo.mode
        self._mode_changes = 0
        """How often `mode` was set: also the same mode, set again, begins anew."""
        self.path: EchoPath | None = None
        """The canceller at work on the open card; None while none runs."""
        self._fallback, self._vad = echo.fallback, vad
        self._sounding, self._room = sounding, room
        self._load_canceller, self._load_vad_model = load_canceller, load_vad_model
        self._canceller: Canceller | None = None
        """One for the daemon's life: what it has learned stays."""
        self._voice: VoiceMonitor | None = None
        self._vad_problem: str | None = None
        """Why there is no VAD, in one line; None while there is one, or none was wanted."""
        self._to_vad = Resampler(CANCEL_HZ, CANCEL_HZ)
        """Of a microphone that no canceller runs on: from its rate to the VAD's."""
        self._input_hz = self._output_hz = 0
        self._mode, self._mode_changes_seen, self._state = self.mode, 0, "off"
        self._announced = EchoChanged(self.mode, "off", False, reason="no card was opened yet")
        """What was told last."""
        self._events: list[FrontEndEvent] = []
        """What is to be told next."""
        self._first_block = b""
        """The first of the two blocks that make 20 ms; empty where it is still to come."""
        self._vad_input: tuple[Samples, float] | None = None
        """20 ms that the VAD has not heard yet, and when their last frame was read."""
        self._withheld: deque[bytes] = deque(maxlen=WITHHELD)
        """The newest frames for which the server got silence: should a voice be known, it began in them."""
        self._lag_tail_s = 0.0
        """How late the echo was when the canceller was given up: half duplex goes on for so long in
        addition."""
        self._sounds, self._sounds_since = False, -math.inf
        """Whether an answer sounds, and since when that is so."""

    # Also for the loop

    @property
    def mode(self) -> EchoMode:
        """The mode that is wanted, as `EchoSettings.mode`; setting it, also to the same, begins anew."""
        return self._wanted_mode

    @mode.setter
    def mode(self, mode: EchoMode) -> None:
        self._wanted_mode = mode
        self._mode_changes += 1

    @property
    def probability(self) -> float | None:
        """The probability of speech in the newest window, 0 to 1; None while no VAD runs."""
        return self._voice.probability if self._voice and self._announced.vad else None

    @property
    def echo(self) -> EchoChanged:
        """What was told last, with the echo's return loss as it is now."""
        path = self.path
        return replace(self._announced, erle_db=path.convergence.erle_db) if path else self._announced

    def prepare(self, mode: EchoMode) -> None:
        """Load what *mode* will need; that takes 30 ms, in which an open card would run dry."""
        cancels = mode == "on" or (mode == "auto" and self._room)
        # Why there is none is told when a card is there.
        if cancels or mode == "system":
            with contextlib.suppress(AudioError):
                self._voice = self._voice or VoiceMonitor(self._vad, self._load_vad_model)
        if cancels:
            with contextlib.suppress(AudioError):
                self._canceller = self._canceller or self._load_canceller()

    def on_echo_probe(self, probe: EchoProbe) -> None:
        """Measure the lag in *probe*, which takes a millisecond: not for the audio thread."""
        path, lag = self.path, probe.lag_ms()
        if path and lag is not None:
            path.on_lag_measured(lag)

    # For the audio thread

    def on_card_opened(self, input_hz: int, output_hz: int, now: float) -> None:
        """Begin anew with a card whose directions run at these rates; 0: that direction is missing."""
        self._input_hz, self._output_hz, self._first_block = input_hz, output_hz, b""
        self._begin(now)

    def on_block_written(self, block: bytes) -> None:
        """Note what the speaker was just given: 10 ms, s16le mono at the output's rate."""
        if self.path:
            self.path.reference.wrote(block)

    def process(self, block: bytes, hz: int, held_frames: int, now: float) -> CleanedBlock | None:
        """Take 10 ms of the microphone, s16le mono at *hz*; return 20 ms at every second call, else None.

        *held_frames* is what the card holds at this moment, in frames of the output.
        """
        if not self._first_block and self._mode_changes != self._mode_changes_seen:
            self._begin(now)
        if self.path:
            self.path.on_microphone_block(held_frames)
        if not self._first_block:
            self._first_block = block
            return None
        pcm, self._first_block = self._first_block + block, b""
        if self._sounding() != self._sounds:
            self._sounds, self._sounds_since = not self._sounds, now
        return (self._cleaned(pcm, now) if self.path else None) or self._unchanged(pcm, hz, now)

    def listen(self) -> list[FrontEndEvent]:
        """Look for a voice in what `process` returned, which takes 2 ms; return what is to be told."""
        if self._vad_input and self._voice:
            samples, at = self._vad_input
            self._vad_input = None
            early = self.path is not None and self.path.convergence.early
            unexplained = self.path is not None and self.path.convergence.unexplained
            if early and not unexplained:
                samples = np.zeros_like(samples)
            self._events += self._voice.hear(samples, at, strict=early, lenient=unexplained and not early)
        events, self._events = self._events, []
        return events

    # Within: 20 ms

    def _cleaned(self, pcm: bytes, now: float) -> CleanedBlock | None:
        """Return 20 ms without the echo; None when the canceller can't."""
        assert self.path
        try:
            cleaned = self.path.clean(pcm)
        except AudioError as error:
            self._fall_back(str(error), now)
            return None
        if probe := self.path.probe():
            self._events.append(probe)
        delay_s = self.path.delay_s
        self._vad_input = (cleaned.for_vad, now - delay_s)
        # What the canceller leaves in its first seconds the server might take for the user; our VAD is wary.
        early = self._announced.vad and self.path.convergence.early
        early = early and not (self._voice and self._voice.speaking)
        self._report_convergence(self.path, now)
        sound = cleaned.for_server.tobytes()
        before = self._withhold(sound) if early else self._released()
        return CleanedBlock(sound, CANCEL_HZ, delay_s + SUPPRESS_S, early, before)

    def _withhold(self, sound: bytes) -> bytes:
        self._withheld.append(sound)
        return b""

    def _released(self) -> bytes:
        """Return what was withheld, if it turns out to be a voice; it is forgotten in any case."""
        known = self._voice is not None and self._voice.speaking
        before = b"".join(self._withheld) if known else b""
        self._withheld.clear()
        return before

    def _unchanged(self, pcm: bytes, hz: int, now: float) -> CleanedBlock:
        """Return 20 ms as they came, marked as an echo where half duplex wants silence."""
        if self._announced.vad:
            self._vad_input = (self._to_vad.process(np.frombuffer(pcm, "<i2")), now)
        sounds = self._sounds or now - self._sounds_since < TAIL_S + self._lag_tail_s
        return CleanedBlock(pcm, hz, 0.0, self._state == "half_duplex" and sounds)

    # Within: what runs

    def _begin(self, now: float) -> None:
        """Decide what runs, by the mode, the card and what can be loaded."""
        self._end(now)
        self._mode_changes_seen, self._mode = self._mode_changes, self.mode
        if self._mode == "off":
            self._announce("off", None)
        elif self._mode == "auto" and not self._room:
            self._announce("off", "there is no echo between files")
        elif not (self._input_hz and self._output_hz):
            self._announce("off", f"there is no {'speaker' if self._input_hz else 'microphone'}")
        elif self._mode == "half_duplex":
            self._announce("half_duplex", None)
        elif self._mode == "system":
            self._to_vad = Resampler(self._input_hz, CANCEL_HZ)
            self._begin_vad("on")
        else:
            self._begin_canceller(now)

    def _begin_canceller(self, now: float) -> None:
        try:
            self._canceller = self._canceller or self._load_canceller()
        except AudioError as error:
            self._fall_back(str(error), now)
            return
        self.path = EchoPath(self._canceller, self._input_hz, self._output_hz)
        self._begin_vad("converging")

    def _begin_vad(self, state: EchoState) -> None:
        """Run the VAD, where there is one, and announce *state*."""
        try:
            self._voice = self._voice or VoiceMonitor(self._vad, self._load_vad_model)
        except AudioError as error:
            self._vad_problem = str(error)
        self._announce(state, self._vad_problem, vad=self._voice is not None)

    def _end(self, now: float) -> None:
        """End what runs; a voice that is heard ends with it."""
        self.path, self._vad_input = None, None
        self._withheld.clear()
        if self._voice:
            self._events += self._voice.end(now)

    def _fall_back(self, reason: str, now: float) -> None:
        """Do without the canceller, and say so."""
        lag_ms = self.path.lag_ms if self.path else None
        self._lag_tail_s = max(0.0, lag_ms or 0.0) / 1000
        self._end(now)
        if self._fallback == "half_duplex":
            self._announce("half_duplex", f"{reason}; {HALF_DUPLEX_REMARK}")
        else:
            self._announce("failed", f"{reason}; the server hears the echo")

    def _report_convergence(self, path: EchoPath, now: float) -> None:
        """Say how the canceller does, where that has changed."""
        if trouble := path.trouble():
            self._fall_back(trouble, now)
            return
        state: EchoState = "on" if path.converged else "converging"
        if state != self._state or path.lag_ms != self._announced.lag_ms:
            self._announce(state, path.advice() or self._vad_problem, vad=self._announced.vad)

    def _announce(self, state: EchoState, reason: str | None, *, vad: bool = False) -> None:
        """Let the loop be told of *state*, unless it was told the same last."""
        self._state = state
        before, lag_ms = self._announced, self.path.lag_ms if self.path else None
        self._announced = EchoChanged(self._mode, state, vad, lag_ms, None, reason)
        if self._announced != before:
            self._events.append(self.echo)
