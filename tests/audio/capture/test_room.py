"""The simulated room does what it says: whatever is tested in it stands on that."""

import numpy as np
import pytest

from support.fakes import SimulatedClock
from support.room import Acoustics, Reverb, RoomCard, at_level, impulse_response, loudspeaker, rms_dbfs

HZ = 24_000
DRY = Acoustics(rt60_s=0.001, direct_db=60, gain=0.5, noise_dbfs=-120, distortion=False)
CLICK = np.zeros(240, "<i2")
CLICK[0] = 20_000


def recorded(acoustics: Acoustics, blocks: int = 60, click_at: int = 10) -> np.ndarray:
    """What the microphone hears of a click in the block that is written after so many were read."""
    clock = SimulatedClock()
    card = RoomCard(clock, acoustics)
    for _ in range(2):
        card.write(bytes(480))
    for number in range(blocks):
        card.read()
        card.write(CLICK.tobytes() if number == click_at else bytes(480))
    return np.frombuffer(bytes(card.recorded), "<i2")


@pytest.mark.parametrize("delay_ms", [0, 20, 250])
def test_sound_comes_back_after_what_the_card_held_and_the_delay(delay_ms: float) -> None:
    heard = recorded(Acoustics(**{**vars(DRY), "delay_ms": delay_ms}))

    # Read by then: 11 blocks; the card held one more before the click.
    assert int(np.argmax(np.abs(heard))) == (11 + 1) * 240 + int(delay_ms * 24)
    assert np.max(heard) == pytest.approx(10_000, rel=0.01)


def test_echo_is_as_loud_as_the_gain_says_for_a_sound_of_all_pitches() -> None:
    response = impulse_response(Acoustics(gain=0.45), HZ)
    noise = np.random.default_rng(1).normal(0, 1000, 5 * HZ)
    echo = np.convolve(noise, response)[HZ : 4 * HZ]

    assert rms_dbfs(echo) - rms_dbfs(noise) == pytest.approx(20 * np.log10(0.45), abs=0.3)


def test_reverberation_decays_by_60_db_in_its_time() -> None:
    response = impulse_response(Acoustics(rt60_s=0.5), HZ)
    early, late = response[240:1440], response[-1200:]

    assert rms_dbfs(early * 3e4) - rms_dbfs(late * 3e4) == pytest.approx(54, abs=3)


def test_partitioned_filter_is_the_filter() -> None:
    rng = np.random.default_rng(1)
    response, sound = rng.normal(0, 1, 1000), rng.normal(0, 1, 2400)
    reverb = Reverb(response, 240)
    blocks = np.concatenate([reverb.process(sound[at : at + 240]) for at in range(0, 2400, 240)])

    assert np.allclose(blocks, np.convolve(sound, response)[:2400])


def test_speaker_of_another_clock_comes_back_sooner_and_sooner() -> None:
    early, late = (
        recorded(Acoustics(**{**vars(DRY), "drift_ppm": 10_000}), 400, click) for click in (10, 110)
    )
    # 1 % of a second earlier, for the click was asked for one second later.
    shift = (int(np.argmax(np.abs(late))) - int(np.argmax(np.abs(early)))) / HZ
    assert shift == pytest.approx(1.0 * 0.99 + 0.01, abs=0.012)


def test_loudspeaker_makes_harmonics_and_no_level() -> None:
    tone = 10_000 * np.sin(2 * np.pi * 500 * np.arange(HZ) / HZ)
    powers = np.abs(np.fft.rfft(loudspeaker(tone)))
    second, third = (20 * np.log10(powers[k * 500] / powers[500]) for k in (2, 3))

    assert -45 < second < -35
    assert -45 < third < -30
    assert rms_dbfs(loudspeaker(tone)) == pytest.approx(rms_dbfs(tone), abs=1)


def test_near_end_is_mixed_in_where_it_is_said() -> None:
    clock = SimulatedClock()
    card = RoomCard(clock, DRY)
    card.speak(0.25, at_level(np.sin(2 * np.pi * 500 * np.arange(2400) / HZ), -20))
    for _ in range(50):
        card.read()
    heard = np.flatnonzero(np.frombuffer(bytes(card.recorded), "<i2"))

    assert heard[0] / HZ == pytest.approx(0.25, abs=0.001)
    assert heard[-1] / HZ == pytest.approx(0.35, abs=0.001)
