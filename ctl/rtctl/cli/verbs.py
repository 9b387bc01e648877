"""What one can type: the verbs of ``rtctl`` with their flags, as an argparse parser.

The verbs that are commands of the daemon are made from the commands'
declarations (`rtctl.cli.generated_verbs`); those that rtctl has for itself
stand here: following events, the service, schemas and completions. All verbs
take the flags of `_add_globals`, in front of the verb or behind it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from rtctl.cli import readers
from rtctl.cli.generated_verbs import PROVIDERS, VERBS
from rtvoiced import __version__

WIDTH = 100
"""Columns of what nobody reads."""
FORMATS = ("plain", "waybar", "polybar")
SHELLS = ("bash", "zsh", "fish")
SERVICE_ACTIONS = ("install", "uninstall", "start", "stop", "restart", "status", "print")


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of the whole command line; of *words* alone, where they name verbs.

    All verbs with their flags take 10 ms to make, a key binding needs one:
    the verb that is meant is among the words, whatever the others are.
    """
    named = set(words)
    # A formatter is made for every argument; without a width it imports shutil and asks the terminal.
    quick = partial(argparse.HelpFormatter, width=WIDTH) if words else argparse.HelpFormatter
    made = argparse.ArgumentParser(
        "rtctl",
        formatter_class=quick,
        description="Control rtvoiced, the voice daemon.",
        epilog="Exit status: 0 ok, 1 no, 65 bad argument, 69 no daemon, 75 timeout; see rtctl(1).",
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"rtctl {__version__}")
    _add_globals(made, {"runtime_dir": None, "system": False, "timeout": None})
    made.set_defaults(json=False, quiet=False, color="auto")
    verbs = made.add_subparsers(dest="command", metavar="COMMAND", required=True, prog="rtctl")

    # Takes the flags of the verbs that are not meant.
    unread = argparse.ArgumentParser(add_help=False, formatter_class=quick, conflict_handler="resolve")

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        if words and name not in named:
            return unread
        told = f"{text[0].upper()}{text[1:]}."
        added = verbs.add_parser(name, help=text, description=told, allow_abbrev=False, formatter_class=quick)
        _add_globals(added, {})
        return added

    for name, each in VERBS.items():
        if not words or name in named:
            each.add_to(verb(name, each.help))
    for add in (_add_followers, _add_service, _add_looks_beyond, _add_own):
        add(verb)
    return made


def _add_followers(verb: Any) -> None:
    events = verb("events", "print events as they come: JSON lines, or readable ones on a terminal")
    events.add_argument("names", nargs="*", metavar="NAME", help="only events of these names")
    events.add_argument(
        "--since", type=readers.sequence_number, metavar="SEQ", help="begin behind this number of the run"
    )
    events.add_argument("--count", type=readers.positive, metavar="N", help="end after N events")
    events.add_argument("--snapshot", action="store_true", help="first print everything that is true")
    wait = verb("wait", "wait until all conditions hold at once")
    wait.add_argument(
        "conditions",
        nargs="+",
        metavar="CONDITION",
        help="FIELD=WORD of the state event, such as connection=up, or the conversation's word",
    )
    watch = verb("watch", "print a line at each change, for a status bar; never ends by itself")
    watch.add_argument("--format", choices=FORMATS, default="plain", help="default: plain")


def _add_service(verb: Any) -> None:
    service = verb("service", "have rtvoiced start at login and restart by itself; see it, end it")
    service.add_argument("action", choices=SERVICE_ACTIONS)
    service.add_argument("--provider", choices=PROVIDERS, help="install, print: the server to talk to")
    service.add_argument(
        "--hardened", action="store_true", help="install, print: with less of the machine in its reach"
    )
    service.add_argument("--new-key", action="store_true", help="install: ask for a key even if one is there")
    service.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")


def _add_looks_beyond(verb: Any) -> None:
    doctor = verb("doctor", "look at all that a conversation needs, and say what to do")
    doctor.add_argument("--sound", action="store_true", help="play a chime, and listen for it")
    logs = verb("logs", "print the service's log")
    logs.add_argument("-f", "--follow", action="store_true", help="and what comes")
    logs.add_argument(
        "--lines", type=readers.positive, default=100, metavar="N", help="the last N; default: 100"
    )
    config = verb("config", "print each value of the configuration, and where it came from")
    config.add_argument("--service", action="store_true", help="as the service sees it, not this shell")
    config.add_argument("--path", action="store_true", help="print where the file is, and nothing else")


def _add_own(verb: Any) -> None:
    schema = verb("schema", "print the JSON Schema of one message, or of all")
    schema.add_argument("message", nargs="?", metavar="MESSAGE", help="such as event.state or request.mute")
    verb("completions", "print the shell's completion file").add_argument("shell", choices=SHELLS)


def _add_globals(parser: argparse.ArgumentParser, defaults: dict[str, Any]) -> None:
    """Add the flags that stand before or behind the command.

    Behind it they have no default, which would overwrite what stood before.
    """

    def add(*names: str, **kind: Any) -> None:
        parser.add_argument(*names, default=argparse.SUPPRESS, **kind)

    add("--runtime-dir", metavar="DIR", help="where the daemon's sockets are")
    add("--system", action="store_true", help="talk to the system's service")
    add(
        "--timeout",
        type=readers.timeout,
        metavar="S",
        help="seconds to wait for an answer; default: 3, and for wait and --wait none",
    )
    add("--json", action="store_true", help="print JSON, errors too")
    add("-q", "--quiet", action="store_true", help="print nothing but errors")
    add("--color", choices=("auto", "always", "never"), help="default: auto, on a terminal")
    parser.set_defaults(**defaults)
