"""Ids over several sessions of a server that counts from one in each."""

from __future__ import annotations

from rtvoiced.dsp.pcm import Part
from rtvoiced.realtime import events
from rtvoiced.realtime.ids import MOST, SessionIds

DELTA = events.AudioDelta(Part("resp_1", "item_1"), b"\0\0")


def test_ids_of_the_first_session_stay_as_they_are() -> None:
    ids = SessionIds()
    ids.new_session()

    assert ids.incoming(DELTA) == DELTA
    assert ids.incoming(DELTA) == DELTA
    assert ids.outgoing(events.DeleteItem("item_1")) == events.DeleteItem("item_1")


def test_id_that_an_earlier_session_used_is_marked_until_it_goes_back() -> None:
    ids = SessionIds()
    ids.new_session()
    ids.incoming(DELTA)
    ids.incoming(events.SpeechStarted("item_2", 0))
    ids.new_session()

    assert ids.incoming(DELTA) == events.AudioDelta(Part("resp_1~2", "item_1~2"), b"\0\0")
    assert ids.incoming(events.Committed("item_2", "item_1")) == events.Committed("item_2~2", "item_1~2")
    assert ids.incoming(events.SpeechStarted("item_3", 0)) == events.SpeechStarted("item_3", 0)
    assert ids.outgoing(events.TruncateItem("item_1~2", 0, 5)) == events.TruncateItem("item_1", 0, 5)
    assert ids.outgoing(events.CancelResponse("resp_1~2")) == events.CancelResponse("resp_1")
    assert ids.outgoing(events.CreateItem("seed_2_0", "user", "hi", "item_2~2")) == events.CreateItem(
        "seed_2_0", "user", "hi", "item_2"
    )


def test_a_third_session_has_a_mark_of_its_own() -> None:
    ids = SessionIds()
    for _ in range(2):
        ids.new_session()
        ids.incoming(events.ResponseCreated("resp_1", None))
    ids.new_session()

    assert ids.incoming(events.ResponseCreated("resp_1", None)) == events.ResponseCreated("resp_1~3", None)


def test_only_the_newest_ids_are_remembered() -> None:
    ids = SessionIds()
    ids.new_session()
    for number in range(3 * MOST):
        ids.incoming(events.ResponseCreated(f"resp_{number}", None))
    ids.new_session()

    assert len(ids._earlier) == MOST
    assert ids.incoming(events.ResponseCreated(f"resp_{3 * MOST - 1}", None)) == events.ResponseCreated(
        f"resp_{3 * MOST - 1}~2", None
    )
