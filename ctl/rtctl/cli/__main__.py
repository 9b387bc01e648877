"""The entry of ``rtctl``: it runs one verb, prints what came of it, and returns the exit status.

The verbs that are commands of the daemon go one way: typed words, request,
reply, a line or a screen (`rtctl.cli.show`) or JSON. The others are handed to
the module that does them. Errors are told once, in a line on standard error
or, with ``--json``, as one object on standard output; their exit statuses are
those of docs/ipc.md. What is slow to import is imported where it is used.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rtctl.cli.generated_verbs import VERBS
from rtctl.cli.output import colored, encoded, nearest, put, say
from rtctl.cli.verbs import parser
from rtctl.client.requests import TIMEOUT_S, DaemonRequests
from rtvoiced.errors import (
    INTERNAL,
    INTERRUPTED,
    NO,
    OK,
    STATUS_OF_CODE,
    USAGE,
    AlreadyRunningError,
    CommandError,
    ConfigError,
    NotRunningError,
    PermissionRefusedError,
    RtvoiceError,
    ServiceError,
)
from rtvoiced.host.paths import runtime_dir

CODE_OF_ERROR: dict[type[RtvoiceError], str] = {
    NotRunningError: "not_running",
    PermissionRefusedError: "no_permission",
    ConfigError: "bad_configuration",
    ServiceError: "service",
    AlreadyRunningError: "already_running",
}
"""What ``--json`` calls the errors that no daemon sent."""


class UsageError(Exception):
    """What was typed makes no sense, whether there is a daemon or not."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status of docs/ipc.md."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An old locale is no reason for a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run_words(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has what it wanted (`rtctl events | head -1`): Python's flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OK


def _run_words(words: list[str]) -> int:
    """Read and run *words*; print what went wrong, and return the exit status."""
    try:
        options = _parse(words)
    except UsageError as error:
        return _print_misuse(str(error), "--json" in words)
    if options is None:
        return OK
    try:
        return _run(options)
    except UsageError as error:
        return _print_misuse(str(error), options.json)
    except RtvoiceError as error:
        return _print_error(error, options.json)


def _parse(words: list[str]) -> argparse.Namespace | None:
    """Return the options; None once the help or the version is told."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            if _is_plain(words):
                with contextlib.suppress(SystemExit):
                    return parser(words).parse_args(words)
                told.truncate(told.seek(0))  # The mistake is told by who knows every verb.
            return parser().parse_args(words)
    except SystemExit as end:
        if end.code == OK:
            return None
        # argparse tells the usage, then "rtctl mute: error: …": the mistake alone is what helps.
        problem = told.getvalue().rstrip().partition("error: ")[2]
        raise UsageError(f"{problem}; see rtctl --help") from None


def _is_plain(words: list[str]) -> bool:
    """Return whether *words* may be read without knowing every verb: nobody asks for a help."""
    return bool(words) and not {"-h", "--help", "--version"}.intersection(words)


def _run(options: argparse.Namespace) -> int:
    """Do what was typed and return the exit status; raises `UsageError` or an expected error."""
    if options.runtime_dir is not None and options.system:
        raise UsageError("--runtime-dir and --system exclude each other")
    if options.runtime_dir is not None and options.command in ("service", "logs"):
        raise UsageError(f"{options.command} goes without --runtime-dir: the service has its own")
    match options.command:
        case "schema" | "completions":
            return _print_shipped(options)
        case "events" | "wait" | "watch":
            return _follow(options)
        case "service":
            return _manage_service(options)
        case "doctor" | "logs" | "config":
            return _look_beyond(options)
    command, args = VERBS[options.command].request(options)
    directory = runtime_dir(options.runtime_dir, os.environ, system=options.system)
    with DaemonRequests(directory, system=options.system) as daemon:
        data = daemon.request(command, args, _limit_s(options)).data
    if options.command == "is-muted":
        return _answer_muted(data, options)
    if options.json:
        say(encoded(data), options)
    elif not options.quiet:
        from rtctl.cli import show

        say(show.screen(command, args, data, time.time(), colored(options)), options)
    return OK


def _limit_s(options: argparse.Namespace) -> float | None:
    """Return how many seconds the command may take; None: for ever."""
    if options.timeout is None:
        return None if getattr(options, "wait", False) else TIMEOUT_S
    return float(options.timeout)


def _follow(options: argparse.Namespace) -> int:
    from rtctl.cli import event_verbs

    # Told before the connect: a wrong name is a mistake with or without a daemon.
    if problem := event_verbs.objection(options):
        raise UsageError(problem)
    match options.command:
        case "events":
            return event_verbs.print_events(options)
        case "wait":
            return event_verbs.wait(options)
        case _:
            return event_verbs.watch(options)


def _manage_service(options: argparse.Namespace) -> int:
    from rtctl.service import actions

    if problem := actions.objection(options):
        raise UsageError(problem)
    return actions.run(options)


def _look_beyond(options: argparse.Namespace) -> int:
    from rtctl.service import views

    match options.command:
        case "doctor":
            return views.doctor(options)
        case "logs":
            return views.logs(options)
        case _:
            return views.config(options)


def _print_shipped(options: argparse.Namespace) -> int:
    from pathlib import Path

    if options.command == "completions":
        file = {"bash": "rtctl.bash", "zsh": "_rtctl", "fish": "rtctl.fish"}[options.shell]
        text = (Path(__file__).with_name("completions") / file).read_text("utf-8")
        say(encoded({"shell": options.shell, "text": text}) if options.json else text.rstrip("\n"), options)
        return OK
    from rtvoiced.ipc.contract.schema import schemas

    known = schemas()
    name = options.message
    if name is not None and name not in known:
        raise UsageError(f"no message is called {name!r}; the nearest is {nearest(name, known)!r}")
    say(json.dumps(known if name is None else known[name], indent=2), options)
    return OK


def _answer_muted(data: Mapping[str, Any], options: argparse.Namespace) -> int:
    muted = data.get("muted") is True
    if options.exit_status:
        return OK if muted else NO
    say(encoded({"muted": muted}) if options.json else ("muted" if muted else "not muted"), options)
    return OK


def _print_error(error: RtvoiceError, as_json: bool) -> int:
    """Print an error in one line (stderr) or as one JSON object (stdout); return its exit status."""
    if isinstance(error, CommandError):
        code, status = error.code, STATUS_OF_CODE.get(error.code, INTERNAL)
        wire = {"code": code, "message": str(error), "retryable": error.retryable, "details": error.details}
    else:
        code, status = CODE_OF_ERROR.get(type(error), "internal"), error.status
        wire = {"code": code, "message": str(error), "retryable": False, "details": {}}
    if as_json:
        put(encoded({"ok": False, "error": wire}))
    else:
        line = "".join(char if char.isprintable() else " " for char in str(error))
        print(f"rtctl: {line}", file=sys.stderr)
    return status


def _print_misuse(problem: str, as_json: bool) -> int:
    """Print what was typed wrongly, as `_print_error` does; return the exit status."""
    if as_json:
        wire = {"code": "usage", "message": problem, "retryable": False, "details": {}}
        put(encoded({"ok": False, "error": wire}))
    else:
        print(f"rtctl: {problem}", file=sys.stderr)
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
