"""The arithmetic of `make bench`, on recordings that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from bench.hearing import (
    LATE_HZ,
    Append,
    Ending,
    Piece,
    ServerVad,
    beginnings,
    ending,
    gaps_within,
    heard_ms,
    mic_to_wire,
    offsets,
)
from bench.scene import ANSWER
from bench.table import placed
from rtvoiced.dsp.pcm import WIRE
from support.listening import as_recorded, pcm_of, signal, tone
from support.virtual_card import RECORD_HZ, SampleClock, Samples

BEGIN_S = 100.0
"""When the first sample of each recording here sounded."""


def silence(ms: int) -> Samples:
    return np.zeros(ms * RECORD_HZ // 1000, np.int16)


def recorded(pcm: bytes) -> Samples:
    return np.rint(as_recorded(pcm)).astype(np.int16)


def piece(*sounds: Samples) -> Piece:
    return Piece(np.concatenate(sounds), lambda sample: BEGIN_S + sample / RECORD_HZ)


def answered(ms: int) -> Samples:
    """Return the answer until *ms*, faded out before that as playback does it."""
    samples = recorded(ANSWER)[: ms * RECORD_HZ // 1000].astype(np.float64)
    fade = 5 * RECORD_HZ // 1000
    samples[-fade:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)
    return np.rint(samples).astype(np.int16)


def test_silence_is_counted_from_the_interruption_to_the_last_audible_sample() -> None:
    heard = piece(silence(20), answered(400), silence(300))

    found = ending(heard, BEGIN_S + 0.390)

    # The last half millisecond of a fade is not audible.
    assert found.silence_ms == pytest.approx(30, abs=1)
    assert found.last == pytest.approx(0.420 * RECORD_HZ, abs=48)
    assert found.late_ms == 0


def test_what_was_heard_of_an_answer_is_told_to_a_millisecond() -> None:
    for heard_until in (150, 400, 1000, 5900):
        heard = piece(silence(33), answered(heard_until), silence(50))
        last = ending(heard, BEGIN_S).last
        assert heard_ms(heard, last, ANSWER) == pytest.approx(heard_until, abs=1)


def test_what_was_heard_is_the_place_in_the_answer_whatever_was_missing_before_it() -> None:
    whole = answered(600)
    gap = silence(80)
    heard = piece(whole[: 200 * 48], gap, whole[200 * 48 :], silence(50))

    assert heard_ms(heard, ending(heard, BEGIN_S).last, ANSWER) == pytest.approx(600, abs=1)
    assert gaps_within(heard) == [pytest.approx(80, abs=1)]


def test_late_audio_is_what_sounds_of_the_late_deltas_however_it_is_buried() -> None:
    late = recorded(tone(0.1, LATE_HZ))

    assert ending(piece(answered(300), late, silence(50)), BEGIN_S).late_ms == pytest.approx(100, abs=20)
    assert ending(piece(answered(300), silence(50)), BEGIN_S).late_ms == 0


def test_an_answer_without_a_gap_has_none_and_silence_around_it_is_none() -> None:
    assert gaps_within(piece(silence(50), answered(2000), silence(50))) == []
    assert gaps_within(piece(silence(50))) == []


def test_sounds_begin_after_a_silence_of_50_ms() -> None:
    click = recorded(signal(0.04, seed=4))
    near, far = silence(30), silence(60)

    found = beginnings(np.concatenate((far, click, near, click, far, click)), RECORD_HZ)

    assert [round(each / 48) for each in found] == [60, 230]


def test_clicks_calibrate_by_the_nearest_sound_and_a_lost_one_does_not_count() -> None:
    clicked = [10.0, 10.2, 10.4]

    assert offsets(clicked, [9.996, 10.397]) == [pytest.approx(-4), pytest.approx(-3)]
    assert offsets(clicked, []) == []


def test_time_of_a_sample_is_that_of_the_earliest_chunk_around_it() -> None:
    clock = SampleClock(1000)
    for second in range(20):
        # Every other chunk is late; from the tenth second on, 100 samples are missing.
        late = 0.3 if second % 2 else 0.002
        lost = 100 if second >= 10 else 0
        clock.arrived((second + 1) * 1000 - lost, 50.0 + second + 1 + late)

    assert clock.time_of(2500) == pytest.approx(52.502)
    assert clock.time_of(17_400) == pytest.approx(67.502)


def test_mic_to_wire_is_from_a_sound_to_the_append_in_which_it_begins() -> None:
    quiet, click = WIRE.silence(200), signal(0.04, seed=4)
    wire = quiet + click + quiet + click + quiet
    size = WIRE.size(20)
    appends = [
        Append(BEGIN_S + (at + size) / WIRE.size(1000) + 0.005, wire[at : at + size])
        for at in range(0, len(wire), size)
    ]

    took = mic_to_wire([BEGIN_S + 0.2, BEGIN_S + 0.44], appends)

    # Each begins with an append: it was 20 ms long, and came 5 ms after its end.
    assert took == [pytest.approx(25), pytest.approx(25)]
    assert mic_to_wire([BEGIN_S + 0.2], appends[:3]) == []


@pytest.mark.parametrize(("ms", "heard"), [(50, False), (60, True), (500, True)])
@pytest.mark.parametrize("size_ms", [10, 15, 20, 100])
def test_the_server_hears_60_ms_of_voice_once_however_they_come(ms: int, heard: bool, size_ms: int) -> None:
    wire = WIRE.silence(50) + pcm_of(np.full(WIRE.frames(ms), 0.5)) + WIRE.silence(150)
    vad, size = ServerVad(), WIRE.size(size_ms)

    begun = [vad.hears(wire[at : at + size]) for at in range(0, len(wire), size)]

    assert sum(begun) == heard


def test_a_table_takes_the_place_of_its_last_one_and_leaves_the_others() -> None:
    page = placed(placed("# Benchmarks\n", "ipc", "old"), "other", "kept")

    assert placed(page, "ipc", "new") == (
        "# Benchmarks\n\n<!-- ipc: begin -->\nnew\n<!-- ipc: end -->\n\n"
        "<!-- other: begin -->\nkept\n<!-- other: end -->\n"
    )


def test_ending_of_nothing_is_no_measurement() -> None:
    with pytest.raises(AssertionError, match="nothing was heard"):
        ending(piece(silence(100)), BEGIN_S)
    assert Ending(0, 0.0, 0.0) == ending(piece(np.full(1, 5000, np.int16)), BEGIN_S)
