"""Where parts leave messages for a part that is built later."""

from __future__ import annotations

import pytest

from rtvoiced.app.mailbox import Mailbox


def test_what_is_posted_before_there_is_a_taker_waits_for_it() -> None:
    mailbox: Mailbox[int] = Mailbox()
    taken: list[int] = []

    def take_all() -> None:
        while mailbox:
            taken.append(mailbox.take())

    mailbox.post(1)
    mailbox.post(2)
    assert (taken, bool(mailbox)) == ([], True)
    mailbox.taken_by(take_all)
    assert (taken, bool(mailbox)) == ([1, 2], False)


def test_a_message_is_taken_in_the_call_that_posts_it_and_a_failure_comes_out_there() -> None:
    mailbox: Mailbox[int] = Mailbox()
    taken: list[int] = []

    def take() -> None:
        taken.append(mailbox.take())
        if taken[-1] == 2:
            raise ValueError("two")

    mailbox.taken_by(take)
    mailbox.post(1)
    assert taken == [1]
    with pytest.raises(ValueError, match="two"):
        mailbox.post(2)
    assert (taken, bool(mailbox)) == ([1, 2], False)
