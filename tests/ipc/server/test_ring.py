"""What is kept for subscribers that missed something: the newest events, bounded twice, page by page."""

from __future__ import annotations

from rtvoiced.ipc.server.ring import PAGE_BYTES, PAGE_EVENTS, Page, Ring


def ring_of(count: int, most: int = 5000, body: bytes = b"") -> Ring:
    """Return a ring that was given events 1 to *count*, ``delta`` and ``state`` by turns."""
    ring = Ring(most)
    for number in range(1, count + 1):
        ring.keep("state" if number % 2 else "delta", body or b"%d" % number)
    return ring


def numbers(page: Page | None) -> list[int]:
    assert page is not None
    return [int(body) for body in page.bodies]


def test_what_was_missed_comes_back_in_order() -> None:
    ring = ring_of(5)

    assert ring.after(2) == Page([b"3", b"4", b"5"], more=False)
    assert ring.after(0) == Page([b"1", b"2", b"3", b"4", b"5"], more=False)
    assert ring.after(0, {"delta"}) == Page([b"2", b"4"], more=False)
    assert ring.after(0, {"nothing"}) == Page([], more=False)


def test_who_missed_nothing_gets_nothing() -> None:
    assert ring_of(5).after(5) == Page([], more=False)
    assert ring_of(5).after(1_000) == Page([], more=False)
    assert ring_of(0).after(0) == Page([], more=False)


def test_what_fell_out_is_told_even_where_none_of_it_was_wanted() -> None:
    ring = ring_of(10, most=4)

    assert ring.oldest == 7
    assert numbers(ring.after(6)) == [7, 8, 9, 10]
    assert ring.after(5) is None
    assert ring.after(5, {"nothing"}) is None
    assert ring_of(3, most=0).after(2) is None
    assert ring_of(3, most=0).after(3) == Page([], more=False)


def test_pages_hold_five_hundred_of_those_that_are_wanted_and_leave_none_out() -> None:
    ring = ring_of(1201)
    seen: list[int] = []
    pages = 0
    more = True
    while more:
        page = ring.after(seen[-1] if seen else 0, {"state"})
        assert page is not None
        seen += numbers(page)
        more, pages = page.more, pages + 1
        assert len(page.bodies) <= PAGE_EVENTS

    assert seen == list(range(1, 1202, 2))
    assert pages == 2


def test_a_full_page_behind_which_nothing_wanted_comes_is_the_last() -> None:
    page = ring_of(2 * PAGE_EVENTS).after(0, {"delta"})

    assert page is not None
    assert (len(page.bodies), page.more) == (PAGE_EVENTS, False)


def test_big_events_end_a_page_sooner_and_one_is_always_given() -> None:
    ring = Ring(10)
    for size in (PAGE_BYTES - 1, 1, 1, 2 * PAGE_BYTES, 1):
        ring.keep("delta", bytes(size))

    sizes, since = [], 0
    while page := ring.after(since):
        sizes.append([len(body) for body in page.bodies])
        since += len(page.bodies)
        if not page.more:
            break

    assert sizes == [[PAGE_BYTES - 1, 1], [1], [2 * PAGE_BYTES], [1]]


def test_a_flood_of_big_events_does_not_fill_the_memory() -> None:
    ring = Ring(5000, most_bytes=1000)
    for _ in range(50):
        ring.keep("delta", bytes(300))

    assert ring.oldest == 48
    ring.keep("delta", bytes(2000))
    assert ring.oldest == 52
    assert ring.after(51) == Page([], more=False)
    assert ring.after(50) is None
