"""The canceller's reference: what was written, beside the microphone's blocks."""

from __future__ import annotations

import numpy as np
import pytest

from rtvoiced.audio.capture.reference import BLOCK, CANCEL_HZ, Reference
from rtvoiced.dsp.pcm import Pcm
from rtvoiced.dsp.resample import Resampler
from support.room import Acoustics
from support.scene import STORY, Scene, speech

SILENCE = bytes(2 * BLOCK)


def numbered(number: int, hz: int = CANCEL_HZ) -> bytes:
    return np.full(Pcm(hz).block, number, "<i2").tobytes()


def test_each_block_of_the_microphone_takes_one_of_what_was_written_in_order() -> None:
    reference = Reference(CANCEL_HZ)
    taken = []
    for number in range(1, 6):
        reference.wrote(numbered(number))
        taken.append(reference.block(2 * BLOCK))

    assert taken == [numbered(number) for number in range(1, 6)]


def test_what_was_not_written_is_silence_and_nothing_is_dropped() -> None:
    """P21: an underrun is zeros in the reference; what is written after it comes after it."""
    reference = Reference(CANCEL_HZ)
    reference.wrote(numbered(1))
    taken = [reference.block(0) for _ in range(3)]
    reference.wrote(numbered(2))
    reference.wrote(numbered(3))
    taken += [reference.block(BLOCK), reference.block(BLOCK)]

    assert taken == [numbered(1), SILENCE, SILENCE, numbered(2), numbered(3)]


@pytest.mark.parametrize("hz", [8000, 16_000, 24_000, 44_100, 48_000])
def test_reference_of_any_rate_is_10_ms_at_16_khz_and_the_same_sound(hz: int) -> None:
    sound = speech("what time is it", hz=hz)
    blocks = [
        sound[at : at + Pcm(hz).block] for at in range(0, len(sound) - Pcm(hz).block + 1, Pcm(hz).block)
    ]
    reference = Reference(hz)
    taken = b""
    for block in blocks:
        reference.wrote(block.tobytes())
        taken += reference.block(0)

    assert len(taken) == len(blocks) * 2 * BLOCK
    whole = Resampler(hz, CANCEL_HZ).process(np.concatenate(blocks))
    # The first block is short of what the resampler keeps to itself; from then on it is that stream.
    short = len(blocks) * BLOCK - len(whole)
    got = np.frombuffer(taken, "<i2")
    assert np.array_equal(got[BLOCK:], whole[BLOCK - short :])


def test_what_no_card_can_hold_is_no_reference_of_anything() -> None:
    reference = Reference(CANCEL_HZ)
    for number in range(100):
        reference.wrote(numbered(number))

    assert reference.block(0) == numbered(50)


def balance(drift_ppm: float, seconds: int = 100) -> Reference:
    """A card of two clocks, whose rounds come at odd moments, and which is kept at one block."""
    reference, rng = Reference(CANCEL_HZ), np.random.default_rng(1)
    written = 2.0 * BLOCK
    for number in range(seconds * 100):
        played = (number + 1 + rng.uniform(0, 0.3)) * BLOCK * (1 + drift_ppm * 1e-6)
        while written - played < 1.5 * BLOCK:
            reference.wrote(numbered(number % 1000))
            written += BLOCK
        reference.block(int(written - played))
    return reference


@pytest.mark.parametrize("drift_ppm", [100, 500, 1500])
def test_faster_speaker_is_followed_by_stretching(drift_ppm: float) -> None:
    """P25: else the reference would fall behind its own echo within minutes."""
    assert balance(drift_ppm).stretch == pytest.approx(drift_ppm * 1e-6, abs=50e-6)


@pytest.mark.parametrize("drift_ppm", [0, -100, -500])
def test_clock_that_is_not_faster_is_not_followed(drift_ppm: float) -> None:
    assert balance(drift_ppm, 120).stretch == 0.0


def test_stall_an_underrun_and_another_reserve_are_no_drift() -> None:
    scene = Scene()
    scene.card.stalls.update({300: 0.03, 700: 0.06, 1100: 0.09})
    stretched: set[float] = set()

    def look() -> None:
        assert scene.front.path
        stretched.add(scene.front.path.reference.stretch)

    for second in range(1, 19):
        scene.clock.at(second, look)
    scene.answer(1.0, speech(STORY))
    scene.run(19)

    assert scene.duplex.stats().underruns == 3
    assert scene.duplex.stats().target_fill_ms == 20
    assert stretched == {0.0}


@pytest.mark.parametrize("drift_ppm", [1000, -1000])
def test_echo_stays_cancelled_while_the_clocks_run_apart(drift_ppm: float) -> None:
    """P25: without stretching the lag would be used up within a minute; `make soak` has half as fast ones."""
    scene = Scene(Acoustics(drift_ppm=drift_ppm))
    story = speech(STORY)
    for at in (1, 21):
        scene.answer(at, story)
    scene.run(29)

    assert scene.erle_db(22, 28) > 20
    assert [onset for onset in scene.onsets if onset.told > 3] == []
