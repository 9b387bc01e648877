"""Signals that are known to the sample, and what a recording has of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import WIRE
from support.virtual_card import RECORD_HZ, Samples

AMPLITUDE = 12_000
AUDIBLE = 200
"""-44 dB of full scale, 36 dB below the signals: the last 0.5 ms of a fade are not audible."""
HOP_S = 0.005
HOPS_HZ = (600.0, 3600.0)
PIECE_S = 0.1


def signal(seconds: float, seed: int) -> bytes:
    """Return a tone of one loudness that changes its pitch all the time: no 30 ms of it are like others."""
    frames = int(seconds * WIRE.hz)
    pitches = np.random.default_rng(seed).uniform(*HOPS_HZ, int(seconds / HOP_S) + 1)
    frequency = pitches[(np.arange(frames) / (HOP_S * WIRE.hz)).astype(int)]
    return pcm_of(np.sin(2 * np.pi * np.cumsum(frequency) / WIRE.hz))


def tone(seconds: float, pitch: float) -> bytes:
    """Return a steady tone."""
    return pcm_of(np.sin(2 * np.pi * pitch * np.arange(int(seconds * WIRE.hz)) / WIRE.hz))


def pcm_of(wave: NDArray[np.float64]) -> bytes:
    return np.asarray(np.rint(AMPLITUDE * wave), dtype="<i2").tobytes()


def as_recorded(pcm: bytes) -> NDArray[np.float64]:
    """Return *pcm* of the wire at the recording's rate, by the spectrum: not by what is tested."""
    sent = np.frombuffer(pcm, "<i2").astype(np.float64)
    spectrum, factor = np.fft.rfft(sent), RECORD_HZ // WIRE.hz
    return np.fft.irfft(spectrum, len(sent) * factor) * factor


def loud(samples: Samples) -> NDArray[np.intp]:
    """Return where *samples* are audible."""
    return np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)


def gaps_ms(samples: Samples, least_ms: float = 2.0) -> list[float]:
    """Return how long each silence is that lies between two audible samples."""
    pauses = np.diff(loud(samples)) * 1000 / RECORD_HZ
    return [round(float(pause), 1) for pause in pauses if pause > least_ms]


def place_of(
    known: NDArray[np.float64], samples: Samples, begin: int = 0, end: int = -1
) -> tuple[int, float]:
    """Return where between *begin* and *end* the *known* begins, and its likeness there (1: the same)."""
    heard = samples[begin : end if end >= 0 else len(samples)].astype(np.float64)
    if not 0 < len(known) <= len(heard):
        return begin, 0.0
    size = 1 << (len(heard) + len(known)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(known, size)), size)
    product = product[: len(heard) - len(known) + 1]
    energy = np.concatenate(([0.0], np.cumsum(heard**2)))
    norms = np.sqrt((energy[len(known) :] - energy[: -len(known)]) * np.sum(known**2))
    # Where nearly nothing is heard, nearly anything is alike.
    least = AUDIBLE * np.sqrt(len(known) * np.sum(known**2))
    likeness = product / np.maximum(norms, least)
    at = int(np.argmax(likeness))
    return begin + at, float(likeness[at])


def parted(samples: Samples) -> tuple[int, int, int, int]:
    """Return where two sounds begin and end, by the longest silence between audible samples."""
    found = loud(samples)
    assert len(found) > 1, "nothing was heard"
    last = int(np.argmax(np.diff(found)))
    return int(found[0]), int(found[last]) + 1, int(found[last + 1]), int(found[-1]) + 1


def position_of(end: int, pcm: bytes, samples: Samples, fade_ms: float) -> float:
    """Return which ms of a `signal` is heard just before *end*, where a fade of it has ended."""
    begin, until = (end - int(each * RECORD_HZ / 1000) for each in (fade_ms + 30, fade_ms))
    at, likeness = place_of(
        samples[begin:until].astype(np.float64), np.rint(as_recorded(pcm)).astype(np.int16)
    )
    assert likeness > 0.5, f"not a piece of it: likeness {likeness:.2f}"
    return (at + end - begin) * 1000 / RECORD_HZ


def pieces(pcm: bytes, samples: Samples, onset: int) -> Sequence[tuple[float, float]]:
    """Follow *pcm*, known to begin about *onset*, piece by piece.

    Return for each of 100 ms that is not a pause by how many ms it is late, and
    its likeness (1: the same).
    """
    known, size, slack = as_recorded(pcm), int(PIECE_S * RECORD_HZ), RECORD_HZ // 20
    found, late = [], 0
    for at in range(0, len(known) - size + 1, size):
        piece = known[at : at + size]
        if np.sqrt(np.mean(piece**2)) < 2 * AUDIBLE:
            continue
        begin = onset + late + at - slack
        place, likeness = place_of(piece, samples, max(0, begin), begin + size + 2 * slack)
        late = place - onset - at
        found.append((late * 1000 / RECORD_HZ, likeness))
    return found


def strengths(samples: Samples, pitch: float) -> NDArray[np.float64]:
    """Return the amplitude that a tone of *pitch* has in each 10 ms of *samples*."""
    size = RECORD_HZ // 100
    wave = np.exp(-2j * np.pi * pitch * np.arange(size) / RECORD_HZ) * np.hanning(size) * 4 / size
    whole = samples[: len(samples) // size * size].astype(np.float64).reshape(-1, size)
    return np.asarray(np.abs(whole @ wave))


def strength(samples: Samples, pitch: float) -> float:
    """Return the greatest amplitude that a tone of *pitch* has anywhere in *samples*, over 10 ms."""
    return float(np.max(strengths(samples, pitch), initial=0.0))
