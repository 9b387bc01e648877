"""The real rtvoiced as a child process: subscribed to, commanded, stopped; and nothing left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import zmq

from rtctl.cli.__main__ import main as rtctl
from rtvoiced.__main__ import main as rtvoiced
from rtvoiced.host.paths import control_socket, events_socket
from rtvoiced.ipc.contract.protocol import request_body
from support.in_process import called
from support.schemas import check_event, check_reply, check_rtctl
from support.small_daemon import short_dir
from support.validation import check_recordings

PATIENCE_S = 40.0
"""How long a test waits for what must come: only a failing test waits so long."""
STOP_S = 2.0
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What a daemon gets of our environment: nobody's keys, settings or sound server."""
FIRST_VOICE = "slt"
"""Of the embedded server."""
RTVOICED = (sys.executable, "-m", "rtvoiced")

Event = dict[str, Any]


class Room:
    """Where a daemon lives: its home, its state, its sockets; its processes are known by it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path / "run"
        self.state = path / "state"
        self.recordings = path / "recordings"
        """What embedded servers and their clients said to each other."""

    def environment(self, further: Mapping[str, str] = {}) -> dict[str, str]:
        """Return the whole environment of a process that lives here."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        here = {
            "HOME": str(self.path),
            "RTVOICED_SERVE_RECORD": str(self.recordings),
            "XDG_CONFIG_HOME": str(self.path),
            "XDG_RUNTIME_DIR": str(self.path),
            "XDG_STATE_HOME": str(self.state),
        }
        return {**kept, **here, **further}

    def processes(self) -> dict[int, str]:
        """Return the command lines, by pid, of whatever runs with this home."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                line = (process / "cmdline").read_bytes()
            except OSError:
                continue  # Gone meanwhile, or somebody else's.
            if f"HOME={self.path}".encode() in environment:
                found[int(process.name)] = line.replace(b"\0", b" ").decode("utf-8", "replace").strip()
        return found

    def rtctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Do what rtctl does here, in this process."""
        ended = called(rtctl, ["--runtime-dir", str(self.run), *words], self.environment())
        if "--json" in words:
            check_rtctl(words, ended.stdout)
        return ended

    def called(self, *words: str, environ: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        """Do what an rtvoiced does here that ends by itself, in this process.

        It must look at no device and start no server: both want a real standard error.
        """
        return called(rtvoiced, ["--runtime-dir", str(self.run), *words], self.environment(environ))

    def rtvoiced(self, *words: str, environ: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        """Run an rtvoiced here that is to end by itself."""
        return subprocess.run(
            [*RTVOICED, "--runtime-dir", str(self.run), *words],
            env=self.environment(environ),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


@contextmanager
def room() -> Iterator[Room]:
    """Yield a room; nothing may live in it afterwards, and what was said in it must be the protocol's."""
    with short_dir() as path:
        made = Room(path)
        try:
            yield made
            eventually(lambda: not made.processes(), lambda: f"left behind: {made.processes()}")
            check_recordings(made.recordings)
        finally:
            for pid in made.processes():
                kill(pid)


def kill(pid: int) -> None:
    """Kill a process, if it still lives."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def eventually(
    condition: Callable[[], object], told: Callable[[], str] = lambda: "it did not come true"
) -> None:
    """Wait until *condition*; an AssertionError tells when it does not come true."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, told()
        time.sleep(0.01)


class Running:
    """One rtvoiced; a subscriber to all its events, and a client with any number of open requests."""

    def __init__(
        self, room: Room, *words: str, program: Sequence[str] = RTVOICED, environ: Mapping[str, str] = {}
    ) -> None:
        self.room = room
        self.events: list[Event] = []
        """The counted ones, and `bye`, in order."""
        self.beats: list[Event] = []
        self.words: dict[str, Any] = {}
        """The last `state`."""
        self._requests: dict[str, Event] = {}
        """All that were posted, by id."""
        self._replies: dict[str, Event] = {}
        self._logs = [room.path / f"{uuid.uuid4().hex[:8]}.{name}" for name in ("out", "err")]
        with self._logs[0].open("wb") as out, self._logs[1].open("wb") as err:
            self.process = subprocess.Popen(
                [*program, "--runtime-dir", str(room.run), "--log-format", "json", *words],
                env=room.environment(environ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sub, self._dealer = self._context.socket(zmq.SUB), self._context.socket(zmq.DEALER)
        for socket in (self._sub, self._dealer):
            socket.set(zmq.LINGER, 0)
            socket.set(zmq.RECONNECT_IVL, 10)
            socket.set(zmq.RCVHWM, 0)

    def __enter__(self) -> Self:
        try:
            self._join()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.process.poll() is None:
                self.stop()
        finally:
            self.close()

    def _join(self) -> None:
        """Subscribe as a program of somebody else would: welcome, then the snapshot."""
        eventually(
            lambda: events_socket(self.room.run).exists() or self.process.poll() is not None,
            lambda: "no socket: " + self.log(),
        )
        self._sub.connect(f"ipc://{events_socket(self.room.run)}")
        self._dealer.connect(f"ipc://{control_socket(self.room.run)}")
        self._sub.subscribe("")
        self._until(lambda: self._joined, "welcome")
        status = self.data("status")
        self.words = {
            "conversation": status["conversation"],
            "muted": status["muted"],
            "connection": status["connection"]["status"],
            "input": status["input"]["status"],
            "output": status["output"]["status"],
            "voice": status["connection"]["voice"],
        } | self.words

    _joined = False
    _seq = 0

    # What it says

    def log(self) -> str:
        """Return its standard error so far."""
        return self._logs[1].read_text("utf-8", "replace")

    def out(self) -> str:
        """Return its standard output so far."""
        return self._logs[0].read_text("utf-8", "replace")

    @property
    def seq(self) -> int:
        """The number of the newest event that was received."""
        return self._seq

    def named(self, *names: str) -> list[Event]:
        """Return the events of these names that came so far, in order."""
        return [event for event in self.events if event["event"] in names]

    def wait(self, name: str, after: int = 0, count: int = 1, **data: object) -> Event:
        """Return the *count*-th event of this name with these data and a seq above *after*, once it came."""

        def matching() -> list[Event]:
            return [
                event
                for event in self.named(name)
                if event["seq"] > after and all(event["data"].get(key) == data[key] for key in data)
            ]

        self._until(lambda: len(matching()) >= count, f"{count} {name} {data} after {after}")
        return matching()[count - 1]

    def until(self, **words: object) -> None:
        """Wait until the daemon's `state` has these words."""
        self._until(lambda: all(self.words.get(key) == words[key] for key in words), f"state {words}")

    def live_on(self) -> None:
        """Wait for two more heartbeats: it lives, and at least a second goes by."""
        self._take(0)
        wanted = len(self.beats) + 2
        self._until(lambda: len(self.beats) >= wanted, "two heartbeats")

    # What it is told

    def post(
        self, command: str, *, request_id: str | None = None, expires: float | None = None, **args: object
    ) -> str:
        """Send a request without waiting for its reply; return its id."""
        chosen = request_id or uuid.uuid4().hex
        body = request_body(command, dict(args), chosen, expires)
        self._requests[chosen] = json.loads(body)
        self._dealer.send_multipart([b"", body])
        return chosen

    def reply(self, request_id: str) -> Event:
        """Return the reply to a request that was posted; each is given once."""
        self._until(lambda: request_id in self._replies, f"a reply to {request_id}")
        return self._replies.pop(request_id)

    def request(self, command: str, **args: Any) -> Event:
        """Return the whole reply to a command."""
        return self.reply(self.post(command, **args))

    def data(self, command: str, **args: Any) -> dict[str, Any]:
        """Return the data of the reply to a command, which must have been carried out."""
        reply = self.request(command, **args)
        assert reply["ok"], reply
        return dict(reply["data"])

    def ask(self, text: str) -> str:
        """Ask, and return the request's id once that was accepted."""
        request_id = self.post("ask", text=text)
        assert self.reply(request_id)["ok"]
        return request_id

    def begin_anew(self) -> None:
        """Make it as if it had just been started: nothing said, unmuted, the first voice, no events seen."""
        self.data("mute", mode="off")
        self.data("set-voice", voice=FIRST_VOICE)
        self.data("reconnect", fresh=True, wait=True)
        self.until(connection="up", conversation="listening", muted=False, voice=FIRST_VOICE)
        seq = self.request("status")["seq"]
        self._until(lambda: self.seq >= seq, f"event {seq}")
        self.events.clear()

    # How it ends

    def stop(self, how: Callable[[], object] | None = None) -> float:
        """End it, by SIGTERM unless told otherwise: within 2 s, `bye`, no traceback. Return seconds."""
        begun = time.monotonic()
        (how or self.process.terminate)()
        status, took = self.ended(), time.monotonic() - begun
        assert status == 0, self.log()
        self._until(lambda: self.named("bye"), "bye")
        assert "Traceback" not in self.log(), self.log()
        assert took < STOP_S
        eventually(lambda: not self.room.processes(), lambda: f"left behind: {self.room.processes()}")
        return took

    def ended(self) -> int:
        """Return its exit status once it has ended."""
        self._until(lambda: self.process.poll() is not None, "its end")
        return self.process.wait()

    def kill(self) -> None:
        """Kill it with -9."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Give everything back, whatever happened."""
        if self.process.poll() is None:
            self.kill()
        self._sub.close(0)
        self._dealer.close(0)
        self._context.term()

    # Within

    def _until(self, condition: Callable[[], object], what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            dead = self.process.poll() is not None
            self._take(20)
            if (dead and not condition()) or time.monotonic() > until:
                raise AssertionError(f"waited in vain for {what}\n{self._story()}")

    def _take(self, wait_ms: int) -> None:
        poller = zmq.Poller()
        poller.register(self._sub, zmq.POLLIN)
        poller.register(self._dealer, zmq.POLLIN)
        ready = dict(poller.poll(wait_ms))
        while ready:
            if self._sub in ready:
                self._happened(*self._sub.recv_multipart())
            if self._dealer in ready:
                reply = json.loads(self._dealer.recv_multipart()[-1])
                check_reply(self._requests.get(reply["id"]), reply)
                self._replies[reply["id"]] = reply
            ready = dict(poller.poll(0))

    def _happened(self, topic: bytes, body: bytes) -> None:
        event = json.loads(body)
        check_event(topic, event)
        if topic == b"+welcome":
            self._joined = True
        elif topic == b"heartbeat":
            self.beats.append(event)
        elif not topic.endswith(b"+welcome"):
            self.events.append(event)
            self._seq = int(event["seq"])
        if topic == b"state":
            self.words = event["data"]

    def _story(self) -> str:
        lines = [
            f"{event['seq']:5} {event['event']:21} {json.dumps(event['data'])}" for event in self.events[-60:]
        ]
        ended = f"exit status {self.process.poll()}"
        return "\n".join([*lines, f"state {self.words}", ended, "log:", self.log()[-4000:]])
