from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtvoiced.dsp.resample import Resampler
from support.examples import examples

RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
PAIRS = [(a, b) for a, b in product(RATES, RATES) if a != b]
AMPLITUDE = 16000.0

Samples = NDArray[np.int16]


def tone(hz: int, pitch: float, seconds: float = 0.2, amplitude: float = AMPLITUDE) -> Samples:
    wave = amplitude * np.sin(2 * np.pi * pitch * np.arange(int(hz * seconds)) / hz)
    return np.asarray(np.rint(wave), dtype=np.int16)


def resampled(samples: Samples, in_hz: int, out_hz: int) -> Samples:
    resampler = Resampler(in_hz, out_hz)
    return np.concatenate((resampler.process(samples), resampler.flush()))


def level_db(samples: NDArray[np.float64]) -> float:
    """RMS against that of the test tone, without the first and last tenth."""
    edge = len(samples) // 10
    rms = float(np.sqrt(np.mean(samples[edge:-edge] ** 2)))
    return 20 * float(np.log10(max(rms, 1e-9) / (AMPLITUDE / 2**0.5)))


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_tone_comes_out_as_the_ideal_tone(in_hz: int, out_hz: int) -> None:
    for pitch in (300.0, 1000.0, 2400.0):
        out = resampled(tone(in_hz, pitch), in_hz, out_hz).astype(np.float64)
        ideal = AMPLITUDE * np.sin(2 * np.pi * pitch * np.arange(len(out)) / out_hz)

        assert level_db(out - ideal) < -60


@pytest.mark.parametrize(("in_hz", "out_hz"), [(a, b) for a, b in PAIRS if a > b])
def test_what_lies_above_the_new_band_is_60_db_down(in_hz: int, out_hz: int) -> None:
    for pitch in np.linspace(out_hz / 2 + 20, in_hz / 2 - 20, 7):
        out = resampled(tone(in_hz, float(pitch)), in_hz, out_hz)

        assert level_db(out.astype(np.float64)) < -60


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_output_is_as_long_as_the_input_rounded_up(in_hz: int, out_hz: int) -> None:
    for frames in (0, 1, 2, 159, 2401):
        out = resampled(np.ones(frames, np.int16), in_hz, out_hz)

        assert len(out) == -(-frames * out_hz // in_hz)


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_delay_is_at_most_2_ms(in_hz: int, out_hz: int) -> None:
    given = in_hz // 10

    out = Resampler(in_hz, out_hz).process(np.zeros(given, np.int16))

    assert given / in_hz - len(out) / out_hz <= 0.002


@examples(60)
@given(
    pair=st.sampled_from(PAIRS),
    cuts=st.lists(st.integers(0, 700), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_chunking_changes_no_bit(pair: tuple[int, int], cuts: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-32768, 32768, 700).astype(np.int16)
    resampler = Resampler(*pair)

    chunks = [resampler.process(samples[a:b]) for a, b in pairwise((0, *sorted(cuts), 700))]

    assert np.array_equal(np.concatenate((*chunks, resampler.flush())), resampled(samples, *pair))


def test_single_frames_change_no_bit() -> None:
    samples = tone(24000, 440.0, 0.02)
    resampler = Resampler(24000, 44100)

    out = np.concatenate(
        [*(resampler.process(samples[i : i + 1]) for i in range(len(samples))), resampler.flush()]
    )

    assert np.array_equal(out, resampled(samples, 24000, 44100))


def test_overshoot_is_clipped_and_does_not_wrap() -> None:
    square = np.repeat(np.tile(np.array([32767, -32768], np.int16), 50), 40)

    out = resampled(square, 24000, 48000)

    inside = out[100:-100].reshape(-1)
    assert inside.max() == 32767
    assert inside.min() == -32768
    # A wrapped sample would jump from one end to the other within one frame, far from the square's own edges.
    assert np.count_nonzero(np.abs(np.diff(inside.astype(np.int32))) > 50000) == 0


def test_steady_level_stays_steady_at_every_phase() -> None:
    out = resampled(np.full(2000, 10000, np.int16), 22050, 48000)[200:-200]

    assert np.array_equal(out, np.full(len(out), 10000))


def test_equal_rates_pass_through() -> None:
    samples = tone(24000, 440.0)

    assert np.array_equal(resampled(samples, 24000, 24000), samples)


def test_stream_after_a_flush_is_a_new_stream() -> None:
    resampler = Resampler(16000, 24000)
    samples = tone(16000, 440.0)
    first = np.concatenate((resampler.process(samples), resampler.flush()))

    second = np.concatenate((resampler.process(samples), resampler.flush()))

    assert np.array_equal(first, second)


@pytest.mark.parametrize(("in_hz", "out_hz"), [(0, 24000), (24000, -1)])
def test_rate_must_be_positive(in_hz: int, out_hz: int) -> None:
    with pytest.raises(ValueError, match="not a sample rate"):
        Resampler(in_hz, out_hz)
