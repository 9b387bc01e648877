"""The command ``rtctl``: arguments, exit status, and nothing that makes it start slowly."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from typing import Any

from rtctl.client import Client
from rtvoice import __version__
from rtvoice.errors import (
    INTERNAL,
    INTERRUPTED,
    OK,
    STATUS_OF_CODE,
    USAGE,
    CommandError,
    ConfigError,
    NotRunningError,
    PermissionRefusedError,
    RtvoiceError,
)
from rtvoice.paths import check_runtime_dir_of_daemon, runtime_dir

TIMEOUT_S = 3.0
SECONDS_OF_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}
CODE_OF_ERROR: dict[type[RtvoiceError], str] = {
    NotRunningError: "not_running",
    PermissionRefusedError: "no_permission",
    ConfigError: "bad_configuration",
}
"""What ``--json`` calls the errors that no daemon sent."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status of docs/ipc.md."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An old locale is no reason for a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parse(words)
        if isinstance(options, int):
            return options
        try:
            return _run(options)
        except RtvoiceError as error:
            return _tell(error, options.json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has what it wanted (`rtctl events | head -1`): Python's flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OK


def _run(options: argparse.Namespace) -> int:
    if options.runtime_dir is not None and options.system:
        return _misused("--runtime-dir and --system exclude each other", options.json)
    # Told before the connect: a wrong name is a mistake with or without a daemon.
    if options.command == "events" and (problem := _unknown_event(options.names)):
        return _misused(problem, options.json)
    directory = runtime_dir(options.runtime_dir, os.environ, system=options.system)
    check_runtime_dir_of_daemon(directory, options.system)
    client = Client(directory, options.timeout)
    if options.command == "events":
        return _follow(client, options)
    command, args = _wire(options)
    data = client.request(command, args)
    if options.quiet:
        return OK
    if options.json:
        _say(_json(data))
        return OK
    from rtctl import show

    if command == "status":
        _say(show.status_screen(data, time.time(), _colored(options)))
    else:
        _say(show.line_of(command, data, time.time()))
    return OK


def _follow(client: Client, options: argparse.Namespace) -> int:
    """Print events until there were as many as wanted: JSON lines, or readable ones on a terminal."""
    from rtctl.show import event_line

    as_json = options.json or not _is_terminal(sys.stdout)
    color = _colored(options)
    for number, event in enumerate(client.follow(options.names), 1):
        if not options.quiet:
            _say(_json(event) if as_json else event_line(event, color))
        if number == options.count:
            break
    return OK


def _wire(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the command and its args as the daemon takes them."""
    match options.command:
        case "mute":
            args = {"mode": options.mode}
            return "mute", args if options.for_s is None else {**args, "for_s": options.for_s}
        case "unmute":
            return "mute", {"mode": "off"}
        case "ask":
            return "ask", {"text": " ".join(options.text)}
        case "reconnect":
            return "reconnect", {"fresh": options.fresh}
        case "set-voice":
            return "set-voice", {"voice": options.voice}
        case command:
            return str(command), {}


def _parse(words: list[str]) -> argparse.Namespace | int:
    """Return the options; or the exit status, once the help, the version or the mistake is told."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            return _parser().parse_args(words)
    except SystemExit as end:
        if end.code == OK:
            return OK
        # argparse tells the usage, then "rtctl mute: error: …": the mistake alone is what helps.
        problem = told.getvalue().rstrip().partition("error: ")[2]
        return _misused(f"{problem}; see rtctl --help", "--json" in words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "rtctl", description="Control rtvoiced, the voice daemon.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"rtctl {__version__}")
    _add_globals(parser, {"runtime_dir": None, "system": False, "timeout": TIMEOUT_S})
    parser.set_defaults(json=False, quiet=False, color="auto")
    verbs = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
        )
        _add_globals(made, {})
        return made

    verb("hello", "tell who is there: versions, pid, run")
    verb("status", "show everything that is true now")
    mute = verb("mute", "switch the microphone off")
    mute.add_argument("mode", nargs="?", choices=("on", "off", "toggle"), default="on", help="default: on")
    mute.add_argument(
        "--for", dest="for_s", type=seconds, metavar="D", help="unmute after 90, 90s, 10m or 2h"
    )
    verb("unmute", "switch the microphone on")
    verb("interrupt", "silence the assistant now")
    verb("ask", "put a text to the assistant").add_argument("text", nargs="+", metavar="TEXT")
    fresh = verb("reconnect", "open a new session")
    fresh.add_argument("--fresh", action="store_true", help="one that knows nothing of the conversation")
    verb("set-voice", "speak with another voice until the daemon ends").add_argument("voice", metavar="VOICE")
    verb("stop", "end the daemon")
    events = verb("events", "print events as they come: JSON lines, or readable ones on a terminal")
    events.add_argument("names", nargs="*", metavar="NAME", help="only events of these names")
    events.add_argument("--count", type=_positive, metavar="N", help="end after N events")
    return parser


def _add_globals(parser: argparse.ArgumentParser, defaults: dict[str, Any]) -> None:
    """Add the flags that stand before or behind the command.

    Behind it they have no default, which would overwrite what stood before.
    """

    def add(*names: str, **kind: Any) -> None:
        parser.add_argument(*names, default=argparse.SUPPRESS, **kind)

    add("--runtime-dir", metavar="DIR", help="where the daemon's sockets are")
    add("--system", action="store_true", help="talk to the system's service")
    add(
        "--timeout", type=_timeout, metavar="S", help=f"seconds to wait for an answer; default: {TIMEOUT_S:g}"
    )
    add("--json", action="store_true", help="print JSON, errors too")
    add("-q", "--quiet", action="store_true", help="print nothing but errors")
    add("--color", choices=("auto", "always", "never"), help="default: auto, on a terminal")
    parser.set_defaults(**defaults)


def seconds(text: str) -> float:
    """Return a duration in seconds: ``90``, ``90s``, ``10m``, ``2h``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 90, 90s, 10m or 2h")
    return float(found[1]) * SECONDS_OF_UNIT[found[2]]


def _timeout(text: str) -> float:
    value = seconds(text)
    # poll() takes milliseconds as a C int; a day is more than anybody waits.
    if value > 86400:
        raise argparse.ArgumentTypeError("at most a day")
    return value


def _positive(text: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d{0,17}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _unknown_event(names: Sequence[str]) -> str | None:
    """Return what is wrong with the first of *names* that is no event's, or None."""
    if not names:
        return None
    from difflib import get_close_matches

    from rtvoice.ipc.events import EVENTS

    for name in names:
        if name not in EVENTS:
            near = get_close_matches(name, EVENTS, 1, 0)[0]
            return f"no event is called {name!r}; the nearest is {near!r}"
    return None


def _tell(error: RtvoiceError, as_json: bool) -> int:
    """Tell an error in one line (stderr) or as one JSON object (stdout); return its exit status."""
    if isinstance(error, CommandError):
        code, status = error.code, STATUS_OF_CODE.get(error.code, INTERNAL)
        wire = {"code": code, "message": str(error), "retryable": error.retryable, "details": error.details}
    else:
        code, status = CODE_OF_ERROR.get(type(error), "internal"), error.status
        wire = {"code": code, "message": str(error), "retryable": False, "details": {}}
    if as_json:
        _say(_json({"ok": False, "error": wire}))
    else:
        line = "".join(char if char.isprintable() else " " for char in str(error))
        print(f"rtctl: {line}", file=sys.stderr)
    return status


def _misused(problem: str, as_json: bool) -> int:
    if as_json:
        wire = {"code": "usage", "message": problem, "retryable": False, "details": {}}
        _say(_json({"ok": False, "error": wire}))
    else:
        print(f"rtctl: {problem}", file=sys.stderr)
    return USAGE


def _json(message: dict[str, Any]) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return json.dumps(message, ensure_ascii=encoding.lower().replace("-", "") != "utf8")


def _say(text: str) -> None:
    """Print a line at once: a bar or a pipe behind us waits for it."""
    print(text, flush=True)


def _colored(options: argparse.Namespace) -> bool:
    if options.color == "auto":
        return (
            _is_terminal(sys.stdout) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
    return bool(options.color == "always")


def _is_terminal(stream: Any) -> bool:
    # Python sets a stream that was closed before the start (`>&-`) to None.
    return stream is not None and bool(stream.isatty())


if __name__ == "__main__":
    sys.exit(main())
