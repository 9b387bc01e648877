"""A daemon of nothing but its two sockets, for the tests of the IPC and of rtctl."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from rtvoiced.errors import CommandError
from rtvoiced.host.paths import control_socket, events_socket
from rtvoiced.ipc.contract.protocol import Request, request_body
from rtvoiced.ipc.server.control import Control
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.ipc.server.runtime import claim
from rtvoiced.ipc.server.sockets import Context
from support.schemas import check_event, check_reply

RUN = "9f3a61c2"
PATIENCE_MS = 20_000
"""How long a test waits for what must come: only a failing test waits so long."""

Answer = Callable[[Request], dict[str, Any] | bytes | None]
"""Returns a command's data, raises `CommandError`, or returns None to leave it unanswered."""


@contextmanager
def short_dir() -> Iterator[Path]:
    """Yield a directory whose path leaves room for a socket's: pytest's own are too long."""
    made = Path(tempfile.mkdtemp(prefix="rtv", dir="/tmp"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


class SmallDaemon:
    """Control and Publisher in the running loop; *answer* carries out the commands."""

    def __init__(self, directory: Path, answer: Answer) -> None:
        self.directory = directory
        self.answer = answer
        self.served: list[tuple[int, Request]] = []
        self.stopping = asyncio.Event()
        self._closed = False
        self._lock = claim(directory)
        self._context: Context = zmq.Context()
        self.publisher = Publisher(self._context, events_socket(directory), RUN)
        self.control = Control(
            self._context,
            control_socket(directory),
            self._serve,
            lambda: (self.publisher.run, self.publisher.seq),
        )

    def _serve(self, ticket: int, request: Request) -> None:
        self.served.append((ticket, request))
        data = self.answer(request)
        if data is not None:
            # Tests answer with as little as they need: it is JSON already, and held against no type.
            self.control.reply(ticket, data if isinstance(data, bytes) else json.dumps(data).encode())

    def close(self, reason: str = "command") -> None:
        if self._closed:
            return
        self._closed = True
        self.control.close()
        self.publisher.close(reason)
        self._context.term()
        self._lock.release()


def run_small(scenario: Callable[[SmallDaemon], Any], answer: Answer = lambda request: {}) -> list[str]:
    """Run *scenario*(daemon), a coroutine function, beside it; return what the loop complained of."""
    complaints: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(repr(context.get("exception"))))
        with short_dir() as directory:
            daemon = SmallDaemon(directory / "run", answer)
            try:
                await scenario(daemon)
            finally:
                daemon.close()

    asyncio.run(main())
    return complaints


@contextmanager
def small_daemon_beside(
    directory: Path, answer: Answer = lambda request: {}, beat_s: float = 0.1
) -> Iterator[tuple[SmallDaemon, Callable[[Callable[[], Any]], None]]]:
    """Yield a small daemon in a thread of its own, and a function that runs something in its loop."""
    ready: list[tuple[SmallDaemon, asyncio.AbstractEventLoop]] = []
    up = threading.Event()

    async def main() -> None:
        daemon = SmallDaemon(directory, answer)
        ready.append((daemon, asyncio.get_running_loop()))
        up.set()
        try:
            while not daemon.stopping.is_set():
                daemon.publisher.heartbeat()
                try:
                    async with asyncio.timeout(beat_s):
                        await daemon.stopping.wait()
                except TimeoutError:
                    continue
        finally:
            daemon.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert up.wait(PATIENCE_MS / 1000)
    daemon, loop = ready[0]

    def act(what: Callable[[], Any]) -> None:
        loop.call_soon_threadsafe(what)

    try:
        yield daemon, act
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(daemon.stopping.set)
        thread.join()


class Peer:
    """A client's socket: plain frames, received in a thread so that the loop goes on."""

    def __init__(self, context: Context, kind: int, path: Path) -> None:
        self.socket = context.socket(kind)
        self.socket.set(zmq.LINGER, 0)
        self.socket.connect(f"ipc://{path}")

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(list(frames))

    async def frames(self) -> list[bytes]:
        """Return the next message: an event, or a reply whose data are a test's own."""
        frames = await asyncio.to_thread(self._frames)
        message = json.loads(frames[-1])
        if "event" in message:
            check_event(frames[0], message)
        else:
            check_reply(None, message)
        return frames

    async def message(self) -> dict[str, Any]:
        """Return the JSON of the next message's last frame."""
        message: dict[str, Any] = json.loads((await self.frames())[-1])
        return message

    async def ask(self, command: str, *, request_id: str | None = None, **args: Any) -> dict[str, Any]:
        """Send a request as a DEALER does and return its reply."""
        self.send(b"", request_body(command, args, request_id))
        return await self.message()

    def _frames(self) -> list[bytes]:
        assert self.socket.poll(PATIENCE_MS), "nothing came"
        return self.socket.recv_multipart()


@contextmanager
def peers() -> Iterator[Callable[[int, Path], Peer]]:
    """Yield a function that connects a client's socket; all are closed at the end."""
    context: Context = zmq.Context()
    made: list[Peer] = []

    def connect(kind: int, path: Path) -> Peer:
        made.append(Peer(context, kind, path))
        return made[-1]

    try:
        yield connect
    finally:
        for peer in made:
            peer.socket.close(0)
        context.term()


def stall(seconds: float) -> None:
    """Block the loop, so that what is on its way arrives meanwhile."""
    until = time.monotonic() + seconds
    while time.monotonic() <= until:
        pass


def refusing(code: str, message: str = "no") -> Answer:
    """Return an answer that refuses everything."""

    def answer(request: Request) -> dict[str, Any]:
        raise CommandError(code, message)

    return answer
