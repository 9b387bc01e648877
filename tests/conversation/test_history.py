"""What was said, in order, and what of it was heard."""

from __future__ import annotations

from hypothesis import strategies as st

from rtvoiced.conversation.stores.history import MOST_ITEMS, SEEDED_ITEMS, HistoryStore
from rtvoiced.ipc.contract.replies import HistoryItem, HistoryReply
from rtvoiced.vocabulary import Role

MS = st.integers(0, 100_000)


def filled(*items: tuple[str, Role, str]) -> HistoryStore:
    history = HistoryStore()
    for item_id, role, text in items:
        item = history.add(item_id, role)
        item.text = text
        item.heard = text if role == "assistant" else None
    return history


def ids(history: HistoryStore) -> list[str]:
    return [item.item_id for item in history.seeds()]


def test_items_stand_after_the_one_they_follow() -> None:
    history = filled(("u1", "user", "a"), ("a1", "assistant", "b"))
    history.add("u2", "user", previous="u1").text = "c"

    assert ids(history) == ["u1", "u2", "a1"]


def test_item_that_follows_an_unknown_one_comes_last() -> None:
    history = filled(("u1", "user", "a"))
    history.add("u2", "user", previous="gone").text = "b"

    assert ids(history) == ["u1", "u2"]


def test_item_is_added_once() -> None:
    history = filled(("u1", "user", "a"))

    assert history.add("u1", "user") is history.get("u1")
    assert ids(history) == ["u1"]


def test_of_answers_only_what_was_heard_is_known() -> None:
    history = filled(("u1", "user", "a"), ("a1", "assistant", "b c"))
    history.add("a2", "assistant").text = "never heard"
    heard = history.get("a1")
    assert heard is not None
    heard.heard = "b"

    assert [item.known for item in history.seeds()] == ["a", "b"]


def test_only_the_last_items_are_told_to_a_new_session() -> None:
    history = filled(*[(f"u{n}", "user", "a") for n in range(SEEDED_ITEMS + 5)])

    assert ids(history) == [f"u{n}" for n in range(5, SEEDED_ITEMS + 5)]


def test_memory_is_bounded() -> None:
    history = filled(*[(f"u{n}", "user", "a") for n in range(MOST_ITEMS + 5)])

    assert (history.get("u4"), history.get("u5")) == (None, history.add("u5", "user"))


def test_place_of_an_item_is_the_nearest_that_the_server_knows() -> None:
    history = filled(("u1", "user", "a"), ("a1", "assistant", ""), ("a2", "assistant", "b"))

    assert (history.before("a2"), history.before("u1")) == ("u1", None)


def test_forgotten_words_are_told_to_nobody_even_when_they_are_still_to_be_heard() -> None:
    history = filled(("u1", "user", "a"))
    sounding = history.add("a1", "assistant")
    history.forget()
    sounding.text = sounding.heard = "still to be heard"

    assert history.seeds() == []
    assert history.get("a1") is sounding


def test_history_is_what_was_said_in_words() -> None:
    history = HistoryStore()
    history.add("u1", "user").text = "Count."
    history.add("u2", "user")
    answer = history.add("a1", "assistant")
    answer.text, answer.heard = "one two three", "one two"
    history.add("a2", "assistant").text = "four"

    assert history.newest(None) == HistoryReply(
        [
            HistoryItem("u1", "user", "Count.", None),
            HistoryItem("a1", "assistant", "one two three", "one two"),
            HistoryItem("a2", "assistant", "four", None),
        ],
        more=False,
    )


def test_history_tells_the_newest_and_whether_there_is_more() -> None:
    history = HistoryStore()
    for number in range(4):
        history.add(f"u{number}", "user").text = f"word {number}"
    newest = history.newest(2)

    assert ([each.item_id for each in newest.items], newest.more) == (["u2", "u3"], True)
    assert history.newest(4).more is False
    assert history.newest(500).more is False


def test_history_keeps_the_ids_that_the_events_told_when_a_new_session_has_others() -> None:
    history = HistoryStore()
    item = history.add("a1", "assistant")
    item.text = item.heard = "Hello."
    item.item_id = "seed_2_0"

    assert history.newest(None).items[0].item_id == "a1"


def test_history_ends_with_a_fresh_session() -> None:
    history = HistoryStore()
    history.add("u1", "user").text = "Count."
    history.add("a1", "assistant").text = "still sounding"
    history.forget()

    assert history.newest(None) == HistoryReply([], more=False)
