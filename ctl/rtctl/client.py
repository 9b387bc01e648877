"""The synchronous client: one request, or the events as they come.

zmq is imported only once a plain connect() has found a daemon: libzmq can't
tell a dead daemon from a slow one, and its import takes longer than the answer.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtvoice.errors import CommandError, NotRunningError, PermissionRefusedError
from rtvoice.paths import control_socket, events_socket

if TYPE_CHECKING:
    import zmq

SILENCE_S = 3.0
"""Three heartbeats missed: the daemon is gone, or stopped."""
ALWAYS = ("heartbeat", "bye")
"""What every follower subscribes to, to notice the daemon's end."""


class Client:
    """Talks to the daemon of one runtime directory."""

    def __init__(self, directory: Path, timeout_s: float, silence_s: float = SILENCE_S) -> None:
        """Take where the daemon is, how long an answer and a silence of the events may take, in seconds."""
        self._directory = directory
        self._timeout_s = timeout_s
        self._silence_s = silence_s

    def request(self, command: str, args: dict[str, Any]) -> dict[str, Any]:
        """Return the data of the daemon's reply.

        Raises `CommandError` with the daemon's code, or ``timeout``;
        `NotRunningError` or `PermissionRefusedError` where no daemon can be
        reached.
        """
        path = control_socket(self._directory)
        probe(path)
        import zmq

        from rtvoice.ipc.protocol import request_body

        # 32 characters, unique across clients; uuid would cost its import.
        request_id = os.urandom(16).hex()
        body = request_body(command, args, request_id, time.monotonic() + self._timeout_s)
        with zmq.Context() as context, context.socket(zmq.REQ) as req:
            req.set(zmq.LINGER, 0)
            req.connect(f"ipc://{path}")
            req.send(body)
            if not req.poll(int(self._timeout_s * 1000)):
                raise CommandError(
                    "timeout",
                    f"no answer to {command} within {self._timeout_s:g} s: the daemon is busy or stopped, "
                    "or the command takes longer (--timeout); if not begun by now, it is not carried out",
                    retryable=True,
                )
            return _data(req.recv(), request_id)

    def follow(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the events called *names* (none: all that are counted) as they come, for ever.

        Counted ones only, unless named; ``welcome`` comes once, when every
        subscription is in force. Raises `CommandError` ``timeout`` where the
        daemon does not welcome, `NotRunningError` when it ended or fell
        silent.
        """
        path = events_socket(self._directory)
        probe(path)
        import zmq

        topics = list(dict.fromkeys([*names, *ALWAYS])) if names else [""]
        with zmq.Context() as context, context.socket(zmq.SUB) as sub:
            sub.set(zmq.LINGER, 0)
            sub.connect(f"ipc://{path}")
            for topic in topics:
                sub.subscribe(topic)
            welcome = self._join(sub, f"{topics[-1]}+welcome".encode())
            if "welcome" in names:
                yield welcome
            while True:
                yield from self._next(sub, names)

    def _join(self, sub: zmq.Socket[bytes], topic: bytes) -> dict[str, Any]:
        """Wait for the welcome of the last subscription and return it: they are handled in order."""
        until = time.monotonic() + self._timeout_s
        while (left := until - time.monotonic()) > 0:
            if sub.poll(int(left * 1000) + 1):
                frames = sub.recv_multipart()
                if frames[0] == topic:
                    return _json(frames[1])
        raise CommandError(
            "timeout",
            f"no welcome within {self._timeout_s:g} s: the daemon is busy or stopped",
            retryable=True,
        )

    def _next(self, sub: zmq.Socket[bytes], names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the next message if it is wanted."""
        from rtvoice.ipc.events import UNCOUNTED

        if not sub.poll(int(self._silence_s * 1000)):
            raise NotRunningError(f"the daemon at {self._directory} fell silent {self._silence_s:g} s ago")
        topic, body = sub.recv_multipart()[:2]
        name = topic.decode("utf-8", "replace")
        if name.endswith("+welcome"):  # Of a subscription of ours, or of another program's.
            return
        event = _json(body)
        if name in names or (not names and name not in UNCOUNTED):
            yield event
        if name == "bye":
            raise NotRunningError(
                f"the daemon ended: {event.get('data', {}).get('reason', 'no reason given')}"
            )


def probe(path: Path) -> None:
    """Find out within a millisecond whether a daemon listens at *path*.

    Raises `NotRunningError` or `PermissionRefusedError`. A daemon that is
    stopped still listens: that takes the time-out to tell.
    """
    with socket.socket(socket.AF_UNIX) as plain:
        plain.setblocking(False)  # A stopped daemon's full backlog would block us.
        try:
            plain.connect(os.fsencode(path))
        except BlockingIOError:
            return
        except PermissionError:
            raise PermissionRefusedError(
                f"no permission to use {path}; is the daemon another user's?"
            ) from None
        except OSError as error:
            raise NotRunningError(
                f"no daemon at {path} ({error.strerror}); start it with: rtvoiced"
            ) from None


def _data(body: bytes, request_id: str) -> dict[str, Any]:
    reply = _json(body)
    if reply.get("ok") is True and reply.get("id") == request_id and isinstance(reply.get("data"), dict):
        data: dict[str, Any] = reply["data"]
        return data
    error = reply.get("error")
    if not isinstance(error, dict):
        raise CommandError(
            "unsupported_protocol", "the daemon's answer can't be read; is it of another version?"
        )
    raise CommandError(
        str(error.get("code", "internal")),
        str(error.get("message", "no message")),
        retryable=error.get("retryable") is True,
        details=error.get("details"),
    )


def _json(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise CommandError(
            "unsupported_protocol", "the daemon's answer can't be read; is it of another version?"
        )
    return message
