"""Events: numbered, welcomed, and never slowed down by whoever listens."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import stat
import time
from typing import Any

import zmq

from rtvoiced.host.paths import control_socket, events_socket
from rtvoiced.ipc.contract.events import EVENTS, UNCOUNTED, Delta, Playback, SpeechStarted
from support.small_daemon import RUN, Peer, SmallDaemon, peers, run_small, stall

STARTED = SpeechStarted("item_1", 5120, "server")
HELD = Playback("item_1", "held", 100)


async def joined(peer: Peer, *topics: str) -> Peer:
    """Subscribe to *topics* and wait until the last one is in force."""
    for topic in topics:
        peer.socket.subscribe(topic)
    while (await peer.frames())[0] != f"{topics[-1]}+welcome".encode():
        continue
    return peer


async def event(peer: Peer) -> dict[str, Any]:
    """Return the next message that is no welcome of another subscriber."""
    while (message := await peer.message())["event"] == "welcome":
        continue
    return message


async def until(daemon: SmallDaemon, subscribers: int, dealer: Peer) -> None:
    """Ask the daemon something until it counts so many connections."""
    while daemon.publisher.subscribers != subscribers:
        await dealer.ask("status")


def test_no_events_name_begins_another() -> None:
    assert [(one, two) for one in EVENTS for two in EVENTS if one != two and two.startswith(one)] == []


def test_an_event_is_its_topic_and_its_envelope() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            sub = await joined(connect(zmq.SUB, events_socket(daemon.directory)), "speech_started")
            before = time.time()
            assert daemon.publisher.publish(STARTED) == 1
            topic, body = await sub.frames()
        message = json.loads(body)
        assert topic == b"speech_started"
        assert before - 1 < message.pop("time") < before + 60
        assert time.monotonic() - 60 < message.pop("mono") <= time.monotonic()
        assert message == {
            "v": 1,
            "run": RUN,
            "seq": 1,
            "n": 1,
            "event": "speech_started",
            "data": {"item_id": "item_1", "audio_start_ms": 5120, "source": "server"},
        }

    assert run_small(scenario) == []


def test_seq_counts_all_and_n_counts_a_name() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            sub = await joined(connect(zmq.SUB, events_socket(daemon.directory)), "")
            assert [daemon.publisher.publish(each) for each in (STARTED, HELD, STARTED)] == [1, 2, 3]
            numbers = [await sub.message() for _ in range(3)]
        assert [(each["seq"], each["n"]) for each in numbers] == [(1, 1), (2, 1), (3, 2)]

    assert run_small(scenario) == []


def test_a_heartbeat_is_uncounted_and_shows_the_last_numbers() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            sub = await joined(connect(zmq.SUB, events_socket(daemon.directory)), "heartbeat")
            daemon.publisher.publish(STARTED)
            daemon.publisher.heartbeat()
            beat = await sub.message()
        assert (beat["seq"], beat["n"], beat["data"]["seq"]) == (1, 0, 1)
        last = beat["data"]["last"]
        assert {name: n for name, n in last.items() if n} == {"speech_started": 1}
        assert set(last) == set(EVENTS) - UNCOUNTED
        assert daemon.publisher.seq == 1

    assert run_small(scenario) == []


def test_a_welcome_names_the_subscription() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            sub = connect(zmq.SUB, events_socket(daemon.directory))
            for subscription in ("", "state", "x" * 64):
                sub.socket.subscribe(subscription)
                topic, body = await sub.frames()
                assert topic == f"{subscription}+welcome".encode()
                welcome = json.loads(body)
                assert (welcome["event"], welcome["seq"]) == ("welcome", 0)
                assert welcome["data"] == {"subscription": subscription, "protocol": 1}

    assert run_small(scenario) == []


def test_whoever_is_welcomed_misses_nothing_fifty_times() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        path = events_socket(daemon.directory)
        with peers() as connect:
            await joined(connect(zmq.SUB, path), "speech_started")
            for _ in range(50):
                # XPUB_VERBOSE: the second subscriber to the same topics is welcomed as well.
                sub = await joined(connect(zmq.SUB, path), "delta", "speech_started")
                seq = daemon.publisher.publish(STARTED)
                assert (await event(sub))["seq"] == seq
                sub.socket.close(0)

    assert run_small(scenario) == []


def test_a_subscription_that_arrives_during_a_publish_is_welcomed() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            sub = await joined(connect(zmq.SUB, events_socket(daemon.directory)), "state")
            for number in range(10):
                sub.socket.subscribe(f"x{number}")
                stall(0.005)
                daemon.publisher.publish(STARTED)
                assert (await sub.frames())[0] == f"x{number}+welcome".encode()

    assert run_small(scenario) == []


def test_subscriptions_that_are_no_names_get_no_welcome() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            sub = connect(zmq.SUB, events_socket(daemon.directory))
            sub.socket.subscribe(b"\xff")
            sub.socket.subscribe("x" * 65)
            sub.socket.subscribe("state")
            assert (await sub.frames())[0] == b"state+welcome"

    assert run_small(scenario) == []


def test_connections_and_subscriptions_are_known_while_they_live() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        publisher, path = daemon.publisher, events_socket(daemon.directory)
        assert (publisher.subscribers, publisher.subscribed("speech")) == (0, False)
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            one, two = connect(zmq.SUB, path), connect(zmq.SUB, path)
            await joined(one, "speech_started")
            await joined(two, "", "speech_started")
            await until(daemon, 2, dealer)
            assert publisher.subscribed("speech")
            assert not publisher.subscribed("delta")
            one.socket.close(0)
            await until(daemon, 1, dealer)
            assert publisher.subscribed("speech")
            two.socket.unsubscribe("speech_started")
            await joined(two, "state")
            assert not publisher.subscribed("speech")
            two.socket.close(0)
            await until(daemon, 0, dealer)

    assert run_small(scenario) == []


def test_bye_is_flushed() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            subs = [await joined(connect(zmq.SUB, events_socket(daemon.directory)), "bye") for _ in range(5)]
            daemon.close("signal")
            assert [(await event(sub))["data"] for sub in subs] == [{"reason": "signal"}] * 5

    assert run_small(scenario) == []


def test_a_subscriber_that_does_not_read_slows_nobody_down() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        path = events_socket(daemon.directory)
        with peers() as connect:
            await joined(connect(zmq.SUB, path), "")
            for number in range(20_000):
                daemon.publisher.publish(Delta("resp_1", "item_1", "x" * 200))
                if number % 1000 == 0:
                    await asyncio.sleep(0)
            assert daemon.publisher.seq == 20_000
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            assert (await dealer.ask("status"))["ok"] is True

    assert run_small(scenario) == []


def test_both_sockets_are_their_users_alone_whatever_the_umask() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        for path in (control_socket(daemon.directory), events_socket(daemon.directory)):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE(daemon.directory.stat().st_mode) == 0o700

    assert run_small(scenario) == []


def test_two_thousand_random_messages_leave_the_publisher_alive() -> None:
    rng = random.Random(5)

    def frame() -> bytes:
        if rng.random() < 0.5:
            return bytes([rng.randint(0, 2)]) + rng.choice([b"", b"state", b"delta", b"\xff\xfe", b"z" * 300])
        return rng.randbytes(int(rng.expovariate(1 / 60)))

    async def scenario(daemon: SmallDaemon) -> None:
        path = events_socket(daemon.directory)
        with peers() as connect:
            noisy = connect(zmq.XSUB, path)
            for _ in range(2000):
                noisy.send(*(frame() for _ in range(rng.randint(1, 3))))
            for _ in range(20):
                with socket.socket(socket.AF_UNIX) as raw:
                    raw.connect(str(path))
                    raw.sendall(rng.randbytes(300))
            survivor: Any = await joined(connect(zmq.SUB, path), "speech_started")
            daemon.publisher.publish(STARTED)
            assert (await survivor.message())["event"] == "speech_started"

    assert run_small(scenario) == []
