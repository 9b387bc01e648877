"""The way from the microphone to the server: a gate, resampling, and a pre-roll for when the gate opens.

`AudioReports` hands over the microphone in blocks of 20 ms, the effect `SetMicrophone`
sets the gate, and what passes it goes to the link as `AppendAudio`. Its invariants:

* While a session hears us, it gets one block for each block of the microphone:
  silence where the gate is shut to sound, never a gap, for the server's VAD counts
  time in samples.
* No audio goes out twice. What was kept as a pre-roll is forgotten when it was sent,
  and when the gate changes.
* A microphone that is switched off (`MicrophoneGate.OFF`) leaves nothing behind.

The uplink counts what it has sent of the session, and can tell when the audio at a
place of the session was read (`read_at`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtvoiced.conversation.effects import MicrophoneGate
from rtvoiced.dsp.pcm import FRAME_BYTES, Pcm
from rtvoiced.dsp.resample import Resampler
from rtvoiced.realtime.events import AppendAudio

TALK_MS = 300
"""Milliseconds that go out first at push-to-talk: people begin to speak before the key is down."""


@dataclass(frozen=True, slots=True)
class _KeptBlock:
    """20 ms of the microphone, s16le mono at *hz*."""

    pcm: bytes
    hz: int

    @property
    def ms(self) -> int:
        return Pcm(self.hz).ms_of_frames(len(self.pcm) // FRAME_BYTES)


class Uplink:
    """The uplink of one daemon; *send* is given 20 ms a call, in the format that the server asked for."""

    def __init__(self, send: Callable[[AppendAudio], None], preroll_ms: int) -> None:
        self._send = send
        self.preroll_ms = preroll_ms
        """Milliseconds that go out first in a new session."""
        self._gate = MicrophoneGate.CLOSED
        self._hz = 24_000
        self._resampler = Resampler(24_000, 24_000)
        self._rates = (24_000, 24_000)
        self._preroll: deque[_KeptBlock] = deque()
        self._kept_ms = 0
        self._sent_frames = 0
        """Frames that this session was sent, at its rate."""
        self._sent_at: float | None = None
        """When the last of them was read, CLOCK_MONOTONIC seconds; None where that is not known."""

    def set(self, gate: MicrophoneGate, hz: int) -> None:
        """Open or close the gate of a session at *hz*; the pre-roll goes out when it opens."""
        before, self._gate, self._hz = self._gate, gate, hz
        if gate is before:
            return
        if before in (MicrophoneGate.CLOSED, MicrophoneGate.OFF):
            # A new session counts its audio from here.
            self._sent_frames, self._sent_at = 0, None
        if gate is MicrophoneGate.TALK:
            self._open(TALK_MS)
        elif gate is MicrophoneGate.OPEN and before is MicrophoneGate.CLOSED:
            self._open(self.preroll_ms)
        # A microphone that is switched off leaves nothing behind, and what went out does not go again.
        self._preroll.clear()
        self._kept_ms = 0

    def block(
        self, pcm: bytes, card_hz: int, at: float | None = None, *, echoes: bool = False, before: bytes = b""
    ) -> None:
        """Pass on 20 ms of the microphone, s16le mono at *card_hz*; *at*: when its last frame was read.

        *echoes* says that the block holds the speaker's echo: the server gets silence
        for it, unless somebody presses to talk. *before* is what the server got silence
        for until now and turned out to be a voice: it goes out first, after all.
        """
        # Silence, not a gap: the server's VAD counts time in samples.
        silence = bytes(len(pcm))
        match self._gate:
            case MicrophoneGate.TALK:
                self._append(pcm, card_hz, at)
            case MicrophoneGate.OPEN:
                if before:
                    self._append(before, card_hz, None)
                self._append(silence if echoes else pcm, card_hz, at)
            case MicrophoneGate.SILENCE:
                self._append(silence, card_hz, at)
            case MicrophoneGate.CLOSED | MicrophoneGate.OFF:
                pass
        if self._gate not in (MicrophoneGate.SILENCE, MicrophoneGate.OFF):
            self._keep(_KeptBlock(silence if echoes else pcm, card_hz))

    def read_at(self, ms: float) -> float | None:
        """Return when the audio at *ms* of the session was read, CLOCK_MONOTONIC seconds; None if unknown."""
        if self._sent_at is None:
            return None
        return self._sent_at - (self._sent_frames * 1000 / self._hz - ms) / 1000

    def _open(self, most_ms: int) -> None:
        """Send the newest *most_ms* of what was kept."""
        while self._kept_ms > most_ms:
            self._kept_ms -= self._preroll.popleft().ms
        for kept in self._preroll:
            self._append(kept.pcm, kept.hz, None)

    def _append(self, pcm: bytes, card_hz: int, at: float | None) -> None:
        if self._rates != (card_hz, self._hz):
            self._rates = (card_hz, self._hz)
            self._resampler = Resampler(card_hz, self._hz)
        samples = self._resampler.process(np.frombuffer(pcm, "<i2"))
        if len(samples):
            self._sent_frames += len(samples)
            self._sent_at = at if at is not None else self._sent_at
            self._send(AppendAudio(samples.astype("<i2").tobytes(), at))

    def _keep(self, kept: _KeptBlock) -> None:
        self._preroll.append(kept)
        self._kept_ms += kept.ms
        while self._kept_ms > max(self.preroll_ms, TALK_MS):
            self._kept_ms -= self._preroll.popleft().ms
