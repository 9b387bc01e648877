"""How long after the reference its echo comes back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtvoiced.audio.capture.lag import lag_ms
from rtvoiced.audio.capture.reference import CANCEL_HZ
from support.room import Acoustics, as_pcm, impulse_response
from support.scene import STORY, speech

REFERENCE = speech(STORY, hz=CANCEL_HZ)[CANCEL_HZ : 3 * CANCEL_HZ]
ROOM = impulse_response(Acoustics(), CANCEL_HZ)


def echo(lag: float) -> NDArray[np.float64]:
    """The reference as it comes back in a room; a negative lag is a microphone that runs ahead."""
    wet = np.convolve(REFERENCE, ROOM)[: len(REFERENCE)]
    frames = int(lag * CANCEL_HZ / 1000)
    if frames < 0:
        return np.concatenate((wet[-frames:], np.zeros(-frames)))
    return np.concatenate((np.zeros(frames), wet))[: len(wet)]


@pytest.mark.parametrize("lag", [-40, -5, 0, 5, 20, 40, 250, 480, 620])
def test_lag_is_measured_to_a_millisecond(lag: float) -> None:
    assert lag_ms(as_pcm(echo(lag)), REFERENCE) == pytest.approx(lag, abs=1)


def test_quiet_echo_under_noise_is_found() -> None:
    noise = np.random.default_rng(2).normal(0, 60, len(REFERENCE))

    assert lag_ms(as_pcm(0.1 * echo(40) + noise), REFERENCE) == pytest.approx(40, abs=1)


def test_voice_beside_the_echo_does_not_move_it() -> None:
    voice = speech("no wait that is not what i asked for", "rms", CANCEL_HZ)
    beside = np.zeros(len(REFERENCE))
    beside[8000 : 8000 + len(voice)] = 0.5 * voice[: len(beside) - 8000]

    assert lag_ms(as_pcm(echo(40) + beside), REFERENCE) == pytest.approx(40, abs=1)


def test_where_nothing_comes_back_no_lag_is_made_up() -> None:
    noise = np.random.default_rng(3).normal(0, 60, len(REFERENCE))
    voice = speech("no wait that is not what i asked for, and now to something else", "rms", CANCEL_HZ)

    assert lag_ms(as_pcm(noise), REFERENCE) is None
    assert lag_ms(voice[: len(REFERENCE)], REFERENCE[: len(voice)]) is None
    assert lag_ms(np.zeros(len(REFERENCE), np.int16), REFERENCE) is None
    assert lag_ms(REFERENCE, np.zeros(len(REFERENCE), np.int16)) is None
