"""Commands that tell what has happened: what was said, the counters, the events that were sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from rtvoiced.ipc.contract.declaration import Bounds, Option, Verb, command
from rtvoiced.vocabulary import Role

MOST_EVENTS = 500
"""Of one reply to `replay`."""


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One message."""

    item_id: str
    role: Role
    text: str
    heard: str | None
    """Of an answer: the words that were played; None while it still sounds."""


@dataclass(frozen=True, slots=True)
class HistoryReply:
    """The newest messages, oldest first; *more*: there are older ones."""

    items: list[HistoryItem]
    more: bool


@command(
    "history",
    reply=HistoryReply,
    reads=True,
    verb=Verb(
        "show what was said, and which words of an answer were heard",
        "Print what was said, of answers the words that were heard; at most `N` messages, 1 to 500.",
        group="look",
    ),
    args_row="{last} 1 to 500",
    reply_row="{items}, oldest first: `item_id`, `role`, `text`, `heard`? (of an answer: the words that were "
    "played; null while it sounds); {more}: there are older ones",
)
class History:
    """What was said, as text; of answers the words that were heard."""

    last: Annotated[
        int | None,
        Bounds(1, 500),
        Option(metavar="N", help="the last N messages; at most 500", reader="positive"),
    ] = None
    """At most so many items, 1 to 500."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; None while nothing was measured."""

    n: int
    p50: float | None
    p95: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long things took since the start."""

    onset_to_decision: Latency
    decision_to_silence: Latency
    speech_end_to_first_sound: Latency
    first_delta_to_sound: Latency
    mic_to_wire: Latency


@dataclass(frozen=True, slots=True)
class AudioStats:
    """The audio thread's counters."""

    underruns: int
    overruns: int
    late_rounds: int
    dropped_input_ms: int
    target_fill_ms: int


@dataclass(frozen=True, slots=True)
class LinkStats:
    """The link's counters."""

    reconnects: int
    stale_audio_dropped_ms: int


@dataclass(frozen=True, slots=True)
class IpcStats:
    """The sockets' counters."""

    commands: int
    bad_requests: int
    expired: int
    events: int
    subscribers_peak: int


@dataclass(frozen=True, slots=True)
class StatsReply:
    """Counters and latencies since *since*, Unix seconds."""

    since: float
    turns: int
    interrupts: int
    deleted_items: int
    truncates: int
    resumes: int
    false_holds: int
    echo_rejections: int
    latency_ms: Latencies
    audio: AudioStats
    link: LinkStats
    ipc: IpcStats


@command(
    "stats",
    reply=StatsReply,
    reads=True,
    verb=Verb("show counters and latencies since the daemon's start", group="look"),
    reply_row="counters and latencies, as below",
)
class Stats:
    """Counters and latencies since the start."""


@dataclass(frozen=True, slots=True)
class ReplayReply:
    """Whole events, oldest first; *more*: ask again after the last one's ``seq``."""

    events: Annotated[list[dict[str, Any]], Bounds(most_items=MOST_EVENTS)]
    more: bool


@command(
    "replay",
    reply=ReplayReply,
    reads=True,
    args_row="{run}, {since}, {events} (list of names)",
    reply_row="{events}: whole ones with a greater `seq` than `since`, oldest first, at most 500; {more}: "
    "ask again after the last one's `seq`",
)
class Replay:
    """Counted events after *since*, oldest first, at most 500 a reply."""

    run: str
    since: Annotated[int, Bounds(0, 1 << 53)]
    events: tuple[str, ...] | None = None
    """Only those of these names."""


RecordCommand = History | Stats | Replay
