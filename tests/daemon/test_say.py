"""`say` and `wait` of a whole daemon: what is heard, what the server knows of it, when the reply comes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from rtvoiced_server.answers.rules import STORY
from support.running import Room, Running, eventually, room
from support.stage import flat, stage

TEXT = 'Dinner is "ready".'


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture(scope="module")
def one_for_all() -> Iterator[Running]:
    with room() as made, Running(made, "--provider", "local", "--audio", "none") as running:
        running.until(connection="up")
        yield running


@pytest.fixture
def daemon(one_for_all: Running) -> Running:
    """One daemon for all, for its start and its server's cost more than what is tried here."""
    one_for_all.begin_anew()
    return one_for_all


def test_say_is_said_exactly_and_stands_in_the_conversation(daemon: Running) -> None:
    request = daemon.post("say", text=TEXT, wait=True)
    assert daemon.reply(request)["data"] == {"accepted": True, "queued": 0}
    drained = daemon.wait("playback", status="drained")
    asked = daemon.post("ask", text="say that again", wait=True)
    assert daemon.reply(asked)["ok"]

    told = daemon.named("response_created", "response_done", "usage", "playback", "assistant_transcript")
    assert [each["event"] for each in told[:6]] == [
        "response_created",
        "playback",
        "response_done",
        "usage",
        "playback",
        "assistant_transcript",
    ]
    assert [each["data"]["request"] for each in daemon.named("response_done")] == [request, asked]
    assert [each["data"]["heard"] for each in daemon.named("assistant_transcript")] == [TEXT, TEXT]
    history = daemon.data("history")
    assert [(each["role"], each["text"], each["heard"]) for each in history["items"]] == [
        ("assistant", TEXT, TEXT),
        ("user", "say that again", None),
        ("assistant", TEXT, TEXT),
    ]
    assert history["items"][0]["item_id"] == drained["data"]["item_id"]
    assert daemon.data("history", last=1)["more"] is True
    sums = [each["data"] for each in daemon.named("usage")]
    assert sums[1]["run"]["total"] == sum(each["response"]["total"] for each in sums) > 0
    assert daemon.named("error") == []


def test_say_and_ask_are_said_in_order(daemon: Running) -> None:
    posted = [
        daemon.post("say", text="One."),
        daemon.post("ask", text="say two", wait=True),
        daemon.post("say", text="Three.", wait=True),
    ]
    replies = [daemon.reply(request) for request in posted]

    assert [reply["ok"] for reply in replies] == [True] * 3
    assert [each["data"]["request"] for each in daemon.named("response_created")] == posted
    assert [each["data"]["heard"] for each in daemon.named("assistant_transcript")] == [
        "One.",
        "two",
        "Three.",
    ]


def test_who_waits_is_answered_at_the_expiry_and_others_meanwhile(daemon: Running) -> None:
    waiting = daemon.post("say", text=STORY, wait=True, expires=time.monotonic() + 1.5)
    late = daemon.post("say", text="Too late.", wait=True, expires=time.monotonic() + 1.5)
    daemon.wait("playback", status="started")
    assert daemon.data("status")["conversation"] == "speaking"

    for request in (waiting, late):
        error = daemon.reply(request)["error"]
        assert (error["code"], error["retryable"]) == ("timeout", True)
    eventually(lambda: (daemon.data("status")["response"] or {}).get("played_ms", 0) >= 1000)
    assert daemon.data("interrupt")["interrupted"] is True
    daemon.wait("response_done", status="cancelled")
    daemon.until(conversation="listening")
    assert [each["data"]["request"] for each in daemon.named("response_done")] == [waiting]
    # The server knows the words heard, and no more.
    heard = daemon.wait("assistant_transcript")["data"]["heard"]
    daemon.reply(daemon.post("ask", text="say that again", wait=True))
    assert daemon.wait("assistant_transcript", count=2)["data"]["text"] == heard


def test_reconnect_that_is_waited_for_is_answered_when_the_session_is_up(daemon: Running) -> None:
    before = daemon.data("status")["connection"]["session_id"]
    request = daemon.post("reconnect", wait=True)
    reply = daemon.reply(request)

    assert reply["data"] == {"accepted": True}
    assert daemon.data("status")["connection"]["session_id"] != before
    assert daemon.wait("connection", status="up", request=request)["seq"] <= reply["seq"]


def test_user_who_speaks_over_a_say_cancels_it_by_its_id_and_truncates_nothing(here: Room) -> None:
    with stage() as server, Running(here, "--url", server.url, "--audio", "none") as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        request = daemon.post("say", text="one two three four", wait=True)
        created = seat.sent("response.create")["response"]
        metadata = {"request": request, "kind": "say"}
        seat.send(
            {
                "type": "response.created",
                "response": {"id": "r1", "conversation_id": None, "metadata": metadata},
            }
        )
        seat.delta("r1", "i1", flat(4000, 1000), "one two three four")
        eventually(lambda: (daemon.data("status")["response"] or {}).get("played_ms", 0) >= 1100)
        seat.speech_started("u1")
        reply = daemon.reply(request)
        heard = daemon.wait("assistant_transcript")["data"]["heard"]
        item = seat.sent("conversation.item.create")["item"]
        corrections = seat.corrections()

    assert (created["conversation"], created["input"], created["metadata"]) == ("none", [], metadata)
    assert reply["data"] == {"accepted": True, "queued": 0}
    assert heard in ("one", "one two", "one two three")
    assert (item["role"], item["content"]) == ("assistant", [{"type": "output_text", "text": heard}])
    assert corrections == [{"type": "response.cancel", "response_id": "r1"}]
