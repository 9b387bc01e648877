"""A room with a loudspeaker and a microphone as a card, on a clock of its own and faster than real time.

What is played comes back: delayed, reverberant, distorted, and as loud as
*gain* says; near-end speech is mixed in where a test puts it. Nothing here is
a recording of a real room: figures are those of a simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import FRAME_BYTES, OpenDevice, Pcm
from rtvoiced.dsp.resample import Resampler
from support.fakes import SimulatedClock

Signal = NDArray[np.float64]
"""Shape (frames,), in units of int16."""


@dataclass(frozen=True)
class Acoustics:
    """How the loudspeaker comes back into the microphone."""

    delay_ms: float = 20.0
    """From the loudspeaker's converter to the microphone's, beside what the card's buffer holds."""
    gain: float = 0.45
    """The echo's level over the level of what is played."""
    rt60_s: float = 0.25
    direct_db: float = 0.0
    """The direct sound over the reverberation: about as strong half a metre away."""
    distortion: bool = True
    """A small loudspeaker: soft clipping, and harmonics of second and third order."""
    noise_dbfs: float = -62.0
    drift_ppm: float = 0.0
    """How much faster the speaker's clock runs than the microphone's."""
    seed: int = 1


DESK = Acoustics()


def impulse_response(acoustics: Acoustics, hz: int) -> Signal:
    """A direct sound and a decaying tail, of unit energy times the gain."""
    frames = max(2, int(acoustics.rt60_s * hz))
    rng = np.random.default_rng(acoustics.seed)
    sound = rng.normal(0, 1, frames) * 10 ** (-3 * np.arange(frames) / frames)
    sound[0] = 10 ** (acoustics.direct_db / 20) * np.sqrt(np.sum(np.square(sound[1:])))
    return np.asarray(acoustics.gain * sound / np.sqrt(np.sum(np.square(sound))))


def loudspeaker(played: Signal) -> Signal:
    """Distort as a small one does."""
    x = played / 32768
    bent = np.tanh(1.5 * x) / 1.5
    return np.asarray(32768 * (bent + 0.05 * x * x - 0.05 * x**3))


class Reverb:
    """A long FIR filter over blocks of one size: uniformly partitioned, so cheap."""

    def __init__(self, response: Signal, block: int) -> None:
        self._block = block
        parts = -(-len(response) // block)
        padded = np.zeros(parts * block)
        padded[: len(response)] = response
        self._filters = np.fft.rfft(padded.reshape(parts, block), 2 * block, axis=1)
        self._spectra = np.zeros_like(self._filters)
        self._before = np.zeros(block)
        self._at = 0

    def process(self, block: Signal) -> Signal:
        self._at = (self._at - 1) % len(self._spectra)
        self._spectra[self._at] = np.fft.rfft(np.concatenate((self._before, block)))
        self._before = block
        head = len(self._spectra) - self._at
        total = np.einsum("ij,ij->j", self._spectra[self._at :], self._filters[:head])
        if self._at:
            total = total + np.einsum("ij,ij->j", self._spectra[: self._at], self._filters[head:])
        return np.asarray(np.fft.irfft(total)[self._block :])


class RoomCard:
    """A microphone and a loudspeaker in one room."""

    def __init__(
        self,
        clock: SimulatedClock,
        acoustics: Acoustics = DESK,
        hz: int = 24_000,
        output_hz: int = 24_000,
        capacity_blocks: int = 3,
    ) -> None:
        self.input: OpenDevice | None = OpenDevice("simulated microphone", hz, 0.0)
        self.output: OpenDevice | None = OpenDevice("simulated loudspeaker", output_hz, 0.0)
        self.delay_ms = acoustics.delay_ms
        """May change while it runs: somebody moved, or the system's buffer grew."""
        self.gaps = 0
        self.played = bytearray()
        """What a listener hears, gaps included."""
        self.recorded = bytearray()
        """What the microphone gave."""
        self.stalls: dict[int, float] = {}
        """By microphone block: seconds that the machine stands still before it is read."""
        self._clock = clock
        self._acoustics = acoustics
        self.hz, self._output_hz = hz, output_hz
        self._block = Pcm(hz).block
        self._capacity = capacity_blocks * Pcm(output_hz).size(10)
        self._rng = np.random.default_rng(acoustics.seed + 1)
        self._noise = 32768 * 10 ** (acoustics.noise_dbfs / 20)
        self._reverb = Reverb(impulse_response(acoustics, hz), self._block)
        self._to_input_rate = Resampler(output_hz, hz)
        self._began = clock()
        self._queue = bytearray()
        self._reads = 0
        self._air = np.zeros(hz)
        """The loudspeaker's last second, at the microphone's rate, by the speaker's clock."""
        self._air_end = 0
        self._near: list[tuple[int, Signal]] = []

    def speak(self, at_s: float, samples: Signal) -> None:
        """Let somebody in the room make that sound, at the microphone's rate."""
        self._near.append((int(at_s * self.hz), samples))

    @property
    def now(self) -> float:
        """Seconds since the card was opened."""
        return self._clock() - self._began

    def read(self) -> bytes:
        self._clock.sleep(self.stalls.pop(self._reads, 0.0))
        self._clock.sleep(self._began + (self._reads + 1) * 0.01 - self._clock())
        self._play()
        block = self._echo() + self._near_end() + self._rng.normal(0, self._noise, self._block)
        self._reads += 1
        pcm = as_pcm(block).tobytes()
        self.recorded += pcm
        return pcm

    def write(self, block: bytes) -> None:
        self._play()
        while len(self._queue) + len(block) > self._capacity:
            self._clock.sleep(0.001)
            self._play()
        self._queue += block

    def fill(self) -> int:
        self._play()
        return len(self._queue) // FRAME_BYTES

    def close(self) -> None:
        return

    def _play(self) -> None:
        """Let the loudspeaker play what its own clock says it has played by now."""
        hz = self._output_hz * (1 + self._acoustics.drift_ppm * 1e-6)
        due = int(self.now * hz + 1e-6) * FRAME_BYTES - len(self.played)
        if due <= 0:
            return
        if due > len(self._queue) and any(self.played[-FRAME_BYTES:]):
            self.gaps += 1
        sound = bytes(self._queue[:due])
        del self._queue[:due]
        sound += bytes(due - len(sound))
        self.played += sound
        samples = self._to_input_rate.process(np.frombuffer(sound, np.int16)).astype(np.float64)
        if self._acoustics.distortion:
            samples = loudspeaker(samples)
        self._air = np.concatenate((self._air, samples))[-self.hz :]
        self._air_end += len(samples)

    def _echo(self) -> Signal:
        """What of the loudspeaker arrives in the block that ends now."""
        ratio = 1 + self._acoustics.drift_ppm * 1e-6
        at = (self._reads * self._block + np.arange(self._block)) * ratio - self.delay_ms * self.hz / 1000
        # The speaker's clock and this one are never further apart than what it has played by now.
        at = np.minimum(at - (self._air_end - len(self._air)), len(self._air) - 3.0)
        whole = np.floor(at).astype(np.int64)
        if not np.any(at - whole):
            return self._reverb.process(self._air[whole])
        return self._reverb.process(between(self._air, whole, at - whole))

    def _near_end(self) -> Signal:
        begin = self._reads * self._block
        block = np.zeros(self._block)
        for start, samples in self._near:
            first = max(begin, start)
            last = min(begin + self._block, start + len(samples))
            if first < last:
                block[first - begin : last - begin] += samples[first - start : last - start]
        self._near = [(start, samples) for start, samples in self._near if start + len(samples) > begin]
        return block


def between(signal: Signal, whole: NDArray[np.int64], part: Signal) -> Signal:
    """The signal between its samples, by a cubic through four of them."""
    a, b, c, d = (signal[whole + offset] for offset in (-1, 0, 1, 2))
    return np.asarray(
        b
        + part
        * (0.5 * (c - a) + part * (a - 2.5 * b + 2 * c - 0.5 * d + part * (0.5 * (d - a) + 1.5 * (b - c))))
    )


def as_pcm(samples: Signal) -> NDArray[np.int16]:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def rms_dbfs(samples: NDArray[np.int16] | Signal) -> float:
    return float(10 * np.log10(np.mean(np.square(samples / 32768.0)) + 1e-12))


def at_level(samples: NDArray[np.int16] | Signal, dbfs: float) -> Signal:
    """The same sound as loud as that, over its frames that are not pauses."""
    x = np.asarray(samples, np.float64)
    loud = x[np.abs(x) > 0.02 * np.max(np.abs(x))]
    return np.asarray(x * 10 ** ((dbfs - rms_dbfs(loud)) / 20))
