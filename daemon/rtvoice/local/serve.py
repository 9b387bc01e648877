"""The embedded Realtime server, ``rtvoiced serve``: arguments and the life of the process."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from rtvoice import errors, logs
from rtvoice.local.connection import Connection
from rtvoice.local.ears import Ears
from rtvoice.local.session import Session

PATH = "/v1/realtime"
MODEL = "rtvoice-local"
LARGEST_MESSAGE = 20 << 20
"""Bytes: an append of 15 MiB and its frame."""
CLOSE_S = 0.5
"""How long a client may take to say goodbye: the whole exit has 1 s."""

log = structlog.get_logger()


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="rtvoiced serve",
        description="A Realtime server on this computer: hears some commands, answers by rules, and speaks.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=0, help="port to listen on; 0, the default, takes a free one"
    )
    parser.add_argument("--while-stdin", action="store_true", help="end when standard input closes")
    parser.add_argument("--log-level", default="warning", choices=("debug", "info", "warning", "error"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit status."""
    options = arguments(argv)
    logs.configure(options.log_level)
    try:
        asyncio.run(_main(options))
    except OSError as failed:
        reason = failed.strerror or str(failed)
        print(f"rtvoiced serve: cannot listen on {options.host}:{options.port}: {reason}", file=sys.stderr)
        return errors.UNAVAILABLE
    except OverflowError:
        print(f"rtvoiced serve: not a port: {options.port}", file=sys.stderr)
        return errors.USAGE
    return errors.OK


async def _main(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ears = Ears()
    server = await listen(ears, options.host, options.port)
    try:
        print(f"listening {url(server)}", flush=True)
        if options.while_stdin:
            threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
        warming = asyncio.create_task(ears.warm_up())
        await stop.wait()
        warming.cancel()
        await asyncio.wait([warming])
    finally:
        server.close()
        await server.wait_closed()
        await ears.close()


async def listen(ears: Ears, host: str = "127.0.0.1", port: int = 0) -> Server:
    """Open the server; sessions share *ears*."""

    async def session(websocket: ServerConnection) -> None:
        assert websocket.request is not None
        model = parse_qs(urlsplit(websocket.request.path).query).get("model", [MODEL])[0]
        log.info("session.opened", model=model)
        await Connection(websocket, Session(model, _now), ears).run()
        log.info("session.closed", code=websocket.close_code)

    return await serve(
        session,
        host,
        port,
        process_request=_route,
        compression=None,
        max_size=LARGEST_MESSAGE,
        close_timeout=CLOSE_S,
    )


def url(server: Server) -> str:
    """Return where clients connect."""
    host, port = next(iter(server.sockets)).getsockname()[:2]
    return f"ws://[{host}]:{port}{PATH}" if ":" in host else f"ws://{host}:{port}{PATH}"


def _route(connection: ServerConnection, request: Request) -> Response | None:
    if urlsplit(request.path).path == PATH:
        return None
    return connection.respond(HTTPStatus.NOT_FOUND, f"Nothing here; the Realtime API is at {PATH}.\n")


def _now() -> datetime:
    return datetime.now().astimezone()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Wait for the end of stdin; a thread, for stdin may be a file or a terminal that no loop can watch."""
    while os.read(0, 4096):
        pass
    try:
        loop.call_soon_threadsafe(stop.set)
    except RuntimeError:
        # It is stopping already.
        log.debug("stdin.closed_late")


if __name__ == "__main__":
    sys.exit(main())
