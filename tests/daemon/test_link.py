"""The connection of a whole daemon, dropped in every state: what the next session is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.running import Room, Running, eventually, room
from support.stage import Seat, Stage, flat, stage

PARTED: dict[str, list[tuple[str, str]]] = {
    "listening": [],
    "hearing": [],
    "awaiting": [("user", "and then?")],
    "thinking": [("user", "and then?")],
    "speaking": [("user", "and then?"), ("assistant", "five six")],
    "done": [("user", "and then?"), ("assistant", "five six")],
}
"""By state: what was said in the last turn before the connection was lost."""


@dataclass
class Call:
    """A daemon in a session where one turn was spoken."""

    here: Room
    daemon: Running
    stage: Stage
    seat: Seat

    def reach(self, state: str) -> None:
        """Go as far as *state* in the second turn."""
        order = list(PARTED)[: list(PARTED).index(state) + 1]
        words = {"awaiting": "thinking", "done": "speaking"}.get(state, state)
        if "hearing" in order:
            self.seat.speech_started("u2")
        if "awaiting" in order:
            self.seat.speech_stopped("u2", "and then?")
        if "thinking" in order:
            self.seat.begin("r2", "i2")
        if "speaking" in order:
            self.seat.delta("r2", "i2", flat(600, 1000), "five six")
            self.daemon.wait("playback", item_id="i2", status="started")
        if "done" in order:
            self.seat.end("r2", "i2", "five six")
        if "thinking" in order:
            self.daemon.wait("response_created", response_id="r2")
        self.daemon.until(conversation=words)


@pytest.fixture
def call() -> Iterator[Call]:
    with room() as here, stage() as server, Running(here, "--url", server.url, "--audio", "none") as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        seat.speech_started("u1")
        seat.speech_stopped("u1", "hello")
        seat.say(flat(100, 1000), "one two three four", "r1", "i1")
        daemon.wait("assistant_transcript", heard="one two three four")
        daemon.until(conversation="listening")
        yield Call(here, daemon, server, seat)


def told(seat: Seat) -> list[tuple[str, str]]:
    """Return the conversation as the server knows it by the items that it was given."""
    known: list[tuple[str, str, str]] = []
    for each in seat.visit.events("conversation.item.create"):
        item, previous = each["item"], each.get("previous_item_id")
        (part,) = item["content"]
        ids = ["root", *(item_id for item_id, _, _ in known)]
        place = ids.index(previous) if previous else len(known)
        known.insert(place, (item["id"], item["role"], part["text"]))
    return [(role, text) for _, role, text in known]


@pytest.mark.parametrize("state", PARTED)
def test_dropped_in_any_state_the_next_turn_works_and_knows_what_was_said(call: Call, state: str) -> None:
    call.reach(state)
    call.seat.drop()
    lost = call.daemon.wait("connection", status="lost")
    seat = call.stage.seat(1)
    call.daemon.wait("connection", status="up", after=lost["seq"])
    if state in ("speaking", "done"):
        call.daemon.wait("assistant_transcript", heard="five six", after=lost["seq"] - 1)
    seat.speech_started("u3")
    call.daemon.until(conversation="hearing")
    seat.speech_stopped("u3", "go on")
    seat.say(flat(100, 2000), "seven", "r3", "i3")
    call.daemon.wait("assistant_transcript", heard="seven")
    call.daemon.until(conversation="listening")

    assert seat.corrections() == []
    assert told(seat) == [("user", "hello"), ("assistant", "one two three four"), *PARTED[state]]
    second = {"listening": [], "hearing": ["link_lost"]}.get(state, ["silence"])
    ends = [each["data"]["reason"] for each in call.daemon.named("speech_stopped")]
    assert ends == ["silence", *second, "silence"]
    assert call.daemon.named("interrupt") == []
    if state in ("thinking", "speaking"):
        assert call.daemon.wait("response_done", response_id="r2")["data"]["reason"] == "link_lost"


def test_answer_cut_after_its_session_was_lost_is_known_as_far_as_it_was_heard(call: Call) -> None:
    words = "five six seven eight nine ten eleven twelve"
    call.seat.say(flat(3000, 1000), words, "r2", "i2")
    call.daemon.wait("playback", item_id="i2", status="started")
    call.seat.drop()
    seat = call.stage.seat(1)
    eventually(lambda: (call.daemon.data("status")["response"] or {}).get("played_ms", 0) > 1000)
    seat.speech_started("u3")
    heard = call.daemon.wait("assistant_transcript", interrupted=True)["data"]["heard"]

    assert words.startswith(heard)
    assert 0 < len(heard) < len(words)
    assert seat.corrections() == []  # The item went with its session.
    assert told(seat) == [("user", "hello"), ("assistant", "one two three four"), ("assistant", heard)]


def test_fresh_session_knows_nothing(call: Call) -> None:
    request = call.daemon.post("reconnect", fresh=True)
    assert call.daemon.reply(request)["ok"]
    call.daemon.wait("connection", status="up", request=request)
    seat = call.stage.seat(1)

    assert (seat.corrections(), told(seat)) == ([], [])
