"""How well the canceller works, by powers."""

from rtvoiced.audio.capture.convergence import Convergence

ECHO, NOISE = 1e6, 700.0
"""Powers: -30 and -62 dB of full scale."""


def after(seconds: float, near: float, cleaned: float, reference: float = 1e7) -> Convergence:
    it = Convergence()
    for _ in range(50):
        it.frame(0.0, NOISE, NOISE)
    for _ in range(round(50 * seconds)):
        it.frame(reference, near, cleaned)
    return it


def test_nothing_is_known_before_anything_sounded() -> None:
    it = after(60, NOISE, NOISE / 16, reference=0.0)

    assert it.erle_db is None
    assert not it.converged(echo_found=False)
    assert it.sounded_s == 0.0


def test_an_echo_that_is_cancelled_for_two_seconds_is_converged() -> None:
    assert not after(1.9, ECHO, ECHO / 1000).converged(echo_found=True)
    assert after(2.1, ECHO, ECHO / 1000).converged(echo_found=True)
    assert round(after(2.1, ECHO, ECHO / 1000).erle_db or 0) == 30


def test_noise_that_is_suppressed_is_no_echo_that_is_cancelled() -> None:
    assert not after(4, NOISE, NOISE / 16).converged(echo_found=True)


def test_where_no_echo_is_found_there_is_nothing_to_be_cancelled() -> None:
    assert not after(4.9, NOISE, NOISE / 16).converged(echo_found=False)
    assert after(5.1, NOISE, NOISE / 16).converged(echo_found=False)


def test_most_of_an_echo_left_after_ten_seconds_is_a_failure() -> None:
    assert not after(9.9, ECHO, ECHO / 2).failed(echo_found=True)
    assert after(10.1, ECHO, ECHO / 2).failed(echo_found=True)
    assert not after(10.1, ECHO, ECHO / 2).failed(echo_found=False)
    assert not after(10.1, ECHO, ECHO / 100).failed(echo_found=True)


def test_an_echo_that_does_not_stand_out_of_the_rooms_noise_is_no_failure() -> None:
    """A lag may be found all the same."""
    it = after(60, 3 * NOISE, 2 * NOISE)

    assert it.converged(echo_found=True)
    assert not it.failed(echo_found=True)


def test_a_voice_over_an_echo_that_was_cancelled_is_no_failure() -> None:
    it = after(3, ECHO, ECHO / 1000)
    for _ in range(1000):
        it.frame(1e7, 2 * ECHO, ECHO)

    assert it.converged(echo_found=True)
    assert not it.failed(echo_found=True)


def test_what_the_canceller_leaves_of_a_voice_is_not_explained_by_the_echo() -> None:
    it = after(3, ECHO, ECHO / 1000)
    assert not it.unexplained
    it.frame(1e7, 2 * ECHO, ECHO / 2)
    assert it.unexplained


def test_more_of_it_has_to_be_left_early() -> None:
    early, late = after(1, ECHO, ECHO / 1000), after(3, ECHO, ECHO / 1000)
    for it in (early, late):
        it.frame(1e7, 2 * ECHO, ECHO / 5)

    assert (early.early, early.unexplained) == (True, False)
    assert (late.early, late.unexplained) == (False, True)


def test_without_a_speaker_that_sounds_nothing_has_to_be_explained() -> None:
    it = after(3, ECHO, ECHO / 1000)
    for _ in range(26):
        it.frame(0.0, ECHO, ECHO)

    assert not it.unexplained
