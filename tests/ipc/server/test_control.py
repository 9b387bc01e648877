"""Commands: exactly one reply to whatever is well addressed, and nothing that arrives stops the loop."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from typing import Any

import pytest
import zmq

from rtvoiced.errors import CommandError
from rtvoiced.host.paths import control_socket
from rtvoiced.ipc.contract.commands import Mute, SetVoice, Status
from rtvoiced.ipc.contract.protocol import MAX_REQUEST_BYTES, Request, request_body
from rtvoiced.ipc.contract.replies import InterruptReply, SetVoiceReply
from rtvoiced.ipc.server.control import KEPT_REPLIES, OPEN_REPLIES
from support.small_daemon import RUN, SmallDaemon, peers, refusing, run_small, stall

ID = "c1f0c1f0c1f0c1f0"
CHANGED = SetVoiceReply("slt", "now")
VOICE = SetVoice("slt")


def code_of(reply: dict[str, Any]) -> str:
    code: str = reply["error"]["code"]
    return code


def test_a_reply_carries_id_run_seq_and_data() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            rep = connect(zmq.REQ, control_socket(daemon.directory))
            rep.send(request_body("status", None, ID))
            assert await rep.message() == {
                "v": 1,
                "id": ID,
                "ok": True,
                "run": RUN,
                "seq": 0,
                "data": {"muted": False},
            }

    assert run_small(scenario, lambda request: {"muted": False}) == []


def test_the_reply_repeats_every_frame_up_to_the_first_empty_one() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(b"a", b"b", b"", request_body("status"))
            assert (await dealer.frames())[:-1] == [b"a", b"b", b""]
            correlated = connect(zmq.DEALER, control_socket(daemon.directory))
            correlated.send(b"\0\0\0\1", b"", request_body("status"))
            assert (await correlated.frames())[:-1] == [b"\0\0\0\1", b""]

    assert run_small(scenario) == []


def test_req_with_correlate_and_relaxed_is_answered() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            req = connect(zmq.REQ, control_socket(daemon.directory))
            req.socket.set(zmq.REQ_CORRELATE, 1)
            req.socket.set(zmq.REQ_RELAXED, 1)
            req.send(request_body("status"))
            req.send(request_body("hello", None, ID))
            assert (await req.message())["id"] == ID

    assert run_small(scenario) == []


def test_a_message_without_an_empty_frame_is_dropped_and_counted() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(request_body("status"))
            assert (await dealer.ask("status"))["ok"] is True
        assert daemon.control.counters.unaddressed == 1

    assert run_small(scenario) == []


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([], "bad_request"),
        ([b""], "bad_request"),
        ([b"{}", b"{}"], "bad_request"),
        ([b"GET / HTTP/1.1\r\n\r\n"], "bad_request"),
        ([b"[" * 100_000], "bad_request"),
        ([b"\xff" * (MAX_REQUEST_BYTES + 1)], "bad_request"),
        ([b'{"command":"status","id":"short"}'], "bad_request"),
        ([b'{"command":"status","expires":1e999}'], "bad_request"),
        ([b'{"command":"status","expires":1' + b"0" * 400 + b"}"], "bad_request"),
        ([b'{"v":2,"command":"status"}'], "unsupported_protocol"),
        ([b'{"command":"dance"}'], "unknown_command"),
        ([b'{"command":"mute","args":{"mode":"loud"}}'], "bad_args"),
    ],
)
def test_rubbish_gets_one_reply_and_is_not_served(frames: list[bytes], code: str) -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(b"", *frames)
            assert code_of(await dealer.message()) == code
            assert (await dealer.ask("status"))["ok"] is True
        assert [request.command for _, request in daemon.served] == [Status()]
        assert daemon.control.counters.bad_requests == 1

    assert run_small(scenario) == []


def test_the_id_of_a_bad_request_comes_back_where_it_can_be_read() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            assert (await dealer.ask("dance", request_id=ID))["id"] == ID

    run_small(scenario)


def test_an_expired_request_is_not_carried_out() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(b"", request_body("mute", None, ID, time.monotonic() - 1))
            assert code_of(await dealer.message()) == "expired"
            assert daemon.served == []
            assert daemon.control.counters.expired == 1
            dealer.send(b"", request_body("mute", None, ID, time.monotonic() + 100))
            assert (await dealer.message())["ok"] is True

    assert run_small(scenario) == []


def test_what_timed_out_while_the_loop_was_blocked_does_not_happen_later() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(b"", request_body("mute", None, None, time.monotonic() + 0.05))
            stall(0.06)
            assert code_of(await dealer.message()) == "expired"
        assert daemon.served == []

    assert run_small(scenario) == []


def test_a_retried_toggle_toggles_once() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            first = await dealer.ask("mute", request_id=ID, mode="toggle")
            another = connect(zmq.DEALER, control_socket(daemon.directory))
            assert await another.ask("mute", request_id=ID, mode="toggle") == first
        assert len(daemon.served) == 1

    assert run_small(scenario, lambda request: {"muted": True}) == []


def test_a_retry_of_what_was_carried_out_never_reads_expired() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            first = await dealer.ask("mute", request_id=ID)
            dealer.send(b"", request_body("mute", None, ID, time.monotonic() - 1))
            assert await dealer.message() == first

    assert run_small(scenario) == []


def test_a_retry_joins_the_command_that_still_runs() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(b"first", b"", request_body("set-voice", {"voice": "slt"}, ID))
            dealer.send(b"second", b"", request_body("set-voice", {"voice": "slt"}, ID))
            assert (await dealer.ask("status"))["ok"] is True
            ((ticket, _), _) = daemon.served
            daemon.control.reply(ticket, CHANGED)
            first, second = await dealer.frames(), await dealer.frames()
            assert (first[0], second[0], first[-1]) == (b"first", b"second", second[-1])

    assert run_small(scenario, lambda request: {} if request.command == Status() else None) == []


def test_an_id_stands_for_one_command_and_its_args() -> None:
    def answer(request: Request) -> dict[str, Any] | None:
        return None if request.name == "set-voice" else {}

    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            await dealer.ask("mute", request_id=ID)
            assert code_of(await dealer.ask("mute", request_id=ID, mode="off")) == "bad_request"
            assert code_of(await dealer.ask("interrupt", request_id=ID)) == "bad_request"
            dealer.send(b"", request_body("set-voice", {"voice": "slt"}, ID + "2"))
            assert code_of(await dealer.ask("set-voice", request_id=ID + "2", voice="kal")) == "bad_request"

    assert run_small(scenario, answer) == []


def test_replies_that_change_nothing_are_not_kept() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            await dealer.ask("status", request_id=ID)
            await dealer.ask("status", request_id=ID)
        assert len(daemon.served) == 2

    assert run_small(scenario) == []


def test_the_last_256_replies_are_kept() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            for number in range(KEPT_REPLIES + 1):
                await dealer.ask("interrupt", request_id=f"{number:016}")
            served = len(daemon.served)
            await dealer.ask("interrupt", request_id=f"{1:016}")
            assert len(daemon.served) == served
            await dealer.ask("interrupt", request_id=f"{0:016}")
            assert len(daemon.served) == served + 1

    assert run_small(scenario) == []


def test_too_many_open_requests_are_busy() -> None:
    def answer(request: Request) -> dict[str, Any] | None:
        return {} if request.command == Status() else None

    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            for _ in range(OPEN_REPLIES):
                dealer.send(b"", request_body("interrupt", None, ID))
            assert code_of(await dealer.ask("status")) == "busy"
            ((ticket, _),) = daemon.served
            daemon.control.reply(ticket, InterruptReply(False, None, 0, 0))
            for _ in range(OPEN_REPLIES):
                assert (await dealer.message())["ok"] is True
            assert (await dealer.ask("status"))["ok"] is True

    assert run_small(scenario, answer) == []


def test_a_refusal_carries_its_code() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            reply = await dealer.ask("ask", text="hello")
        assert reply["error"] == {
            "code": "not_connected",
            "message": "no server",
            "retryable": False,
            "details": {},
        }

    assert run_small(scenario, refusing("not_connected", "no server")) == []


def test_a_bug_is_told_to_who_asked_and_reaches_the_loop() -> None:
    def answer(request: Request) -> dict[str, Any]:
        if isinstance(request.command, Mute):
            raise ZeroDivisionError
        return {}

    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(b"", request_body("mute"))
            dealer.send(b"", request_body("status"))
            assert code_of(await dealer.message()) == "internal"
            assert (await dealer.message())["ok"] is True

    assert run_small(scenario, answer) == ["ZeroDivisionError()"]


def test_a_ticket_is_answered_once() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            await dealer.ask("status")
        ((ticket, _),) = daemon.served
        with pytest.raises(KeyError):
            daemon.control.reply(ticket, b"{}")

    assert run_small(scenario) == []


def test_a_command_is_answered_with_its_own_reply() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(b"", request_body("set-voice", {"voice": "slt"}))
            assert (await dealer.ask("status"))["ok"] is True
            ((ticket, _), _) = daemon.served
            with pytest.raises(TypeError, match="set-voice is answered with SetVoiceReply"):
                daemon.control.reply(ticket, InterruptReply(False, None, 0, 0))
            daemon.control.reply(ticket, CHANGED)
            assert (await dealer.message())["data"] == {"voice": "slt", "applied": "now"}

    assert run_small(scenario, lambda request: {} if request.command == Status() else None) == []


def test_what_is_open_at_the_end_is_told_shutting_down() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            dealer.send(b"", request_body("set-voice", {"voice": "slt"}))
            assert (await dealer.ask("status"))["ok"] is True
            daemon.close()
            assert code_of(await dealer.message()) == "shutting_down"
            ticket, _ = daemon.served[0]
            daemon.control.reply(ticket, CHANGED)
            daemon.control.refuse(ticket, CommandError("timeout", "late"))

    assert run_small(scenario, lambda request: {} if request.command == Status() else None) == []


def test_a_client_that_is_gone_or_takes_a_used_name_harms_nobody() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        path = control_socket(daemon.directory)
        with peers() as connect:
            gone = connect(zmq.DEALER, path)
            gone.send(b"", request_body("set-voice", {"voice": "slt"}))
            asking = connect(zmq.DEALER, path)
            while not (tickets := [ticket for ticket, request in daemon.served if request.command == VOICE]):
                await asking.ask("hello")
            gone.socket.close(0)
            for _ in range(3):
                twin = connect(zmq.DEALER, path)
                twin.socket.disconnect(f"ipc://{path}")
                twin.socket.set(zmq.IDENTITY, b"twin")
                twin.socket.connect(f"ipc://{path}")
                twin.send(b"", request_body("status"))
            daemon.control.reply(tickets[0], CHANGED)
            assert (await asking.ask("status"))["ok"] is True

    def answer(request: Request) -> dict[str, Any] | None:
        return None if request.name == "set-voice" else {}

    assert run_small(scenario, answer) == []


def test_a_flood_does_not_starve_the_loop() -> None:
    async def scenario(daemon: SmallDaemon) -> None:
        turns = 0
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            await dealer.ask("status")
            for _ in range(900):
                dealer.send(b"", request_body("status"))
            while len(daemon.served) < 901:
                turns += 1
                await asyncio.sleep(0)
        assert turns >= 9

    assert run_small(scenario) == []


def test_a_request_that_arrives_during_a_reply_is_served() -> None:
    # The reply's send takes the wake-up of the request (edge-triggered), which would wait for the next one.
    async def scenario(daemon: SmallDaemon) -> None:
        with peers() as connect:
            dealer = connect(zmq.DEALER, control_socket(daemon.directory))
            for _ in range(10):
                dealer.send(b"", request_body("set-voice", {"voice": "slt"}))
                assert (await dealer.ask("status"))["ok"] is True
                dealer.send(b"", request_body("status"))
                stall(0.005)
                daemon.control.reply(daemon.served[-2][0], CHANGED)
                assert [(await dealer.message())["ok"] for _ in range(2)] == [True, True]

    assert run_small(scenario, lambda request: {} if request.command == Status() else None) == []


def test_two_thousand_random_messages_leave_the_daemon_alive() -> None:
    rng = random.Random(4)
    pieces = [b"", b"{", b'{"command":"mute"}', b'{"command":', b"\0", b"null", b'"', b"\xc3\x28", b"[[[["]

    def frame() -> bytes:
        if rng.random() < 0.4:
            return rng.choice(pieces)
        return rng.randbytes(int(rng.expovariate(1 / 60)))

    async def scenario(daemon: SmallDaemon) -> None:
        path = control_socket(daemon.directory)
        with peers() as connect:
            dealer = connect(zmq.DEALER, path)
            dealer.socket.set(zmq.SNDHWM, 0)
            addressed = 0
            for _ in range(2000):
                frames = [frame() for _ in range(rng.randint(1, 5))]
                addressed += b"" in frames
                dealer.send(*frames)
            for _ in range(20):
                with socket.socket(socket.AF_UNIX) as raw:
                    raw.connect(str(path))
                    raw.sendall(b"GET /status HTTP/1.1\r\n\r\n" + rng.randbytes(200))
            survivor = connect(zmq.REQ, path)
            survivor.send(request_body("status"))
            assert (await survivor.message())["ok"] is True
            dealer.send(b"last", b"", b"")
            answers = 0
            while (frames := await dealer.frames())[0] != b"last":
                answers += 1
                assert isinstance(json.loads(frames[-1])["ok"], bool)
            assert answers == addressed

    assert run_small(scenario) == []
