"""The embedded Realtime server, ``rtvoiced serve``: its arguments, and the life of its process.

The first line on standard output is ``listening ws://127.0.0.1:8765/v1/realtime``,
and the only one: programs that start the server read the address there. It ends with
SIGTERM, with Ctrl-C, or, with ``--while-stdin``, when its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from rtvoiced import errors
from rtvoiced.errors import RtvoiceError
from rtvoiced.host import key_file, logs
from rtvoiced_server.net import options as switches
from rtvoiced_server.net.handshake import Admission, is_this_computer, origin
from rtvoiced_server.net.listener import ListenerSettings, listen
from rtvoiced_server.net.recording import SessionRecordings
from rtvoiced_server.speech.recogniser_pool import RecogniserPool

RECORD_VARIABLE = "RTVOICED_SERVE_RECORD"
"""The environment variable in place of ``--record``, also for the server that rtvoiced starts."""
EPILOG = """\
quirks:
{quirks}

Each switch of the behaviour is a parameter of a connection's URL too, and that one wins:
ws://127.0.0.1:PORT/v1/realtime?speed=1&late_deltas=2&quirk=ping

exit status:
  0   ended cleanly
  2   wrong usage
  69  cannot listen there: the port is taken, or the address is not this computer's;
      or cannot say where it listens: nobody reads standard output
  70  a bug; the log has the traceback
  78  the key file or the folder for recordings can't be used
"""

log = structlog.get_logger()


class UnsaidError(RtvoiceError):
    """Nobody takes the line that says where the server listens."""

    status = errors.UNAVAILABLE


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="rtvoiced serve",
        description="A server for OpenAI's Realtime API on this computer: "
        "it hears some commands, answers by rules, and speaks.",
        epilog=EPILOG.format(
            quirks="\n".join(f"  {name:21} {text}" for name, text in switches.QUIRKS.items())
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    where = made.add_argument_group("where it listens")
    where.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    where.add_argument(
        "--port",
        type=switches.argument(switches.whole(0, 65_535)),
        default=0,
        help="port to listen on; 0, the default, takes a free one",
    )
    where.add_argument("--while-stdin", action="store_true", help="end when standard input closes")
    _add_access_flags(made.add_argument_group("who may connect"))
    switches.add_to(made.add_argument_group("how it behaves, and misbehaves"))
    what = made.add_argument_group("what it tells")
    what.add_argument(
        "--record",
        type=Path,
        metavar="FOLDER",
        help=f"write each session's events into FOLDER, without audio (default: ${RECORD_VARIABLE})",
    )
    what.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        help="default: info on a terminal, else warning",
    )
    return made


def _add_access_flags(who: argparse._ArgumentGroup) -> None:
    who.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="let in only who shows the key in FILE, which nobody else may open (default: any key or none)",
    )
    who.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        type=switches.argument(origin),
        metavar="ORIGIN",
        help="let in pages of this web site (https://example.org), too, repeatable; "
        "those of this computer's own always are",
    )


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    return parser().parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit status."""
    flags = arguments(argv)
    terminal = sys.stderr.isatty()
    logs.configure(flags.log_level or ("info" if terminal else "warning"))
    # It warns once for each answer that it can't write any more to a client that has gone.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        settings = _settings(flags)
        folder = flags.record or os.environ.get(RECORD_VARIABLE)
        recordings = SessionRecordings(Path(folder).expanduser()) if folder else None
        asyncio.run(_serve(flags, settings, recordings))
    except RtvoiceError as refused:
        print(f"rtvoiced serve: {refused}", file=sys.stderr)
        return refused.status
    except OSError as failed:
        # asyncio's own text repeats the address.
        reason = os.strerror(failed.errno) if failed.errno and failed.errno > 0 else failed.strerror
        print(f"rtvoiced serve: cannot listen on {flags.host}:{flags.port}: {reason}", file=sys.stderr)
        return errors.UNAVAILABLE
    return errors.OK


def _settings(flags: argparse.Namespace) -> ListenerSettings:
    chosen = switches.by_flags(flags)
    key = key_file.private(flags.key_file.expanduser(), "--key-file") if flags.key_file else None
    # The seed of the run is not that of a connection: the second would get the ids of the first.
    admission = Admission(replace(chosen, seed=None), key, frozenset(flags.allow_origin))
    return ListenerSettings(admission, seed=chosen.seed)


async def _serve(
    flags: argparse.Namespace, settings: ListenerSettings, recordings: SessionRecordings | None
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    recognisers = RecogniserPool()
    listener = await listen(recognisers, flags.host, flags.port, settings, recordings)
    try:
        _say(f"listening {listener.url}")
        address = listener.url.replace("ws", "http", 1)
        if sys.stderr.isatty():
            base = address.removesuffix("/realtime")
            print(f"For OpenAI's SDKs: OPENAI_BASE_URL={base}. Ctrl-C ends it.", file=sys.stderr)
        if settings.admission.key is None and not is_this_computer(address):
            log.warning("open_to_the_network", remedy="--key-file, or --host 127.0.0.1")
        if flags.while_stdin:
            threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
        warming = asyncio.create_task(recognisers.warm_up())
        await stop.wait()
        warming.cancel()
        await asyncio.wait([warming])
    finally:
        await listener.close()
        await recognisers.close()


def _say(line: str) -> None:
    """Write the only line on standard output; raises `UnsaidError` where nobody takes it."""
    try:
        print(line, flush=True)
    except OSError as failed:
        raise UnsaidError(f"cannot write to standard output: {failed.strerror}") from None


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop at the end of standard input.

    It runs in a thread, for standard input may be a file or a terminal, which no loop can watch.
    """
    # Where it can't be read, as where it was closed from the beginning, it is at its end.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    try:
        loop.call_soon_threadsafe(stop.set)
    except RuntimeError:
        # It is stopping already.
        log.debug("stdin.closed_late")
