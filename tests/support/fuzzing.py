"""Frames that nobody should send, how each is answered, and a client that sends them by the thousand."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtvoiced.host.paths import control_socket
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.protocol import MAX_REQUEST_BYTES, VERSION, request_body
from rtvoiced.ipc.contract.schema import schemas
from support.measuring import rss_mb
from support.running import PATIENCE_S, Running
from support.schemas import check_reply, problems

ID = "c1f0c1f0c1f0c1f0"
WINDOW = 200
"""Frames on their way at a time, below the number at which the daemon says `busy`."""
NOWHERE = ("--url", "ws://127.0.0.1:9/v1/realtime", "--audio", "none", "--log-level", "error")
GROWTH_MB = 10.0
"""What the daemon may have grown by once it has seen each kind: the allocator's, not the frames'."""
HTTP = b"GET /status HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"


@dataclass(frozen=True)
class Frame:
    """A request's body, and how it has to be refused."""

    body: bytes
    codes: frozenset[str]
    """Empty: it may be carried out, and must not be called malformed."""
    arg: str | None = None
    """The argument that the refusal has to name."""


def judged(body: bytes) -> Frame:
    """Return a frame with the codes that may answer it, by the schemas and not by the daemon's code."""
    try:
        return Frame(body, frozenset(_refused_as(body)))
    except RecursionError:
        # Where exactly JSON is too deep depends on who reads it; so deep nothing is right.
        return Frame(body, frozenset({"bad_request", "bad_args"}))


def _refused_as(body: bytes) -> set[str]:
    try:
        request = json.loads(body.decode("utf-8"))
    except ValueError:
        request = None
    if len(body) > MAX_REQUEST_BYTES or not isinstance(request, dict):
        return {"bad_request"}
    if request.get("v", VERSION) != VERSION or isinstance(request.get("v"), bool):
        return {"unsupported_protocol"}
    if not isinstance(request.get("command"), str) or request["command"] not in COMMANDS:
        return {"unknown_command", "bad_request"}
    return {"bad_args", "bad_request"} if problems(f"request.{request['command']}", request) else set()


# Frames by chance


def by_chance(seed: int, big: int) -> Iterator[Frame]:
    """Yield frames without end: random, torn, spoilt, HTTP, deep; one in *big* has a megabyte."""
    rng = random.Random(seed)
    made = (_random, _torn, _spoilt, _http, _deep)
    number = 0
    while True:
        number += 1
        yield judged(_big(rng) if number % big == 0 else rng.choice(made)(rng))


def _random(rng: random.Random) -> bytes:
    return rng.randbytes(int(rng.expovariate(1 / 80)))


def _torn(rng: random.Random) -> bytes:
    whole = request_body("mute", {"mode": "on", "for_s": 90.0}, ID, 1.5)
    return whole[: rng.randrange(len(whole))]


def _spoilt(rng: random.Random) -> bytes:
    spoilt = bytearray(request_body("history", {"last": 100}, None))
    for _ in range(rng.randint(1, 4)):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)


def _http(rng: random.Random) -> bytes:
    return HTTP + rng.randbytes(rng.randrange(40))


def _deep(rng: random.Random) -> bytes:
    depth = int(rng.expovariate(1 / 3000))
    head, tail = rng.choice([(b"[", b"]"), (b'{"args":', b"}"), (b"[", b"")])
    return b'{"command":"status","args":' + head * depth + b"1" + tail * depth + b"}"


def _big(rng: random.Random) -> bytes:
    size = MAX_REQUEST_BYTES + rng.choice((-40, 0, 1, 1000))
    kind = rng.randrange(3)
    if kind == 0:
        return rng.randbytes(size)
    if kind == 1:
        return b'{"command":"hello","x":"' + b"y" * (size - 26) + b'"}'
    return b"[" * size


# Frames from the schemas

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def of_every_command() -> st.SearchStrategy[tuple[Frame, ...]]:
    """Return one wrong request for each command that there is."""
    return st.tuples(*map(_of_command, COMMANDS))


@st.composite
def _of_command(draw: st.DrawFn, command: str) -> Frame:
    """Return a request that is right but for one thing: a type, an unknown argument, a missing one, all."""
    schema = ARGS[command]
    known: dict[str, Any] = schema["properties"]
    args = {name: draw(_right(each)) for name, each in known.items() if name in schema["required"]}
    wrong = [lambda: _wrongly_typed(draw, command, args), lambda: _unknown(draw, args)] * bool(known)
    wrong += [lambda: _missing(draw, args)] * bool(args)
    wrong += [lambda: _unknown(draw, args), lambda: _not_an_object(draw)]
    spoilt, codes, arg = draw(st.sampled_from(wrong))()
    body = json.dumps({"v": VERSION, "command": command, "args": spoilt}).encode()
    return Frame(body, frozenset(codes), arg)


Spoilt = tuple[object, set[str], str | None]


def _wrongly_typed(draw: st.DrawFn, command: str, args: dict[str, Any]) -> Spoilt:
    name = draw(st.sampled_from(sorted(ARGS[command]["properties"])))
    asked = {"command": command}

    def is_wrong(value: object) -> bool:
        return bool(problems(f"request.{command}", {**asked, "args": {**args, name: value}}))

    return {**args, name: draw(Json.filter(is_wrong))}, {"bad_args"}, name


def _unknown(draw: st.DrawFn, args: dict[str, Any]) -> Spoilt:
    return {**args, "surely_not": draw(Json)}, {"bad_args"}, "surely_not"


def _missing(draw: st.DrawFn, args: dict[str, Any]) -> Spoilt:
    name = draw(st.sampled_from(sorted(args)))
    return {key: value for key, value in args.items() if key != name}, {"bad_args"}, name


def _not_an_object(draw: st.DrawFn) -> Spoilt:
    return (
        draw(Json.filter(lambda value: value is not None and not isinstance(value, dict))),
        {"bad_request"},
        None,
    )


def _right(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = {"string": st.text(min_size=1).map(lambda text: f"x{text}"), "integer": st.integers(0, 1000)}
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    return kinds[kind]


SCHEMAS = schemas()
ARGS: dict[str, dict[str, Any]] = {
    command: SCHEMAS[f"request.{command}"]["properties"]["args"] for command in COMMANDS
}


# Who sends them


@dataclass
class Attacker:
    """Sends frames to a control socket, a window of them at a time, and judges each answer."""

    path: Path
    refused: dict[str, int] = field(default_factory=dict)
    """How often each code came."""
    carried_out: int = 0
    _waiting: dict[bytes, Frame] = field(default_factory=dict)
    _sent: int = 0

    def __post_init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = self._dealer_to(self.path)

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *_: object) -> None:
        self._dealer.close(0)
        self._context.term()

    @property
    def answered(self) -> int:
        """How many frames were answered rightly."""
        return self.carried_out + sum(self.refused.values())

    def send(self, frame: Frame) -> None:
        """Send a frame; its answer is judged when it comes."""
        self._sent += 1
        tag = b"%d" % self._sent
        self._waiting[tag] = frame
        self._dealer.send_multipart([tag, b"", frame.body])
        if len(self._waiting) >= WINDOW:
            self._take(WINDOW // 2)

    def finish(self) -> None:
        """See that everything that was sent is answered."""
        self._take(0)

    def misaddress(self, rng: random.Random) -> None:
        """Send what has no answer: no empty frame, no ZMTP at all, more than libzmq takes."""
        self._dealer.send_multipart([rng.randbytes(8) or b"x" for _ in range(rng.randint(1, 3))])
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(self.path))
            raw.sendall(rng.choice((HTTP, rng.randbytes(300))))

    def overflow(self) -> None:
        """Send more than libzmq takes, from a connection of its own: it is hung up on."""
        dealer = self._dealer_to(self.path)
        dealer.send_multipart([b"", bytes(9 << 20)])
        dealer.close(2000)

    def _take(self, left: int) -> None:
        while len(self._waiting) > left:
            assert self._dealer.poll(int(PATIENCE_S * 1000)), f"{len(self._waiting)} are not answered"
            tag, empty, reply = self._dealer.recv_multipart()
            assert empty == b""
            self._judge(self._waiting.pop(tag), json.loads(reply))

    def _judge(self, frame: Frame, reply: dict[str, Any]) -> None:
        told = f"{frame.body[:300]!r} is answered {reply}"
        if reply["ok"]:
            assert not frame.codes, told
            check_reply(json.loads(frame.body), reply)
            self.carried_out += 1
            return
        check_reply(None, reply)
        code = reply["error"]["code"]
        if frame.codes:
            assert code in frame.codes, told
        else:
            assert code not in ("bad_request", "unknown_command", "unsupported_protocol", "internal"), told
        assert frame.arg is None or reply["error"]["details"] == {"arg": frame.arg}, told
        self.refused[code] = self.refused.get(code, 0) + 1

    def _dealer_to(self, path: Path) -> zmq.Socket[bytes]:
        dealer = self._context.socket(zmq.DEALER)
        dealer.set(zmq.LINGER, 0)
        dealer.set(zmq.RCVHWM, 0)
        dealer.connect(f"ipc://{path}")
        return dealer


def abuse(running: Running, frames: int, examples: int, big: int) -> float:
    """Send *frames* to a daemon, which has to answer each, to live on and not to grow; return MB it grew by.

    *examples* of them are made for each command from its schema; of the
    others one in *big* has a megabyte.
    """
    rng = random.Random(frames)
    pid, run = running.process.pid, running.data("hello")["run"]
    with Attacker(control_socket(running.room.run)) as attacker:

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(of_every_command())
        def send(wrong: tuple[Frame, ...]) -> None:
            for frame in wrong:
                attacker.send(frame)

        chance = by_chance(frames, big)
        for frame in islice(chance, frames // 10):
            attacker.send(frame)
        attacker.overflow()
        attacker.finish()
        before = rss_mb(pid)
        send()
        made = attacker.answered
        for frame in islice(chance, max(0, frames - made)):
            if rng.random() < 0.02:
                attacker.misaddress(rng)
            attacker.send(frame)
        attacker.finish()
        growth = rss_mb(pid) - before
        assert attacker.answered >= frames
        assert {"bad_request", "bad_args", "unknown_command"} <= attacker.refused.keys()
    running.live_on()
    hello = running.data("hello")
    assert (hello["pid"], hello["run"]) == (pid, run)
    assert "Traceback" not in running.log()
    assert growth < GROWTH_MB
    return growth
