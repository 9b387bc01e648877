"""The chime: heard once, in the reference, and in nobody's books."""

import numpy as np
import pytest

from rtvoiced.audio.playback.chime import Chime
from rtvoiced.dsp.pcm import Pcm
from rtvoiced.vocabulary import EchoMode
from support.room import Acoustics
from support.scene import HZ, STORY, Scene, assistant


def played(scene: Scene) -> np.ndarray:
    return np.frombuffer(bytes(scene.card.played), "<i2")


def chime(hz: int = HZ) -> np.ndarray:
    it, silence = Chime(hz), Pcm(hz).silence(10)
    blocks = []
    while it:
        blocks.append(it.over(silence, quiet=True))
    return np.frombuffer(b"".join(blocks), "<i2")


@pytest.mark.parametrize("hz", [16_000, 24_000, 44_100, 48_000])
def test_chime_lasts_four_tenths_of_a_second_without_a_click(hz: int) -> None:
    sound = chime(hz).astype(np.int32)
    assert 0.38 <= len(sound) / hz <= 0.4
    assert np.max(np.abs(sound)) == 6000
    assert max(np.abs(sound[[0, -1]])) <= 1


def test_chime_is_heard_once_and_is_no_answer() -> None:
    scene = Scene(chimes=True).run(3)
    sounds = np.flatnonzero(played(scene))

    # Once the card has settled, and after what it holds.
    assert sounds[0] / HZ == pytest.approx(0.13, abs=0.02)
    assert (sounds[-1] - sounds[0]) / HZ == pytest.approx(0.39, abs=0.01)
    assert scene.playback.reports() == []
    assert not scene.playback.sounding
    assert scene.playback.cut().parts == ()


def test_chime_waits_for_an_answer_to_end() -> None:
    scene = Scene(chimes=True)
    scene.answer(0.0, np.full(HZ, 1000, np.int16))
    scene.run(3)
    sound = played(scene)
    first = int(np.flatnonzero(sound)[0])

    assert set(sound[first : first + HZ]) == {1000}
    assert np.max(np.abs(sound[first + HZ :])) == 6000


def test_answer_that_begins_meanwhile_sounds_with_it() -> None:
    scene = Scene(chimes=True)
    scene.answer(0.3, np.full(HZ // 10, 1000, np.int16))
    scene.run(3)
    both, alone = played(scene).astype(np.int32), played(Scene(chimes=True).run(3)).astype(np.int32)
    answer = both - alone

    assert scene.card.gaps == 0
    assert np.count_nonzero(answer == 1000) == HZ // 10 == np.count_nonzero(answer)


@pytest.mark.parametrize("mode", ["off", "half_duplex", "system"])
def test_without_a_canceller_there_is_no_chime(mode: EchoMode) -> None:
    assert not np.any(played(Scene(chimes=True, mode=mode).run(1)))


def test_canceller_learns_the_room_from_it() -> None:
    """P22: it is converged by the end of an answer's first second, and that much sooner is not doubted."""
    assert first_words(chimes=True) > first_words(chimes=False) + 3


def first_words(*, chimes: bool) -> float:
    """How well the second half second of the first answer is cancelled, over some rooms."""
    cancelled = []
    for room in (Acoustics(gain=gain, delay_ms=delay) for gain in (0.45, 1.0) for delay in (60, 150)):
        scene = Scene(room, chimes=chimes)
        scene.answer(2.0, assistant(STORY)[: 2 * HZ])
        scene.run(3.2)
        cancelled.append(scene.erle_db(2.6, 3.1))
    return float(np.mean(cancelled))
