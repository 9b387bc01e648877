"""Subscribers of a whole daemon: joined without a gap, and told again what they missed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import zmq

from rtvoiced.host.paths import events_socket
from support.running import PATIENCE_S, Event, Room, Running, room
from support.stage import Stage, stage

NOWHERE = ("--url", "ws://127.0.0.1:9/v1/realtime", "--audio", "none", "--log-level", "error")
ROUNDS = 200
KEPT = 300
WORDS = 1_200


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Stage]:
    with stage() as made:
        yield made


@contextmanager
def subscriber(daemon: Running) -> Iterator[zmq.Socket[bytes]]:
    """Yield a SUB that is connected and wants nothing yet."""
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.set(zmq.LINGER, 0)
        sub.set(zmq.RCVTIMEO, int(PATIENCE_S * 1000))
        sub.connect(f"ipc://{events_socket(daemon.room.run)}")
        yield sub


def until_topic(sub: zmq.Socket[bytes], topic: bytes) -> Event:
    """Return the next message with *topic*."""
    while True:
        came, body = sub.recv_multipart()
        if came == topic:
            event: Event = json.loads(body)
            return event


def replayed(daemon: Running, since: int = 0, **args: Any) -> list[Event]:
    """Return all that `replay` gives, page by page."""
    run = daemon.data("status")["run"]
    found: list[Event] = []
    while True:
        page = daemon.data("replay", run=run, since=since, **args)
        assert len(page["events"]) <= 500
        found += page["events"]
        if not page["more"]:
            return found
        since = found[-1]["seq"]


def spoken_to(daemon: Running, server: Stage, words: int) -> None:
    """Let an answer of so many deltas come."""
    seat = server.seat()
    seat.begin("r1", "i1")
    part = {"response_id": "r1", "item_id": "i1", "content_index": 0}
    kind = "response.output_audio_transcript.delta"
    seat.send(*({"type": kind, **part, "delta": f"{number} "} for number in range(words)))
    seat.end("r1", "i1")
    daemon.wait("response_done")


# Joining


@pytest.mark.parametrize("topics", [("state",), ("playback", "state")])
def test_what_follows_the_welcome_is_always_seen(here: Room, topics: tuple[str, ...]) -> None:
    with Running(here, *NOWHERE) as daemon:
        seen = []
        for _ in range(ROUNDS // 2):
            with subscriber(daemon) as sub:
                for topic in topics:
                    sub.subscribe(topic)
                welcome = until_topic(sub, f"{topics[-1]}+welcome".encode())
                muted = daemon.data("mute", mode="toggle")["muted"]
                event = until_topic(sub, b"state")
                while event["data"]["muted"] is not muted:
                    event = until_topic(sub, b"state")
                seen.append(event["seq"] > welcome["seq"])

        assert seen == [True] * (ROUNDS // 2)


def test_snapshot_is_the_cut_between_what_it_tells_and_the_events_to_come(here: Room) -> None:
    with Running(here, *NOWHERE) as daemon:
        for muted in (True, False) * 10:
            before, toggle = daemon.post("snapshot"), daemon.post("mute", mode="toggle")
            snapshot = daemon.reply(before)
            daemon.reply(toggle)
            told = daemon.wait("state", after=snapshot["seq"], muted=muted)

            assert snapshot["data"]["seq"] == snapshot["seq"] < told["seq"]
            assert snapshot["data"]["muted"] is not muted


def test_random_subscriptions_are_ignored(here: Room) -> None:
    rng = random.Random(3)
    with Running(here, *NOWHERE) as daemon, subscriber(daemon) as sub:
        for size in (1, 7, 64, 65, 1000):
            for _ in range(20):
                sub.subscribe(rng.randbytes(size - 1) + b"\xff")
        sub.subscribe("x" * 65)
        sub.subscribe("heartbeat")
        # A heartbeat may pass just before its welcome.
        topics = {sub.recv_multipart()[0]}
        while len(topics) < 2:
            topics.add(sub.recv_multipart()[0])

        assert topics == {b"heartbeat+welcome", b"heartbeat"}
        assert daemon.data("status")["subscribers"] == 2


# Repairing


def test_replay_gives_the_events_as_they_were_sent(here: Room, server: Stage) -> None:
    with Running(here, "--url", server.url, "--audio", "none") as daemon:
        daemon.until(connection="up")
        spoken_to(daemon, server, WORDS)
        daemon.until(conversation="listening")
        last = daemon.events[-1]["seq"]
        all_of_it = replayed(daemon)

        assert [each["seq"] for each in all_of_it[:last]] == list(range(1, last + 1))
        assert all_of_it[daemon.events[0]["seq"] - 1 : last] == daemon.events
        deltas = replayed(daemon, events=["delta"])
        assert [each["data"]["text"] for each in deltas] == [f"{number} " for number in range(WORDS)]
        assert replayed(daemon, since=last - 2)[:2] == daemon.events[-2:]
        assert replayed(daemon, since=1_000_000) == []
        assert replayed(daemon, events=["heartbeat", "no such event"]) == []


def test_what_is_gone_is_told(here: Room, server: Stage) -> None:
    keep = ("--set", f"ipc.replay_events={KEPT}")
    with Running(here, "--url", server.url, "--audio", "none", *keep) as daemon:
        daemon.until(connection="up")
        spoken_to(daemon, server, 2 * KEPT)
        daemon.until(conversation="listening")
        run, last = daemon.data("status")["run"], daemon.events[-1]["seq"]
        late = daemon.request("replay", run=run, since=last - KEPT - 1)
        other = daemon.request("replay", run="00000000", since=last)

        assert replayed(daemon, since=last - KEPT) == daemon.events[-KEPT:]
        assert (late["ok"], late["error"]["code"]) == (False, "gap_too_old")
        assert late["error"]["details"] == {"oldest": last - KEPT + 1, "run": run}
        assert (other["error"]["code"], other["error"]["details"]["run"]) == ("gap_too_old", run)
