"""The client library against a daemon's real sockets: typed answers, retries, repaired gaps, restarts."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import zmq

from rtctl.client.aio import AsyncClient
from rtctl.client.follow import Event, Gap, Gone, Item, Restarted, Snapshot
from rtctl.client.messages import request_of
from rtctl.client.sync import Client
from rtctl.client.typed import typed
from rtvoiced.errors import CommandError, NotRunningError
from rtvoiced.host.paths import control_socket
from rtvoiced.ipc.contract import replies
from rtvoiced.ipc.contract.protocol import parse_request, request_body
from support.answers import CUT, MUTED, STATE, WHOLE, answers
from support.rtctl import ended, started
from support.small_daemon import SmallDaemon, refusing, short_dir, small_daemon_beside


@pytest.fixture
def room() -> Iterator[Path]:
    with short_dir() as made:
        yield made


class Rep:
    """A daemon's control socket in the hands of the test."""

    def __init__(self, room: Path) -> None:
        (room / "run").mkdir(0o700)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.bind(f"ipc://{control_socket(room / 'run')}")

    def take(self) -> tuple[list[bytes], dict[str, Any]]:
        assert self.socket.poll(20_000)
        *envelope, body = self.socket.recv_multipart()
        return envelope, json.loads(body)

    def close(self) -> None:
        self.socket.close(0)
        self.context.term()


@pytest.fixture
def rep(room: Path) -> Iterator[Rep]:
    made = Rep(room)
    yield made
    made.close()


def reply_to(request: dict[str, Any], data: dict[str, Any]) -> bytes:
    whole = {"v": 1, "id": request["id"], "ok": True, "run": "9f3a61c2", "seq": 1, "data": data}
    return json.dumps(whole).encode()


# What is sent and read


def test_a_request_is_the_contracts() -> None:
    args = {"text": "wie spät ist es?"}
    ours, theirs = request_of("ask", args, "0" * 16, 2.5), request_body("ask", args, "0" * 16, 2.5)
    assert parse_request(ours) == parse_request(theirs)
    assert json.loads(ours) == json.loads(theirs)
    assert "expires" not in json.loads(request_of("ask", args, "0" * 16, None))


def test_an_answer_is_typed_also_within_and_ignores_what_is_new() -> None:
    status = typed(replies.StatusReply, {**WHOLE, "mood": "good"})
    assert status.connection == replies.ConnectionStatus(**WHOLE["connection"])
    assert status.response == replies.ResponseStatus(**WHOLE["response"])
    assert status.last_error is None
    items = [{"item_id": "i", "role": "user", "text": "x", "heard": None}]
    history = typed(replies.HistoryReply, {"items": items, "more": False})
    assert history.items == [replies.HistoryItem("i", "user", "x", None)]


@pytest.mark.parametrize("data", [{}, {**WHOLE, "connection": "up"}])
def test_an_answer_that_lacks_something_is_of_another_protocol(data: dict[str, Any]) -> None:
    with pytest.raises(CommandError) as caught:
        typed(replies.StatusReply, data)
    assert caught.value.code == "unsupported_protocol"


def test_commands_are_methods_over_one_connection(room: Path) -> None:
    with small_daemon_beside(room / "run", answers()) as (daemon, _), Client(room / "run") as client:
        assert client.mute(for_s=5) == replies.MuteReply(True, None, True)
        assert client.status().volume_percent == 80
        assert client.unmute().muted
        assert [request.name for _, request in daemon.served] == ["mute", "status", "mute"]
        assert daemon.publisher.subscribers == 0


def test_a_refusal_has_its_code(room: Path) -> None:
    with (
        small_daemon_beside(room / "run", refusing("busy")),
        Client(room / "run") as client,
        pytest.raises(CommandError) as caught,
    ):
        client.say("hello")
    assert caught.value.code == "busy"


def test_no_daemon_is_told_at_once(room: Path) -> None:
    with Client(room / "run") as client, pytest.raises(NotRunningError, match="rtvoiced"):
        client.status()
    with Client(room / "run") as client, pytest.raises(NotRunningError):
        next(client.events())


def test_a_client_outlives_its_daemon(room: Path) -> None:
    with Client(room / "run") as client:
        for _ in range(2):
            with small_daemon_beside(room / "run", answers()):
                assert client.mute().muted
        with pytest.raises(NotRunningError):
            client.mute()


# Retries


def test_a_lost_reply_is_asked_for_again_with_the_same_id(room: Path, rep: Rep) -> None:
    async def main() -> None:
        async with AsyncClient(room / "run", timeout_s=20) as client:
            asked = asyncio.create_task(client.mute("toggle"))
            _, first = await asyncio.to_thread(rep.take)
            envelope, second = await asyncio.to_thread(rep.take)
            assert first == second
            rep.socket.send_multipart([*envelope, reply_to(second, MUTED)])
            assert (await asked).muted

    asyncio.run(main())


@pytest.mark.process
def test_rtctl_asks_again_too(room: Path, rep: Rep) -> None:
    with started(room, "mute", "toggle", "--timeout", "20") as process:
        _, first = rep.take()
        envelope, second = rep.take()
        rep.socket.send_multipart([*envelope, reply_to(second, MUTED)])
        status, out, _ = ended(process)
    assert (first, status, out) == (second, 0, "muted\n")


def test_a_late_reply_is_nobody_elses(room: Path, rep: Rep) -> None:
    async def main() -> None:
        async with AsyncClient(room / "run", timeout_s=20) as client:
            with pytest.raises(CommandError, match="busy or stopped"):
                await client.request("status", timeout_s=0.05)
            envelope, late = await asyncio.to_thread(rep.take)
            asked = asyncio.create_task(client.mute())
            _, wanted = await asyncio.to_thread(rep.take)
            rep.socket.send_multipart([*envelope, reply_to(late, {"no": 1})])
            rep.socket.send_multipart([*envelope, reply_to(wanted, MUTED)])
            assert await asked == replies.MuteReply(True, None, True)

    asyncio.run(main())


def test_a_daemon_that_ends_with_a_command_in_hand_is_told_and_not_asked_twice(room: Path, rep: Rep) -> None:
    async def main() -> None:
        async with AsyncClient(room / "run", timeout_s=20) as client:
            asked = asyncio.create_task(client.mute("toggle"))
            await asyncio.to_thread(rep.take)
            rep.close()
            with pytest.raises(NotRunningError, match="not known"):
                await asked

    asyncio.run(main())


def test_many_commands_at_a_time(room: Path) -> None:
    async def main() -> None:
        async with AsyncClient(room / "run") as client:
            assert len({id(each) for each in await asyncio.gather(*(client.mute() for _ in range(50)))}) == 50

    with small_daemon_beside(room / "run", answers()):
        asyncio.run(main())


# Events


def flood(daemon: SmallDaemon, count: int) -> None:
    """Publish in one go: more than a subscriber's queues hold is lost to it."""
    for _ in range(count):
        daemon.publisher.publish(CUT)


def test_events_begin_with_the_snapshot(room: Path) -> None:
    with small_daemon_beside(room / "run", answers()) as (daemon, act), Client(room / "run") as client:
        items = client.events("state", snapshot=True)
        first = next(items)
        act(lambda: daemon.publisher.publish(STATE))
        second = next(items)

        assert isinstance(first, Snapshot)
        assert (first.seq, first.run, first.status.conversation) == (0, daemon.publisher.run, "speaking")
        assert isinstance(second, Event)
        assert second.data["conversation"] == "listening"


@pytest.mark.parametrize("names", [(), ("interrupt",)])
@pytest.mark.parametrize("count", [4000, 12_000])
def test_what_a_slow_subscriber_lost_is_repaired_or_a_gap(
    room: Path, names: tuple[str, ...], count: int
) -> None:
    with (
        small_daemon_beside(room / "run", answers(lambda: daemon)) as (daemon, act),
        Client(room / "run", 20) as client,
    ):
        items = client.events(*names, snapshot=True)
        kinds = [next(items)]  # Joined.
        flooded = threading.Event()
        act(lambda: flood(daemon, count))
        act(flooded.set)
        assert flooded.wait(20)
        while not (isinstance(kinds[-1], Event) and kinds[-1].seq == count):
            kinds.append(next(items))
    numbers = [item.seq for item in kinds if isinstance(item, Event)]
    gaps = [item for item in kinds if isinstance(item, Gap)]
    lost = {seq for gap in gaps for seq in range(gap.since + 1, gap.until + 1)}

    assert numbers == sorted(set(numbers))
    assert set(numbers) | lost == set(range(1, count + 1))
    assert set(numbers) & lost == set()
    assert bool(gaps) is (count > 5000)


def story(items: list[Item]) -> list[str]:
    return [type(item).__name__ for item in items]


def test_following_survives_a_restart(room: Path) -> None:
    with Client(room / "run") as client:
        with small_daemon_beside(room / "run", answers(lambda: daemon)) as (daemon, _):
            items = client.events("interrupt", snapshot=True)
            told = [next(items)]
        told.append(next(items))
        with small_daemon_beside(room / "run", answers(lambda: after)) as (after, act):
            after.publisher.run = "11111111"
            told += [next(items), next(items)]
            act(lambda: after.publisher.publish(CUT))
            told.append(next(items))
    assert story(told) == ["Snapshot", "Gone", "Restarted", "Snapshot", "Event"]
    assert told[1:3] == [Gone("the daemon ended: command"), Restarted("11111111")]


def test_silence_is_told_and_the_same_daemon_is_taken_up_again(room: Path) -> None:
    with (
        small_daemon_beside(room / "run", answers(lambda: daemon), beat_s=1000) as (daemon, _),
        Client(room / "run", 20, silence_s=0.1) as client,
    ):
        items = client.events("interrupt")
        told = [next(items), next(items)]
    assert story(told) == ["Gone", "Back"]


def test_following_ends_in_time(room: Path) -> None:
    with small_daemon_beside(room / "run", answers()), Client(room / "run") as client:
        begun = time.monotonic()
        with pytest.raises(CommandError) as caught:
            list(client.events("interrupt", timeout_s=0.2))
    assert (caught.value.code, time.monotonic() - begun < 2) == ("timeout", True)


def test_a_patient_follower_waits_for_the_daemon(room: Path) -> None:
    with Client(room / "run") as client:
        items = client.events("state", snapshot=True, patient=True)
        told = [next(items)]
        with small_daemon_beside(room / "run", answers()):
            told += [next(items), next(items)]
    assert story(told) == ["Gone", "Restarted", "Snapshot"]


def test_asyncio_follows_the_same_way(room: Path) -> None:
    async def some(items: AsyncIterator[Item], count: int) -> list[Item]:
        return [await anext(items) for _ in range(count)]

    async def main() -> None:
        async with AsyncClient(room / "run", 20) as client, aclosing(client.events(snapshot=True)) as items:
            with small_daemon_beside(room / "run", answers(lambda: daemon)) as (daemon, act):
                assert story(await some(items, 1)) == ["Snapshot"]
                act(lambda: flood(daemon, 4000))
                numbers = [item.seq for item in await some(items, 4000) if isinstance(item, Event)]
                assert numbers == list(range(1, 4001))
                assert (await client.mute()).muted
            assert story(await some(items, 2)) == ["Event", "Gone"]
            with small_daemon_beside(room / "run", answers(lambda: after)) as (after, _):
                after.publisher.run = "11111111"
                assert story(await some(items, 2)) == ["Restarted", "Snapshot"]

    asyncio.run(main())
