"""The echo canceller at work on one open card: a microphone without echo, of the microphone and a reference.

WebRTC's AEC3 (pywebrtc-audio) cancels while the reference leads the echo by 0 to
520 ms, best by 10 ms or more; below and above it does next to nothing. So the
lag is measured on what is played, and a microphone that is too early is held back.

The front end makes an `EchoPath` for each card; the canceller in it lives as long as the
daemon. For each block of the microphone the path takes a block of the reference
(`on_microphone_block`), for every second one it cleans 20 ms (`clean`). All this is
the audio thread's. What takes longer, the measuring of the lag, is the loop's: `probe`
returns 2 s of sound, and `on_lag_measured` takes what was found in them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.capture.convergence import LOUD, Convergence
from rtvoiced.audio.capture.lag import lag_ms
from rtvoiced.audio.capture.reference import CANCEL_HZ, Reference
from rtvoiced.dsp.pcm import Pcm
from rtvoiced.dsp.resample import Resampler
from rtvoiced.errors import AudioError

Samples = NDArray[np.int16]
"""int16, shape (frames,), mono; here always 20 ms at 16 kHz: shape (320,)."""
FRAME = Pcm(CANCEL_HZ).frames(20)
"""Samples of one call: 20 ms. That is cheaper than twice 10, and what is no multiple of 10 ms would be
padded."""
NOISE_LEVEL = 1
"""Level of the noise suppression: 12 dB. More would cost speech."""
CANCEL_S, SUPPRESS_S = 0.008, 0.006
"""Seconds by which the canceller and the noise suppression delay the microphone, as measured."""
DELAY = Pcm(CANCEL_HZ).frames(1000 * CANCEL_S)
"""The canceller's delay in frames: 128."""
RISE = np.arange(1, FRAME + 1) / FRAME
"""A straight line from 0 to 1 over 20 ms: the weights of a cross-fade."""
REST = 50
"""Frames of 20 ms after which a silent speaker has no echo any more: 1 s."""
LEAST_MS = 10.0
"""Milliseconds that the echo is kept behind the reference, by holding the microphone back where it must
be."""
EARLIEST_MS, LATEST_MS, GONE_MS = 5.0, 450.0, 500.0
"""Below the first and above the second the lag is told to people; above the last nothing is cancelled."""
AGREE, AGREED_MS = 3, 5.0
"""How many measurements in a row must lie how close together to be believed."""
MOVED_MS = 10.0
"""Milliseconds by which the lag must differ to have changed."""
WIRED = "use a speaker and a microphone that are wired"
PROBE = 100
"""Frames of 20 ms in a measurement: 2 s."""
SOON, SELDOM = 50, 500
"""Frames of 20 ms between measurements: 1 s until the lag is known, 10 s from then on."""


class Canceller(Protocol):
    """Cancels an echo, 20 ms a call at 16 kHz, and learns the room while it does."""

    def cancel(self, near: Samples, far: Samples, /) -> Samples:
        """Return *near* without the echo of *far*."""
        ...

    def suppress(self, samples: Samples, /) -> Samples:
        """Return *samples* with less noise."""
        ...


class WebRtc:
    """WebRTC's AEC3 and its noise suppression. Raises ImportError or OSError where they can't be loaded."""

    def __init__(self) -> None:
        from pywebrtc_audio import EchoCanceller, NoiseSuppressor

        self._canceller = EchoCanceller(sample_rate=CANCEL_HZ)
        self._suppressor = NoiseSuppressor(sample_rate=CANCEL_HZ, level=NOISE_LEVEL)

    def cancel(self, near: Samples, far: Samples, /) -> Samples:
        """Return *near* without the echo of *far*."""
        return self._canceller.process(near, far)

    def suppress(self, samples: Samples, /) -> Samples:
        """Return *samples* with less noise."""
        return self._suppressor.process(samples)


def webrtc() -> Canceller:
    """Load the canceller. Raises AudioError where there is none for this platform."""
    try:
        return WebRtc()
    except (ImportError, OSError, RuntimeError) as error:
        raise AudioError(f"pywebrtc-audio can't be loaded ({error})") from error


@dataclass(frozen=True, slots=True)
class CleanedFrame:
    """20 ms of the microphone at 16 kHz without the echo, in two forms."""

    for_vad: Samples
    """With all of its noise: noise suppression would keep the VAD from the first 50 ms of a voice."""
    for_server: Samples
    """With less noise, and so 6 ms later."""


@dataclass(frozen=True, slots=True)
class EchoProbe:
    """2 s of the microphone and of the reference, to be compared by a thread that has a millisecond."""

    near: bytes
    """The microphone, s16le mono at 16 kHz."""
    reference: bytes
    """What the speaker was given, of the same time and in the same format."""

    def lag_ms(self) -> float | None:
        """Return by how many milliseconds the reference leads its echo; None where no echo is found."""
        return lag_ms(np.frombuffer(self.near, "<i2"), np.frombuffer(self.reference, "<i2"))


class EchoPath:
    """The canceller between one microphone and one speaker of an open card, which may run at any rates."""

    def __init__(self, canceller: Canceller, input_hz: int, output_hz: int) -> None:
        self.reference = Reference(output_hz)
        self.convergence = Convergence()
        self.lag_ms: float | None = None
        """By how much the reference leads its echo in the microphone as it was read; None while not known."""
        self.held_ms = 0.0
        """By how many milliseconds the microphone is held back."""
        self._canceller = canceller
        self._resampler = Resampler(input_hz, CANCEL_HZ)
        self._far = b""
        """The reference of the blocks that `clean` has not taken yet."""
        self._near = b""
        """What of the microphone waits: what it is held back by, and the resampler's jitter."""
        self._before = np.zeros(FRAME, np.int16)
        """The microphone's frame before."""
        self._quiet, self._resting = 0, False
        """For how many frames the speaker has been silent; whether the canceller rests."""
        self._past: deque[tuple[bytes, bytes, bool]] = deque(maxlen=PROBE)
        """The last 2 s: microphone, reference, and whether the speaker sounded."""
        self._loud = 0
        """How many frames of these the speaker sounded in."""
        self._since_probe = 0
        """Frames since the last measurement."""
        self._measured: deque[float] = deque(maxlen=8)
        """Lags that the loop measured and the audio thread has not looked at."""
        self._recent: deque[float] = deque(maxlen=AGREE)
        """The last lags that were measured, in milliseconds."""

    @property
    def delay_s(self) -> float:
        """How many seconds after it was read a frame of `CleanedFrame.for_vad` comes out."""
        return self.held_ms / 1000 + CANCEL_S

    @property
    def converged(self) -> bool:
        """Whether the echo is cancelled, or there is none."""
        return self.convergence.converged(echo_found=self.lag_ms is not None)

    def trouble(self) -> str | None:
        """Return in one line why the echo can't be cancelled; None while it can."""
        if self.lag_ms is not None and self.lag_ms > GONE_MS:
            return f"the echo comes {self.lag_ms:.0f} ms late, out of the canceller's reach; {WIRED}"
        if self.convergence.failed(echo_found=self.lag_ms is not None):
            return f"the canceller leaves most of the echo; turn the speaker down, or {WIRED}"
        return None

    def advice(self) -> str | None:
        """Return in one line what is odd about the lag, and what to do; None while nothing is."""
        if self.lag_ms is None or EARLIEST_MS <= self.lag_ms <= LATEST_MS:
            return None
        if self.lag_ms > LATEST_MS:
            return f"the echo comes {self.lag_ms:.0f} ms late, nearly out of the canceller's reach; {WIRED}"
        return (
            f"the echo comes {self.lag_ms:.0f} ms after what was played, too soon:"
            f" the microphone is held back by {self.held_ms:.0f} ms; nothing is to be done"
        )

    def on_microphone_block(self, held_frames: int) -> None:
        """Take the reference for one more block of the microphone; the card holds *held_frames* now."""
        self._far += self.reference.block(held_frames)

    def clean(self, pcm: bytes) -> CleanedFrame:
        """Return the microphone's last two blocks (s16le mono at its rate) without the echo: 20 ms at 16 kHz.

        Raises AudioError when the canceller breaks.
        """
        while self._measured:
            self._consider_lag(self._measured.popleft())
        fresh = self._resampler.process(np.frombuffer(pcm, "<i2")).tobytes()
        # The resampler keeps a millisecond to itself, once.
        near = (self._near + fresh).rjust(2 * FRAME, b"\0")
        far, self._far = self._far, b""
        self._near = near[2 * FRAME :]
        mic, reference = np.frombuffer(near[: 2 * FRAME], "<i2"), np.frombuffer(far, "<i2")
        try:
            voice = self._cancelled(mic, reference)
            cleaned = CleanedFrame(voice, self._canceller.suppress(voice))
        except (RuntimeError, ValueError, TypeError) as error:
            raise AudioError(f"the echo canceller failed ({error})") from error
        power = _power(reference)
        self.convergence.frame(power, _power(mic), _power(voice))
        if len(self._past) == PROBE:
            self._loud -= self._past[0][2]
        self._past.append((fresh.rjust(2 * FRAME, b"\0"), far, power > LOUD))
        self._loud += power > LOUD
        return cleaned

    def _cancelled(self, mic: Samples, reference: Samples) -> Samples:
        """Return *mic* without the echo of *reference*, both 20 ms.

        The canceller rests while the speaker has long been silent, which is most
        of the time. It loses nothing by that, because microphone and reference
        stop and go on together. It shifts low tones a little, so its output and the
        delayed microphone are cross-faded where it stops and goes on.
        """
        self._quiet = 0 if reference.any() else self._quiet + 1
        before, self._before = self._before, mic
        rested, self._resting = self._resting, self._quiet > REST
        delayed = np.concatenate((before[-DELAY:], mic[:-DELAY]))
        if self._resting and rested:
            return delayed
        if rested:
            # What it still holds is from before it rested.
            self._canceller.cancel(before, np.zeros_like(before))
        cancelled = self._canceller.cancel(mic, reference)
        if self._resting == rested:
            return cancelled
        share = RISE if rested else RISE[::-1]
        return np.asarray(np.rint(share * cancelled + (1 - share) * delayed), np.int16)

    def probe(self) -> EchoProbe | None:
        """Return 2 s to measure the lag in, when it is time for that and enough was played; mostly None."""
        self._since_probe += 1
        due = self._since_probe >= (SOON if self.lag_ms is None else SELDOM)
        if not due or len(self._past) < PROBE or 2 * self._loud < PROBE:
            return None
        self._since_probe = 0
        near, reference, _ = zip(*self._past, strict=True)
        return EchoProbe(b"".join(near), b"".join(reference))

    def on_lag_measured(self, lag: float) -> None:
        """Take a lag, in milliseconds, that was measured in a probe; may be called in another thread."""
        self._measured.append(lag)

    def _consider_lag(self, lag: float) -> None:
        """Believe three measurements that agree: a voice or a click may spoil one."""
        self._recent.append(lag)
        agreed = len(self._recent) == AGREE and max(self._recent) - min(self._recent) < AGREED_MS
        if not agreed or (self.lag_ms is not None and abs(lag - self.lag_ms) < MOVED_MS):
            return
        if self.lag_ms is not None:
            self.convergence = Convergence()
        self.lag_ms = lag
        if missing := max(0.0, LEAST_MS - lag - self.held_ms):
            self.held_ms += missing
            self._near = bytes(Pcm(CANCEL_HZ).size(missing)) + self._near


def _power(samples: Samples) -> float:
    """Return the mean square of *samples*."""
    x = samples.astype(np.float32)
    return float(np.dot(x, x)) / len(x)
