"""From the microphone to the server: gate, resampling, and a short pre-roll while there is no session."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from rtvoice.audio.pcm import FRAME_BYTES, Pcm
from rtvoice.audio.resample import Resampler
from rtvoice.effects import Gate
from rtvoice.realtime.events import AppendAudio


class MicrophonePath:
    """What the server gets of the microphone; *send* takes 20 ms a call in the negotiated format."""

    def __init__(self, send: Callable[[AppendAudio], None], preroll_ms: int) -> None:
        self._send = send
        self.preroll_ms = preroll_ms
        self._gate = Gate.CLOSED
        self._hz = 24_000
        self._resampler = Resampler(24_000, 24_000)
        self._rates = (24_000, 24_000)
        self._preroll: deque[tuple[bytes, int]] = deque()
        self._kept_ms = 0

    def set(self, gate: Gate, hz: int) -> None:
        """Open or close the gate; what was kept goes out first when it opens."""
        self._gate, self._hz = gate, hz
        kept = list(self._preroll)
        self._preroll.clear()
        self._kept_ms = 0
        if gate is Gate.OPEN:
            for pcm, card_hz in kept:
                self._append(pcm, card_hz, None)

    def block(self, pcm: bytes, card_hz: int, at: float | None = None) -> None:
        """Pass on 20 ms of the microphone, s16le mono at *card_hz*, read by *at* (CLOCK_MONOTONIC)."""
        match self._gate:
            case Gate.OPEN:
                self._append(pcm, card_hz, at)
            case Gate.SILENCE:
                # Silence, not a gap: the server's VAD counts time in samples.
                self._append(bytes(len(pcm)), card_hz, at)
            case Gate.CLOSED:
                self._keep(pcm, card_hz)
            case Gate.OFF:
                pass

    def _append(self, pcm: bytes, card_hz: int, at: float | None) -> None:
        if self._rates != (card_hz, self._hz):
            self._rates = (card_hz, self._hz)
            self._resampler = Resampler(card_hz, self._hz)
        samples = self._resampler.process(np.frombuffer(pcm, "<i2"))
        if len(samples):
            self._send(AppendAudio(samples.astype("<i2").tobytes(), at))

    def _keep(self, pcm: bytes, card_hz: int) -> None:
        self._preroll.append((pcm, card_hz))
        self._kept_ms += Pcm(card_hz).duration_ms(len(pcm))
        while self._kept_ms > self.preroll_ms:
            oldest, hz = self._preroll.popleft()
            self._kept_ms -= Pcm(hz).ms_of_frames(len(oldest) // FRAME_BYTES)
