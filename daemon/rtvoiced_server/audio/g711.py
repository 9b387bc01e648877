"""G.711, µ-law and A-law: the telephone's 8 bits a sample, by tables that hold every value.

The values are those of ITU-T G.711 on 16-bit samples; a negative sample is
taken by its one's complement, as the ITU's software tools do (G.191). A table is
made when it is first needed. `rtvoiced_server.audio.converters` is the caller.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ULAW_BIAS = 33
"""Added to magnitudes of 14 bits: it puts the segments' ends on powers of two."""
ULAW_CLIP = 0x1FFF
"""The largest biased magnitude."""
ALAW_TOGGLE = 0x55
"""A-law sends every second bit turned over."""


def ulaw_decode(data: bytes) -> NDArray[np.int16]:
    """Return the samples of µ-law *data*, shape (len(data),)."""
    return _ulaw_samples()[np.frombuffer(data, np.uint8)]


def ulaw_encode(samples: NDArray[np.int16]) -> bytes:
    """Return *samples*, shape (frames,), as µ-law, a byte each."""
    return _ulaw_codes()[samples.view(np.uint16)].tobytes()


def alaw_decode(data: bytes) -> NDArray[np.int16]:
    """Return the samples of A-law *data*, shape (len(data),)."""
    return _alaw_samples()[np.frombuffer(data, np.uint8)]


def alaw_encode(samples: NDArray[np.int16]) -> bytes:
    """Return *samples*, shape (frames,), as A-law, a byte each."""
    return _alaw_codes()[samples.view(np.uint16)].tobytes()


@lru_cache
def _ulaw_samples() -> NDArray[np.int16]:
    """Return the sample of each of the 256 codes."""
    code = np.arange(256)
    exponent, mantissa = (~code >> 4) & 7, ~code & 0xF
    step = 8 << exponent
    magnitude = (0x80 << exponent) + step * mantissa + step // 2 - 4 * ULAW_BIAS
    return np.asarray(np.where(code < 0x80, -magnitude, magnitude), np.int16)


@lru_cache
def _ulaw_codes() -> NDArray[np.uint8]:
    """Return the code of each of the 65,536 samples, by their bits."""
    sample = _every_sample()
    biased = np.minimum((_magnitude(sample) >> 2) + ULAW_BIAS, ULAW_CLIP)
    segment = _bits(biased >> 6) + 1
    code = ((8 - segment) << 4) | (0xF - ((biased >> segment) & 0xF))
    return np.asarray(np.where(sample < 0, code, code | 0x80), np.uint8)


@lru_cache
def _alaw_samples() -> NDArray[np.int16]:
    """Return the sample of each of the 256 codes."""
    code = np.arange(256)
    plain = (code ^ ALAW_TOGGLE) & 0x7F
    exponent, mantissa = plain >> 4, plain & 0xF
    value = ((mantissa + np.where(exponent > 0, 16, 0)) << 4) + 8
    magnitude = value << np.maximum(exponent - 1, 0)
    return np.asarray(np.where(code < 0x80, -magnitude, magnitude), np.int16)


@lru_cache
def _alaw_codes() -> NDArray[np.uint8]:
    """Return the code of each of the 65,536 samples, by their bits."""
    sample = _every_sample()
    magnitude = _magnitude(sample) >> 4
    exponent = np.maximum(_bits(magnitude >> 5) + 1, 1)
    folded = (magnitude >> (exponent - 1)) - 16 + (exponent << 4)
    code = np.where(magnitude > 15, folded, magnitude)
    return np.asarray(np.where(sample < 0, code, code | 0x80) ^ ALAW_TOGGLE, np.uint8)


def _every_sample() -> NDArray[np.int64]:
    return np.arange(1 << 16).astype(np.uint16).view(np.int16).astype(np.int64)


def _magnitude(sample: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(sample < 0, ~sample, sample)


def _bits(value: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many bits each *value* has, 0 for 0."""
    return np.ceil(np.log2(value + 1)).astype(np.int64)
