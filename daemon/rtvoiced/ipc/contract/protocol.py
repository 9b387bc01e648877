"""The IPC contract (docs/ipc.md) on the wire: envelopes, JSON, and the reading of requests.

The daemon's sockets (`rtvoiced.ipc.server`) call it for every message; rtctl
has a smaller twin (`rtctl.client.messages`), because importing the contract
would cost it its quick start. Pure and stdlib only, like everything in
`rtvoiced.ipc.contract`. Names are never renamed within a version of the
protocol, and fields are only ever added.

>>> parse_request(b'{"command":"mute","args":{"mode":"off"}}').command
Mute(mode='off', for_s=None)
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from rtvoiced.errors import CommandError
from rtvoiced.ipc.contract.arguments import command_of, is_number
from rtvoiced.ipc.contract.commands import DECLARED, Command
from rtvoiced.ipc.contract.declaration import Reply, name_of
from rtvoiced.ipc.contract.events import IpcEvent

VERSION = 1
ID_CHARS = (16, 64)
"""Shortest and longest request id, in characters."""
MAX_REQUEST_BYTES = 1 << 20
"""1 MiB: a long text fits many times over, and a client can't fill the memory."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it arrived."""

    command: Command
    id: str | None = None
    expires: float | None = None
    """CLOCK_MONOTONIC seconds, because a wall clock jumps."""

    @property
    def name(self) -> str:
        """The command's name."""
        return name_of(self.command)


def event_body(event: IpcEvent, **envelope: Any) -> bytes:
    """Return an event's JSON frame: ``v``, the *envelope* (run, seq, n, time, mono), event, data."""
    return _dump({"v": VERSION, **envelope, "event": name_of(event), "data": data_of(event)})


def request_body(
    command: str,
    args: dict[str, Any] | None = None,
    request_id: str | None = None,
    expires: float | None = None,
) -> bytes:
    """Return a request's JSON frame."""
    request: dict[str, Any] = {"v": VERSION, "command": command, "args": args or {}}
    if request_id is not None:
        request["id"] = request_id
    if expires is not None:
        request["expires"] = expires
    return _dump(request)


def reply_body(request_id: str | None, run: str, seq: int, reply: Reply | bytes) -> bytes:
    """Return the JSON frame of a reply to a command that was carried out; bytes are its data as JSON."""
    envelope = {"v": VERSION, "id": request_id, "ok": True, "run": run, "seq": seq}
    if isinstance(reply, bytes):
        return b'%b,"data":%b}' % (_dump(envelope)[:-1], reply)
    return _dump({**envelope, "data": reply})


def replay_data(bodies: list[bytes], *, more: bool) -> bytes:
    """Return the data of `replay` from whole events as they were sent."""
    return b'{"events":[%b],"more":%b}' % (b",".join(bodies), b"true" if more else b"false")


def refusal_body(request_id: str | None, run: str, seq: int, error: CommandError) -> bytes:
    """Return the JSON frame of a reply to a command that was not carried out."""
    wire = {
        "code": error.code,
        "message": error.message,
        "retryable": error.retryable,
        "details": error.details,
    }
    return _dump({"v": VERSION, "id": request_id, "ok": False, "run": run, "seq": seq, "error": wire})


def parse_request(payload: bytes) -> Request:
    """Read a request's JSON frame.

    Raises `CommandError` with ``bad_request``, ``unsupported_protocol``,
    ``unknown_command`` or ``bad_args``.
    """
    raw = _load(payload)
    if not isinstance(raw, dict):
        raise CommandError("bad_request", "a request is a JSON object")
    version = raw.get("v", VERSION)
    if version != VERSION or isinstance(version, bool):
        raise CommandError(
            "unsupported_protocol",
            f"this daemon speaks protocol {VERSION}, not {version!r:.40}",
            details={"protocol": [VERSION]},
        )
    request_id, expires = read_id(raw), raw.get("expires")
    if expires is not None and not is_number(expires):
        raise CommandError("bad_request", "expires must be CLOCK_MONOTONIC seconds")
    return Request(_parse_command(raw), request_id, expires)


def read_id(raw: dict[str, Any]) -> str | None:
    """Return the request's id, or None where it has none; a bad one is ``bad_request``."""
    request_id = raw.get("id")
    if request_id is None:
        return None
    right = isinstance(request_id, str) and ID_CHARS[0] <= len(request_id) <= ID_CHARS[1]
    if not right or not request_id.isprintable():
        raise CommandError("bad_request", f"id must be a string of {ID_CHARS[0]} to {ID_CHARS[1]} characters")
    return str(request_id)


def salvage_id(payload: bytes) -> str | None:
    """Return the id of a request that could not be read, where that much of it can."""
    try:
        raw = _load(payload)
        return read_id(raw) if isinstance(raw, dict) else None
    except CommandError:
        return None


def data_of(message: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as a JSON object; those within it stay as they are."""
    kind = type(message)
    names = _FIELDS.get(kind) or _FIELDS.setdefault(kind, tuple(each.name for each in fields(kind)))
    return {name: getattr(message, name) for name in names}


_FIELDS: dict[type[Any], tuple[str, ...]] = {}
"""By dataclass: looked up once, because `fields` takes a fifth of what publishing costs."""


def _parse_command(raw: dict[str, Any]) -> Command:
    name, args = raw.get("command"), raw.get("args")
    if not isinstance(name, str):
        raise CommandError("bad_request", "command must be a string")
    if name not in DECLARED:
        raise CommandError("unknown_command", f"unknown command {name!r:.60}; hello lists what there is")
    args = {} if args is None else args
    if not isinstance(args, dict):
        raise CommandError("bad_request", "args must be an object")
    command: Command = command_of(DECLARED[name], args)
    return command


def _load(payload: bytes) -> Any:
    if len(payload) > MAX_REQUEST_BYTES:
        raise CommandError("bad_request", f"a request is at most {MAX_REQUEST_BYTES} bytes long")
    try:
        # json takes UTF-16 and UTF-32 by itself; the contract is UTF-8.
        return json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        raise CommandError("bad_request", "a request is JSON in UTF-8") from None


# json.dumps would make an encoder for each message: a third of what publishing costs.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=data_of)


def _dump(message: dict[str, Any]) -> bytes:
    return _ENCODER.encode(message).encode("utf-8", "replace")
