"""What the server gets of the microphone, and what nobody ever gets."""

from __future__ import annotations

import numpy as np
import pytest

from rtvoiced.app.uplink import Uplink
from rtvoiced.conversation.effects import MicrophoneGate
from rtvoiced.dsp.pcm import FRAME_BYTES, Pcm
from rtvoiced.realtime.events import AppendAudio

HZ = 24_000
SIZE = Pcm(HZ).size(20)


def spoken(number: int) -> bytes:
    """Return the 20 ms of the microphone with this number, and like no other."""
    return bytes([number, 1]) * (SIZE // FRAME_BYTES)


def path(preroll_ms: int = 60) -> tuple[Uplink, list[bytes]]:
    """Return a path and what it sends."""
    sent: list[bytes] = []

    def send(event: AppendAudio) -> None:
        sent.append(event.pcm)

    return Uplink(send, preroll_ms), sent


def test_an_open_gate_lets_everything_through_as_it_is() -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.OPEN, HZ)
    for number in range(5):
        microphone.block(spoken(number), HZ)

    assert sent == [spoken(number) for number in range(5)]


def test_before_a_session_the_last_words_are_kept_and_go_first() -> None:
    microphone, sent = path(preroll_ms=60)
    for number in range(10):
        microphone.block(spoken(number), HZ)
    assert sent == []
    microphone.set(MicrophoneGate.OPEN, HZ)
    assert sent == [spoken(7), spoken(8), spoken(9)]
    microphone.block(spoken(10), HZ)

    assert sent == [spoken(7), spoken(8), spoken(9), spoken(10)]


def test_echo_goes_out_as_silence_and_is_kept_as_silence() -> None:
    microphone, sent = path(preroll_ms=60)
    microphone.block(spoken(1), HZ, echoes=True)
    microphone.block(spoken(2), HZ)
    microphone.set(MicrophoneGate.OPEN, HZ)
    microphone.block(spoken(3), HZ, echoes=True)
    microphone.block(spoken(4), HZ)

    assert sent == [bytes(SIZE), spoken(2), bytes(SIZE), spoken(4)]


def test_who_presses_to_talk_is_heard_though_the_room_still_echoes() -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.OPEN, HZ)
    microphone.block(spoken(1), HZ, echoes=True)
    microphone.set(MicrophoneGate.TALK, HZ)
    microphone.block(spoken(2), HZ, echoes=True)

    # What came before the press is the answer that it cut.
    assert sent == [bytes(SIZE), bytes(SIZE), spoken(2)]


def test_what_was_kept_goes_out_once() -> None:
    microphone, sent = path()
    microphone.block(spoken(1), HZ)
    microphone.set(MicrophoneGate.OPEN, HZ)
    microphone.set(MicrophoneGate.CLOSED, HZ)
    microphone.set(MicrophoneGate.OPEN, HZ)

    assert sent == [spoken(1)]


def test_onset_that_was_kept_from_the_server_goes_out_after_all() -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.OPEN, HZ)
    microphone.block(spoken(1), HZ, 1.0, echoes=True)
    microphone.block(spoken(2), HZ, 1.02, before=spoken(1))

    assert sent == [bytes(SIZE), spoken(1), spoken(2)]
    # Positions count back from the newest: the onset's own is right.
    assert microphone.read_at(40) == pytest.approx(1.0)


def test_who_presses_to_talk_is_not_heard_twice() -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.TALK, HZ)
    microphone.block(spoken(1), HZ, echoes=True)
    microphone.block(spoken(2), HZ, before=spoken(1))

    assert sent == [spoken(1), spoken(2)]


def test_no_preroll_is_none() -> None:
    microphone, sent = path(preroll_ms=0)
    microphone.block(spoken(1), HZ)
    microphone.set(MicrophoneGate.OPEN, HZ)

    assert sent == []


@pytest.mark.parametrize("muted", [MicrophoneGate.SILENCE, MicrophoneGate.OFF])
def test_nothing_of_a_muted_microphone_is_ever_kept_or_sent(muted: MicrophoneGate) -> None:
    microphone, sent = path(preroll_ms=300)
    microphone.block(spoken(1), HZ)
    microphone.set(muted, HZ)
    for _ in range(30):
        microphone.block(spoken(2), HZ)
    silence = list(sent)
    microphone.set(MicrophoneGate.OPEN, HZ)
    microphone.block(spoken(3), HZ)

    # Nor what was kept before the mute: it was switched off for a reason.
    assert sent[len(silence) :] == [spoken(3)]
    assert set(silence) == ({bytes(SIZE)} if muted is MicrophoneGate.SILENCE else set())


@pytest.mark.parametrize("muted", [MicrophoneGate.SILENCE, MicrophoneGate.OFF])
def test_a_mute_that_ends_without_a_session_begins_to_keep_from_then_on(muted: MicrophoneGate) -> None:
    microphone, sent = path(preroll_ms=300)
    microphone.set(muted, HZ)
    microphone.block(spoken(1), HZ)
    microphone.set(MicrophoneGate.CLOSED, HZ)
    microphone.block(spoken(2), HZ)
    before = len(sent)
    microphone.set(MicrophoneGate.OPEN, HZ)

    assert sent[before:] == [spoken(2)]


@pytest.mark.parametrize("card_hz", [8_000, 16_000, 24_000, 44_100, 48_000])
def test_silence_lasts_as_long_as_the_words_would(card_hz: int) -> None:
    lengths: list[int] = []
    block = b"\1\1" * Pcm(card_hz).frames(20)
    for gate in (MicrophoneGate.OPEN, MicrophoneGate.SILENCE):
        microphone, sent = path()
        microphone.set(gate, HZ)
        for _ in range(50):
            microphone.block(block, card_hz)
        lengths.append(len(b"".join(sent)))

    assert lengths[0] == lengths[1]
    assert abs(lengths[0] - Pcm(HZ).size(1000)) <= Pcm(HZ).size(20)


@pytest.mark.parametrize(
    ("card_hz", "hz"), [(48_000, 24_000), (44_100, 24_000), (16_000, 24_000), (24_000, 16_000)]
)
def test_ten_seconds_stay_ten_seconds_at_another_rate(card_hz: int, hz: int) -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.OPEN, hz)
    for _ in range(500):
        microphone.block(bytes(Pcm(card_hz).size(20)), card_hz)
    frames = len(b"".join(sent)) // FRAME_BYTES

    assert 0 <= Pcm(hz).frames(10_000) - frames <= Pcm(hz).block


def test_a_tone_is_the_same_tone_at_the_servers_rate() -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.OPEN, 24_000)
    seconds = np.arange(48_000) / 48_000
    tone = (10_000 * np.sin(2 * np.pi * 440 * seconds)).astype("<i2").tobytes()
    for start in range(0, len(tone), 1920):
        microphone.block(tone[start : start + 1920], 48_000)
    heard = np.frombuffer(b"".join(sent), "<i2")[2400:21_600]

    assert int(np.argmax(np.abs(np.fft.rfft(heard)))) == 440 * len(heard) // 24_000
    assert abs(int(np.max(heard)) - 10_000) < 50


def test_a_new_card_goes_on_at_its_own_rate() -> None:
    microphone, sent = path(preroll_ms=40)
    microphone.block(bytes(Pcm(48_000).size(20)), 48_000)
    microphone.block(spoken(1), HZ)
    microphone.set(MicrophoneGate.OPEN, HZ)

    assert sent[-1] == spoken(1)
    assert len(sent) == 2


def test_time_of_a_block_goes_with_it_and_what_was_kept_has_none() -> None:
    sent: list[AppendAudio] = []
    microphone = Uplink(sent.append, preroll_ms=60)
    microphone.block(spoken(1), HZ, 1.0)
    microphone.set(MicrophoneGate.OPEN, HZ)
    microphone.block(spoken(2), HZ, 2.0)
    microphone.set(MicrophoneGate.SILENCE, HZ)
    microphone.block(spoken(3), HZ, 3.0)

    assert [event.read_at for event in sent] == [None, 2.0, 3.0]


def test_a_shorter_preroll_keeps_less() -> None:
    microphone, sent = path(preroll_ms=60)
    microphone.preroll_ms = 20
    for number in range(5):
        microphone.block(spoken(number), HZ)
    microphone.set(MicrophoneGate.OPEN, HZ)

    assert sent == [spoken(4)]


def test_a_press_sends_the_last_300_ms_first_whether_they_were_sent_or_not() -> None:
    for gate, again in ((MicrophoneGate.OPEN, True), (MicrophoneGate.CLOSED, False)):
        microphone, sent = path(preroll_ms=60)
        microphone.set(MicrophoneGate.OPEN, HZ)
        microphone.set(gate, HZ)
        for number in range(30):
            microphone.block(spoken(number), HZ)
        before = len(sent)
        microphone.set(MicrophoneGate.TALK, HZ)
        microphone.block(spoken(30), HZ)

        assert before == (30 if again else 0)
        assert sent[before:] == [spoken(number) for number in range(15, 31)]


def test_what_was_said_under_a_press_does_not_begin_the_next_one() -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.TALK, HZ)
    microphone.block(spoken(1), HZ)
    microphone.set(MicrophoneGate.CLOSED, HZ)
    microphone.block(spoken(2), HZ)
    microphone.set(MicrophoneGate.TALK, HZ)

    assert sent == [spoken(1), spoken(2)]


def test_a_press_that_goes_on_sends_nothing_twice() -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.TALK, HZ)
    microphone.block(spoken(1), HZ)
    microphone.set(MicrophoneGate.TALK, HZ)

    assert sent == [spoken(1)]


def test_a_press_right_after_a_mute_has_nothing_from_before() -> None:
    microphone, sent = path()
    microphone.set(MicrophoneGate.OPEN, HZ)
    microphone.set(MicrophoneGate.SILENCE, HZ)
    microphone.block(spoken(1), HZ)
    before = len(sent)
    microphone.set(MicrophoneGate.OPEN, HZ)
    microphone.set(MicrophoneGate.TALK, HZ)

    assert sent[before:] == []


def test_a_longer_preroll_is_for_sessions_and_not_for_presses() -> None:
    microphone, sent = path(preroll_ms=1000)
    for number in range(60):
        microphone.block(spoken(number), HZ)
    microphone.set(MicrophoneGate.TALK, HZ)

    assert sent == [spoken(number) for number in range(45, 60)]


@pytest.mark.parametrize("hz", [24_000, 16_000])
def test_when_a_place_of_the_session_was_read_is_known(hz: int) -> None:
    microphone, _ = path()
    assert microphone.read_at(0) is None
    microphone.set(MicrophoneGate.OPEN, hz)
    for number in range(100):
        microphone.block(spoken(1), HZ, 10.0 + number * 0.02)

    # The last frame of 2 s was read at 11.98; a resampler keeps back a millisecond.
    assert microphone.read_at(2000) == pytest.approx(11.98, abs=0.002)
    assert microphone.read_at(500) == pytest.approx(10.48, abs=0.002)


def test_a_new_session_counts_from_its_own_beginning() -> None:
    microphone, _ = path()
    for begin in (10.0, 50.0):
        microphone.set(MicrophoneGate.OPEN, HZ)
        for number in range(10):
            microphone.block(spoken(1), HZ, begin + number * 0.02)
        microphone.set(MicrophoneGate.CLOSED, HZ)

    assert microphone.read_at(200) == pytest.approx(50.18)
