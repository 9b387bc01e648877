from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvoiced.audio.events import CutResult, Drained, PartHeard, Started
from rtvoiced.audio.playback.ledger import Ledger, Progress
from rtvoiced.dsp.pcm import Part

HZ = 24_000
A = Part("r1", "i1")
B = Part("r1", "i2")
NEXT = Part("r2", "i3")


def ledger(*received: tuple[Part, int]) -> Ledger:
    books = Ledger()
    for part, ms in received:
        books.receive(part, ms * HZ // 1000, HZ)
    return books


def frames(ms: float) -> int:
    return int(ms * HZ) // 1000


def cut(books: Ledger, lost_ms: float = 0) -> CutResult:
    return books.cut((), 0, frames(lost_ms), 0.0)


def test_part_starts_with_its_first_frame_and_only_once() -> None:
    books = ledger((A, 100))

    books.hand(A, 1, 1)
    books.hand(A, 2, 1)

    assert books.reports() == [Started(A)]
    assert books.reports() == []


def test_part_drains_when_it_is_complete_and_out_of_the_card() -> None:
    books = ledger((A, 100))
    books.hand(A, frames(100), frames(100))
    books.reports()
    books.finish(A)

    books.in_card(1)
    assert books.reports() == []
    books.in_card(0)

    assert books.reports() == [Drained(A, 100, idle=True)]


def test_part_that_the_server_has_not_finished_does_not_drain() -> None:
    books = ledger((A, 100))
    books.hand(A, frames(100), frames(100))
    books.in_card(0)
    assert books.reports() == [Started(A)]

    books.finish(A)

    assert books.reports() == [Drained(A, 100, idle=True)]


def test_finishing_a_response_finishes_all_of_its_parts_and_no_other() -> None:
    books = ledger((A, 10), (B, 10), (NEXT, 10))
    for part in (A, B, NEXT):
        books.hand(part, frames(10), frames(10))
    books.in_card(0)
    books.reports()

    books.finish_response("r1")

    assert books.reports() == [Drained(A, 10, idle=True), Drained(B, 10, idle=True)]
    assert books.knows("r2")
    assert not books.knows("r1")


def test_part_before_others_drains_without_idleness() -> None:
    books = ledger((A, 10), (B, 10))
    books.finish_response("r1")
    books.hand(A, frames(10), frames(10))
    books.in_card(0)

    assert books.reports() == [Started(A), Drained(A, 10, idle=False)]


def test_what_the_card_holds_at_a_cut_counts_as_heard() -> None:
    books = ledger((A, 100))
    books.hand(A, frames(60), frames(60))
    books.in_card(frames(30))

    assert cut(books) == CutResult((PartHeard(A, 60, 100, complete=False),), 40, 0.0)


def test_what_was_lost_with_the_card_does_not() -> None:
    books = ledger((A, 100))
    books.hand(A, frames(40), frames(40))
    books.hand(A, frames(60), frames(20))
    books.hand_silence(frames(5))
    books.in_card(frames(50))

    assert cut(books, lost_ms=30).parts == (PartHeard(A, 35, 100, complete=False),)


def test_a_lost_card_opens_a_part_again_that_was_wholly_handed_over() -> None:
    books = ledger((A, 100))
    books.finish(A)
    books.hand(A, frames(100), frames(100))
    books.in_card(frames(30))

    assert cut(books, lost_ms=30) == CutResult((PartHeard(A, 70, 100, complete=True),), 30, 0.0)


def test_fade_counts_as_heard() -> None:
    books = ledger((A, 100), (B, 100))
    books.hand(A, frames(98), frames(98))

    heard = books.cut([(A, frames(100)), (B, frames(3))], frames(5), 0, 15.0)

    assert heard == CutResult(
        (PartHeard(A, 100, 100, complete=False), PartHeard(B, 3, 100, complete=False)), 97, 15.0
    )


def test_part_that_is_complete_and_in_the_card_is_not_cut_and_drains() -> None:
    books = ledger((A, 10), (B, 10))
    books.finish(A)
    books.hand(A, frames(10), frames(10))
    books.reports()

    assert [heard.part for heard in cut(books).parts] == [B]
    books.in_card(0)

    assert books.reports() == [Drained(A, 10, idle=True)]


def test_nothing_is_reported_of_a_cut_part_not_even_what_was_not_fetched_yet() -> None:
    books = ledger((A, 10))
    books.hand(A, frames(5), frames(5))

    cut(books)
    books.finish(A)
    books.finish_response("r1")
    books.in_card(0)

    assert books.reports() == []


def test_second_cut_finds_nothing() -> None:
    books = ledger((A, 100))
    books.hand(A, frames(10), frames(10))
    cut(books)

    assert cut(books) == CutResult((), 0, 0.0)


def test_played_ms_is_rounded_down() -> None:
    books = ledger((A, 100))
    books.hand(A, frames(11) - 1, frames(11) - 1)

    assert cut(books).parts[0].played_ms == 10


def test_progress_is_what_a_listener_hears_now() -> None:
    books = ledger((A, 100), (B, 50))
    books.hand(A, frames(60), frames(60))
    assert books.progress() == Progress(A, 0, 90)

    books.in_card(frames(25))

    assert books.progress() == Progress(A, 35, 90)


def test_position_stays_while_the_next_part_waits_and_moves_on_with_it() -> None:
    books = ledger((A, 10), (B, 20))
    books.hand(A, frames(10), frames(10))
    books.in_card(0)
    assert books.progress() == Progress(A, 10, 20)

    books.hand(B, frames(10), frames(10))
    books.in_card(frames(4))

    assert books.progress() == Progress(B, 6, 10)


def test_silence_in_the_card_keeps_the_order_of_what_is_heard() -> None:
    books = ledger((A, 20))
    books.hand_silence(frames(10))
    books.hand(A, frames(10), frames(10))
    books.hand_silence(frames(10))
    books.in_card(frames(15))

    assert books.progress().played_ms == 5
    assert books.in_card_sounds
    books.in_card(frames(10))
    assert not books.in_card_sounds


def test_fade_sounds_until_it_is_out_of_the_card() -> None:
    books = ledger((A, 20))
    books.hand(A, frames(10), frames(10))
    books.cut([(A, frames(15))], frames(5), 0, 0.0)
    books.in_card(0)
    assert books.in_card_sounds
    books.hand_fade(frames(5))
    assert books.in_card_sounds

    books.in_card(0)

    assert not books.in_card_sounds


def test_part_has_one_rate() -> None:
    books = ledger((A, 20))

    with pytest.raises(ValueError, match="16000"):
        books.receive(A, 1, 16_000)


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 700), st.integers(0, 900)), max_size=30))
def test_heard_never_passes_played_nor_played_received(rounds: list[tuple[int, int, int]]) -> None:
    books, received, played = Ledger(), 0, 0
    for source, handed, held in rounds:
        received += source
        books.receive(A, source, HZ)
        played = min(received, played + handed)
        books.hand(A, played, handed * 2)
        books.in_card(held)
        progress = books.progress()
        assert progress.played_ms * HZ <= played * 1000
        assert progress.queued_ms == (received - played) * 1000 // HZ

    heard = cut(books)

    if rounds:
        assert heard.parts == (PartHeard(A, played * 1000 // HZ, received * 1000 // HZ, complete=False),)
    assert not books.knows("r1")
