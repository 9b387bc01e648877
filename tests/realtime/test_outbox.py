"""What waits to be sent: old audio goes, control events never do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvoiced.realtime.events import (
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClientEvent,
    DeleteItem,
    TruncateItem,
)
from rtvoiced.realtime.outbox import MOST_AUDIO, LinkOutbox

CONTROL: list[ClientEvent] = [
    CancelResponse("r1"),
    TruncateItem("i1", 0, 840),
    DeleteItem("i2"),
    ClearAudio(),
]


def audio(number: int) -> AppendAudio:
    return AppendAudio(number.to_bytes(2, "little") * 480)


def taken(outbox: LinkOutbox) -> list[ClientEvent]:
    return [outbox.take() for _ in range(len(outbox))]


def test_events_leave_in_the_order_they_came() -> None:
    outbox = LinkOutbox()
    events = [CONTROL[0], audio(1), CONTROL[1], audio(2)]
    for each in events:
        outbox.put(each)

    assert taken(outbox) == events
    assert outbox.dropped_frames == 0
    with pytest.raises(IndexError):
        outbox.take()


def test_too_much_audio_pushes_out_the_oldest_audio_and_nothing_else() -> None:
    outbox = LinkOutbox(most_audio=2)
    for each in [CONTROL[0], audio(1), CONTROL[1], audio(2), audio(3), CONTROL[2], audio(4)]:
        outbox.put(each)

    assert outbox.dropped_frames == 2 * 480
    assert taken(outbox) == [CONTROL[0], CONTROL[1], audio(3), CONTROL[2], audio(4)]


def test_a_second_of_audio_waits() -> None:
    outbox = LinkOutbox()
    for number in range(MOST_AUDIO + 7):
        outbox.put(audio(number))

    assert taken(outbox) == [audio(number) for number in range(7, MOST_AUDIO + 7)]
    assert outbox.dropped_frames == 7 * 480


def test_what_was_taken_makes_room() -> None:
    outbox = LinkOutbox(most_audio=1)
    for number in range(5):
        outbox.put(audio(number))
        assert outbox.take() == audio(number)

    assert outbox.dropped_frames == 0


def test_what_is_forgotten_counts_as_dropped_where_it_is_audio() -> None:
    outbox = LinkOutbox()
    for each in [audio(1), *CONTROL, audio(2)]:
        outbox.put(each)
    outbox.forget()

    assert (len(outbox), outbox.dropped_frames) == (0, 2 * 480)
    outbox.put(CONTROL[0])
    assert taken(outbox) == [CONTROL[0]]


@given(st.lists(st.sampled_from(["audio", "control", "take"])), st.integers(1, 4))
def test_whatever_happens_control_is_whole_and_in_order_and_audio_is_the_newest(
    steps: list[str], most: int
) -> None:
    outbox = LinkOutbox(most)
    put: list[ClientEvent] = []
    got: list[ClientEvent] = []
    for number, step in enumerate(steps):
        if step == "take":
            got += [outbox.take()] if outbox else []
        else:
            event = audio(number) if step == "audio" else TruncateItem(f"i{number}", 0, number)
            put.append(event)
            outbox.put(event)
    left = taken(outbox)
    got += left

    assert [each for each in got if isinstance(each, TruncateItem)] == [
        each for each in put if isinstance(each, TruncateItem)
    ]
    assert got == [each for each in put if each in got]
    assert sum(isinstance(each, AppendAudio) for each in left) <= most
    assert outbox.dropped_frames == 480 * (len(put) - len(got))
