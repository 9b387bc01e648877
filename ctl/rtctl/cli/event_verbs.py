"""The verbs that stand on the events: ``events``, ``wait`` and ``watch``.

They run until they have what they want, or for ever. Names and conditions are
checked before anything is connected (`objection`), because a wrong name is a
mistake with or without a daemon.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from typing import Any, assert_never

from rtctl.cli import bars, show
from rtctl.cli.output import colored, encoded, is_terminal, nearest, say
from rtctl.client.follow import Back, Event, Gap, Gone, Item, Restarted, Snapshot
from rtctl.client.messages import VERSION
from rtctl.client.requests import TIMEOUT_S
from rtctl.client.sync import Client
from rtvoiced.errors import OK, CommandError, NotRunningError
from rtvoiced.host.paths import runtime_dir
from rtvoiced.ipc.contract.events import EVENTS, State
from rtvoiced.vocabulary import PhaseWord, words, words_of

FIELDS = tuple(each.name for each in fields(State))
TRUTHS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


def objection(options: argparse.Namespace) -> str | None:
    """Return what is wrong with the command, with or without a daemon; None: nothing."""
    if options.command == "events":
        if options.snapshot and options.since is not None:
            return "--snapshot is of now: it goes without --since"
        return next((_unknown_event(name) for name in options.names if name not in EVENTS), None)
    if options.command == "wait":
        return next((bad for each in options.conditions if (bad := _bad_condition(each))), None)
    return None


def print_events(options: argparse.Namespace) -> int:
    """Print events until there were as many as wanted: JSON lines, or readable ones on a terminal."""
    as_json = options.json or not is_terminal(sys.stdout)
    color = colored(options)
    left = options.count
    with _client(options) as client:
        for item in client.events(*options.names, snapshot=options.snapshot, since=options.since):
            if isinstance(item, Gap) and item.since == options.since:
                raise CommandError(
                    "gap_too_old",
                    f"events before {item.until + 1} are gone; the first one left: --since {item.until}",
                    details={"oldest": item.until + 1, "run": item.run},
                )
            say(encoded(as_message(item)) if as_json else line_of(item, time.time(), color), options)
            if left is not None and isinstance(item, Event):
                left -= 1
                if left == 0:
                    break
    return OK


def wait(options: argparse.Namespace) -> int:
    """Wait until every condition holds at once; what held is printed with ``--json`` only."""
    wanted = dict(_condition(each) for each in options.conditions)
    with _client(options) as client:
        for state in _states(client, options.timeout):
            if all(state.get(field) == word for field, word in wanted.items()):
                if options.json:
                    say(encoded(state), options)
                break
    return OK


def watch(options: argparse.Namespace) -> int:
    """Print a line at each change, for ever; the daemon may come and go."""
    shapes: dict[str, Callable[[bars.View], str]] = {
        "plain": lambda view: view.text,
        "polybar": bars.polybar,
        "waybar": lambda view: encoded(bars.waybar(view)),
    }
    shape = shapes["waybar" if options.json else options.format]
    shown = None
    with _client(options) as client:
        state: dict[str, Any] = {}
        seq = 0
        for item in client.events("state", snapshot=True, patient=True):
            match item:
                case Snapshot():
                    state, seq = item.state, item.seq
                case Event() if item.seq > seq:
                    state = item.data
                case Restarted():
                    continue  # Its snapshot follows.
            line = shape(bars.offline(item.reason) if isinstance(item, Gone) else bars.view(state))
            if line != shown:
                say(line, options)
                shown = line
    return OK


def as_message(item: Item) -> dict[str, Any]:
    """Return an item as JSON: an event as it was sent, another one as ``{"gap": …}``, by its name."""
    match item:
        case Event():
            return {
                "v": VERSION,
                "run": item.run,
                "seq": item.seq,
                "n": item.n,
                "time": item.time,
                "mono": item.mono,
                "event": item.name,
                "data": item.data,
            }
        case Gap() | Gone() | Back() | Restarted() | Snapshot():
            return {type(item).__name__.lower(): asdict(item)}


def line_of(item: Item, now: float, color: bool) -> str:
    """Return an item as a line; *now*, Unix seconds, is the time of what is no event."""
    match item:
        case Event():
            return show.event_line(item.name, item.data, item.time, color)
        case Snapshot():
            return show.event_line("snapshot", item.state, now, color)
        case Gap():
            of = f" of {', '.join(item.names)}" if item.names else ""
            text = f"events {item.since + 1} to {item.until}{of} are lost"
        case Gone():
            text = item.reason
        case Back():
            text = "the daemon answers again"
        case Restarted():
            text = f"another daemon answers, run {item.run}"
        case never:
            assert_never(never)
    return show.told_line(type(item).__name__.lower(), text, now, color)


def _states(client: Client, timeout_s: float | None) -> Iterator[dict[str, Any]]:
    seq = 0
    for item in client.events("state", snapshot=True, timeout_s=timeout_s):
        match item:
            case Snapshot():
                seq = item.seq
                yield item.state
            case Event() if item.seq > seq:
                yield item.data
            case Gone(ended=True):
                raise NotRunningError(item.reason)


def _client(options: argparse.Namespace) -> Client:
    directory = runtime_dir(options.runtime_dir, os.environ, system=options.system)
    limit_s = TIMEOUT_S if options.timeout is None else options.timeout
    return Client(directory, limit_s, system=options.system)


def _condition(text: str) -> tuple[str, Any]:
    """Return a right condition as the field and the word that it must have."""
    field, equals, word = text.partition("=")
    if not equals:
        return "conversation", text
    return field, TRUTHS[word] if field in ("muted", "push_to_talk") else word


def _bad_condition(text: str) -> str | None:
    field, equals, word = text.partition("=")
    if not equals:
        if text in words(PhaseWord):
            return None
        return f"{text!r} is neither FIELD=WORD nor one of {', '.join(words(PhaseWord))}"
    if field not in FIELDS:
        return f"the state has no {field!r}; the nearest is {nearest(field, FIELDS)!r}"
    known = ("true", "false") if field in ("muted", "push_to_talk") else words_of(State, field)
    if not known or word in known or (known == ("true", "false") and word in TRUTHS):
        return None
    return f"{field} is never {word!r}; it is one of {', '.join(known)}"


def _unknown_event(name: str) -> str:
    return f"no event is called {name!r}; the nearest is {nearest(name, EVENTS)!r}"
