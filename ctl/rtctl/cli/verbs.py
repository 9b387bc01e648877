"""What one can type: the verbs of ``rtctl``, their flags, and the reading of both."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from rtvoiced import __version__

SECONDS_OF_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}
WIDTH = 100
"""Columns of what nobody reads."""
FORMATS = ("plain", "waybar", "polybar")
ACTIONS = ("press", "release", "cancel")
SHELLS = ("bash", "zsh", "fish")
PROVIDERS = ("openai", "azure", "custom", "local")
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

    for add in (
        _add_voice,
        _add_session,
        _add_settings,
        _add_looks,
        _add_followers,
        _add_service,
        _add_looks_beyond,
        _add_own,
    ):
        add(verb)
    return made


def _add_looks(verb: Any) -> None:
    verb("hello", "tell who is there: versions, pid, run")
    verb("status", "show everything that is true now")
    muted = verb("is-muted", "tell whether the microphone is off")
    muted.add_argument(
        "-e", "--exit-status", action="store_true", help="print nothing; exit status 0: muted, 1: not"
    )
    history = verb("history", "show what was said, and which words of an answer were heard")
    history.add_argument("--last", type=_positive, metavar="N", help="the last N messages; at most 500")
    verb("stats", "show counters and latencies since the daemon's start")
    verb("devices", "list the microphones and speakers that there are")


def _add_voice(verb: Any) -> None:
    mute = verb("mute", "switch the microphone off")
    mute.add_argument("mode", nargs="?", choices=("on", "off", "toggle"), default="on", help="default: on")
    mute.add_argument(
        "--for", dest="for_s", type=seconds, metavar="D", help="unmute after 90, 90s, 10m or 2h"
    )
    verb("unmute", "switch the microphone on")
    volume = verb("volume", "tell or set the volume")
    volume.add_argument(
        "percent", nargs="?", type=_volume, metavar="PERCENT|+N|-N", help="0 to 100, or so much more or less"
    )
    verb("interrupt", "silence the assistant now")
    for name, text in (
        ("say", "have the assistant say exactly this"),
        ("ask", "put a text to the assistant"),
    ):
        spoken = verb(name, text)
        spoken.add_argument("text", nargs="+", metavar="TEXT")
        _add_wait(spoken, "until it was heard")
        if name == "say":
            spoken.add_argument(
                "--uninterruptible", action="store_true", help="whoever speaks over it is answered after it"
            )
    talk = verb("talk", "push-to-talk: press, then release to be answered")
    talk.add_argument("action", choices=ACTIONS, help="cancel: forget what was said")


def _add_session(verb: Any) -> None:
    reconnect = verb("reconnect", "open a new session")
    reconnect.add_argument("--fresh", action="store_true", help="one that knows nothing of the conversation")
    _add_wait(reconnect, "until it is up")
    verb("set-voice", "speak with another voice until the daemon ends").add_argument("voice", metavar="VOICE")


def _add_settings(verb: Any) -> None:
    device = verb("set-device", "use another microphone or speaker until the daemon ends")
    device.add_argument("direction", choices=("input", "output"))
    device.add_argument("name", metavar="NAME", help="a part of its name; '' is the system's default")
    change = verb("set", "change a key of the configuration until the daemon ends")
    change.add_argument("key", metavar="KEY", help="section.key")
    change.add_argument("value", metavar="VALUE")
    verb("get", "tell the value of a key of the configuration").add_argument("key", metavar="KEY")
    verb("reload", "have the daemon read its configuration file again")
    verb("stop", "end the daemon")


def _add_followers(verb: Any) -> None:
    events = verb("events", "print events as they come: JSON lines, or readable ones on a terminal")
    events.add_argument("names", nargs="*", metavar="NAME", help="only events of these names")
    events.add_argument("--since", type=_number, metavar="SEQ", help="begin behind this number of the run")
    events.add_argument("--count", type=_positive, metavar="N", help="end after N events")
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
    logs.add_argument("--lines", type=_positive, default=100, metavar="N", help="the last N; default: 100")
    config = verb("config", "print each value of the configuration, and where it came from")
    config.add_argument("--service", action="store_true", help="as the service sees it, not this shell")
    config.add_argument("--path", action="store_true", help="print where the file is, and nothing else")


def _add_own(verb: Any) -> None:
    schema = verb("schema", "print the JSON Schema of one message, or of all")
    schema.add_argument("message", nargs="?", metavar="MESSAGE", help="such as event.state or request.mute")
    verb("completions", "print the shell's completion file").add_argument("shell", choices=SHELLS)


def _add_wait(parser: argparse.ArgumentParser, until: str) -> None:
    parser.add_argument("--wait", action="store_true", help=f"wait {until}; no timeout unless --timeout")


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
        type=_timeout,
        metavar="S",
        help="seconds to wait for an answer; default: 3, and for wait and --wait none",
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


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no event's number")
    return int(text)


def _volume(text: str) -> dict[str, int]:
    """Return the args of `volume`."""
    found = re.fullmatch(r"([+-]?)(\d{1,3})%?", text)
    if not found or int(found[2]) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no volume; write 0 to 100, +N or -N")
    return {"relative" if found[1] else "percent": int(found[1] + found[2])}
