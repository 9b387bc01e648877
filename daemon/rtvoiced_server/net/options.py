"""How the server behaves, and misbehaves, on a connection: by flags, and by the query of its URL.

Each switch stands once, in `SWITCHES`: from it come the flag of the command line
(`add_to`, `by_flags`) and the parameter of the query (`by_query`), which wins. What
a quirk does to the events stands in `rtvoiced_server.net.faults`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.net.refusals import SocketClose, refusal
from rtvoiced_server.speech.sentences import DELTA_MS

LIFETIME_S = 3_600.0
"""Until a session expires: 60 minutes, as with the real server."""
BURST = 5.0
"""How many times faster than it plays the audio is sent; recorded of the real server: 4 to 10."""
FALSE, TRUE = ("0", "false", "no"), ("", "1", "true", "yes")


class Quirk(StrEnum):
    """What some other server does differently from OpenAI's."""

    STRING_ERROR = "string-error"
    PING = "ping"
    NO_EVENT_ID = "no-event-id"
    EARLY_DONE = "early-done"
    NO_CREATED = "no-created"
    MODEL_LOAD_ERROR = "model-load-error"
    UNKNOWN_EVENTS = "unknown-events"
    TRANSCRIPTION_FAILED = "transcription-failed"
    BETA_DISABLED = "beta-disabled"


QUIRKS = {
    Quirk.STRING_ERROR: "error events hold a string in place of an object (vLLM)",
    Quirk.PING: "events of type ping come, the first at once (xAI)",
    Quirk.NO_EVENT_ID: "no event has an event_id",
    Quirk.EARLY_DONE: "at an interruption the answer ends before speech_started comes (Hugging Face)",
    Quirk.NO_CREATED: "no response.created",
    Quirk.MODEL_LOAD_ERROR: "an error in place of session.created, and the connection is lost (LocalAI)",
    Quirk.UNKNOWN_EVENTS: "events of types that nobody knows come in between",
    Quirk.TRANSCRIPTION_FAILED: "every transcription of the user's words fails",
    Quirk.BETA_DISABLED: "clients of the beta protocol are closed with 4000, as OpenAI does since May 2026",
}
"""What each quirk does, for people."""


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How one connection behaves; the defaults are a good server's."""

    late_deltas: int = 0
    """How many audio deltas still come after a response was cancelled."""
    speed: float = BURST
    """How many times faster than it plays audio is sent."""
    session_cap: float = LIFETIME_S
    """Seconds until the session expires."""
    drop_after: float | None = None
    """Seconds until the connection is lost without a word; None: never."""
    refuse: int | SocketClose | None = None
    """An HTTP status, or how the connection is closed once it is open; None: let in."""
    no_done: bool = False
    """Whether there is no ``response.done`` after a cancel (Qwen)."""
    latency: float = 0.0
    """Milliseconds by which every event comes later."""
    seed: str | None = None
    """What the ids and all that is random are drawn from; None: they never come again."""
    delta_bytes: int = WIRE.size(DELTA_MS)
    """Bytes of PCM at 24 kHz in one audio delta, at most."""
    quirks: frozenset[Quirk] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class OptionSwitch:
    """A field of `ConnectionOptions` as a flag and as a parameter of the query."""

    field: str
    read: Callable[[str], Any]
    """Raises ValueError, whose text says what it wants."""
    metavar: str
    help: str


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number from *low* to *high*."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
            raise ValueError(f"wants a whole number from {low} to {high}")
        return int(text)

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """Return what reads a number from *low* to *high*."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"wants a number from {low:g} to {high:g}")
        return value

    return read


def truth(text: str) -> bool:
    """Read whether a switch of the query is on: its name alone is enough."""
    if text.lower() not in FALSE + TRUE:
        raise ValueError("wants 1 or 0")
    return text.lower() in TRUE


def seed(text: str) -> str:
    """Read a seed: any number."""
    return str(whole(0, 2**63 - 1)(text))


def quirk(text: str) -> Quirk:
    """Read the name of a quirk."""
    try:
        return Quirk(text)
    except ValueError:
        raise ValueError(f"wants one of {', '.join(Quirk)}") from None


SWITCHES = (
    OptionSwitch(
        "speed",
        number(0.1, 1_000),
        "X",
        f"send audio X times faster than it plays; 1 is real time (default: {BURST:g})",
    ),
    OptionSwitch(
        "delta_bytes",
        whole(1, 16 << 20),
        "N",
        f"bytes of PCM in one audio delta, odd numbers too (default: {WIRE.size(DELTA_MS)})",
    ),
    OptionSwitch("latency", number(0, 10_000), "MS", "every event comes that much later, in order"),
    OptionSwitch(
        "session_cap", number(0.1, 86_400), "S", f"the session expires then (default: {LIFETIME_S:g})"
    ),
    OptionSwitch(
        "drop_after", number(0, 86_400), "S", "lose the connection then, without a close frame: code 1006"
    ),
    OptionSwitch(
        "refuse",
        refusal,
        "CODE",
        "let nobody in: an HTTP status (401), a close code after the upgrade (1013), "
        "or an error code (insufficient_quota)",
    ),
    OptionSwitch(
        "late_deltas",
        whole(0, 1_000),
        "N",
        "after a cancel, N more audio deltas before the response's end",
    ),
    OptionSwitch("no_done", truth, "", "no response.done after a cancel, as Qwen does"),
    OptionSwitch("seed", seed, "N", "the same ids and the same accidents in every run"),
    OptionSwitch("quirks", quirk, "NAME", "be as some other server is, repeatable; the names are below"),
)
PARAMETERS = {"quirk" if switch.field == "quirks" else switch.field: switch for switch in SWITCHES}
"""The switches by the names of their parameters in the query."""


class BadParameterError(Exception):
    """A parameter of the query can't be read."""

    def __init__(self, name: str, wants: str, text: str) -> None:
        super().__init__(f"Invalid value for '{name}': it {wants}, not '{text}'.")
        self.name = name


def by_query(options: ConnectionOptions, query: Mapping[str, Sequence[str]]) -> ConnectionOptions:
    """Return *options* as a connection's *query* changes them, or raise BadParameterError.

    Of several values the last counts; quirks add up, and take the place of those of the flags.
    """
    return replace(
        options,
        **{
            switch.field: _read(name, switch, query[name])
            for name, switch in PARAMETERS.items()
            if name in query
        },
    )


def _read(name: str, switch: OptionSwitch, texts: Sequence[str]) -> Any:
    read = []
    for text in texts:
        try:
            read.append(switch.read(text))
        except ValueError as wants:
            raise BadParameterError(name, str(wants), text[:60]) from None
    return frozenset(read) if switch.field == "quirks" else read[-1]


def add_to(group: argparse._ArgumentGroup) -> None:
    """Add a flag for each switch."""
    for name, switch in PARAMETERS.items():
        flag = f"--{name.replace('_', '-')}"
        if switch.read is truth:
            group.add_argument(flag, dest=switch.field, action="store_true", help=switch.help)
            continue
        action = "append" if switch.field == "quirks" else "store"
        group.add_argument(
            flag,
            dest=switch.field,
            action=action,
            type=argument(switch.read),
            metavar=switch.metavar,
            help=switch.help,
        )


def by_flags(flags: argparse.Namespace) -> ConnectionOptions:
    """Return the options that the flags of `add_to` gave."""
    given = {each.name: getattr(flags, each.name) for each in fields(ConnectionOptions)}
    kept = {name: value for name, value in given.items() if value is not None}
    return replace(ConnectionOptions(), **kept | {"quirks": frozenset(kept.get("quirks", ()))})


def argument(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return what reads the value of a flag by *read*, with argparse's error where *read* refuses."""

    def checked(text: str) -> Any:
        try:
            return read(text)
        except ValueError as wants:
            raise argparse.ArgumentTypeError(f"{wants}, not {text!r}") from None

    return checked
