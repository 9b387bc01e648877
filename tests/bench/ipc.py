"""Measures the IPC of a whole daemon (`make bench`); ``--short`` tries it out and writes nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq

from bench.counting import counting
from bench.table import Row, machine, printed, write
from rtvoiced.host.paths import events_socket
from rtvoiced.ipc.contract.events import Delta
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.ipc.server.sockets import Context
from support.flooding import Flood, flooding
from support.listening import gaps_ms, loud
from support.measuring import asking, percentile
from support.running import Running, eventually, room
from support.small_daemon import SmallDaemon, run_small
from support.virtual_card import RECORD_HZ, Recording, VirtualCard, available, virtual_card

EVENTS_PER_S = 2_000.0
SUBSCRIBERS = 10
IDLE = 100
SPEECH_S = 3.0
HEARD_S = 1.0
"""How much of an answer sounds before it is interrupted."""
QUIET_S = 0.25


@dataclass(frozen=True)
class Size:
    """How much of each is done."""

    commands: int
    seconds: int
    publishes: int
    processes: int
    answers: int


WHOLE = Size(commands=5_000, seconds=10, publishes=20_000, processes=40, answers=10)
SHORT = Size(commands=500, seconds=2, publishes=2_000, processes=4, answers=2)


@contextmanager
def speaking_daemon(*words: str) -> Iterator[tuple[Running, Flood]]:
    """Yield a daemon that is connected to a server of ours."""
    with flooding() as flood, room() as here:
        chosen = [word.format(here.path) for word in words]
        with Running(here, "--url", flood.url, "--log-level", "error", *chosen) as running:
            running.until(connection="up")
            yield running, flood


def round_trips(size: Size) -> list[Row]:
    """Time commands on a warm connection while the daemon speaks."""
    rows = []
    with speaking_daemon("--audio", "wav:,{0}/out.wav") as (running, flood):
        flood.speech(120.0, "resp_1")
        flood.done()
        running.wait("playback", status="started")
        with asking(running.room.run) as asker:
            for command in ("status", "mute"):
                asker.took_ms.clear()
                for _ in range(size.commands):
                    asker.ask(command)
                took = list(asker.took_ms)
                kept = percentile(took, 50) <= 0.5 and percentile(took, 99) <= 5
                name = f"`{command}` on a warm connection, while speaking"
                rows.append(Row(name, "ms", "median ≤ 0.5, p99 ≤ 5", took, kept))
            assert asker.ask("status")["data"]["conversation"] == "speaking"
    return rows


def deliveries(size: Size) -> list[Row]:
    """Send events to ten subscribers as fast as they are wanted, and count them."""
    wanted = int(EVENTS_PER_S * size.seconds)
    with (
        speaking_daemon("--audio", "none") as (running, flood),
        counting(running.room.run, SUBSCRIBERS) as subscribers,
        asking(running.room.run) as asker,
    ):
        flood.words(wanted, EVENTS_PER_S)
        flood.done()
        eventually(lambda: asker.ask("hello")["seq"] >= wanted)
        asker.ask("mute")
        last = asker.ask("hello")["seq"]
        count = subscribers.count()
    lost = [float(last - first + 1 - got) for first, got in zip(count.first, count.events, strict=True)]
    rate = max(count.events) / count.seconds
    name = f"{SUBSCRIBERS} subscribers, {wanted} events at {rate:.0f}/s:"
    return [
        Row(f"{name} lost by each", "events", "0", lost, max(lost) == 0 and rate > 0.95 * EVENTS_PER_S),
        Row(f"{name} published until read", "ms", "", count.late_ms),
    ]


def publishes(size: Size) -> list[Row]:
    """Time single publishes in an asyncio loop, with a subscriber that reads them."""
    took: list[float] = []

    async def scenario(daemon: SmallDaemon) -> None:
        context: Context = zmq.Context()
        with context.socket(zmq.SUB) as sub:
            sub.set(zmq.RCVHWM, 0)
            sub.subscribe("")
            sub.connect(f"ipc://{events_socket(daemon.directory)}")
            await asyncio.to_thread(sub.recv_multipart)  # Its welcome.
            await _publish(daemon.publisher, size.publishes, took)
        context.term()

    complaints = run_small(scenario)
    assert complaints == []
    return [Row("one publish in the daemon's loop", "µs", "median ≤ 25", took, percentile(took, 50) <= 25)]


async def _publish(publisher: Publisher, count: int, took_us: list[float]) -> None:
    """Publish as fast as an answer's words come at most: 2,000 a second."""
    for number in range(count):
        event = Delta("resp_1", "item_1", "some words ")
        begun = time.perf_counter()
        publisher.publish(event)
        took_us.append((time.perf_counter() - begun) * 1e6)
        if number % 20 == 0:
            await asyncio.sleep(0.01)


def processes(size: Size) -> list[Row]:
    """Time `rtctl mute` as a whole process and a bare Python, in turn."""
    took: dict[str, list[float]] = {"python": [], "rtctl": []}
    with speaking_daemon("--audio", "none") as (running, _):
        rtctl = str(Path(sys.executable).with_name("rtctl"))
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "rtctl": [rtctl, "--runtime-dir", str(running.room.run), "-q", "mute"],
        }
        for _ in range(size.processes):
            for name, command in commands.items():
                begun = time.perf_counter()
                subprocess.run(command, check=True, env=running.room.environment())
                took[name].append((time.perf_counter() - begun) * 1000)
    more = [one - other for one, other in zip(took["rtctl"], took["python"], strict=True)]
    return [
        Row("`python -c pass`", "ms", "", took["python"]),
        Row("`rtctl mute` as a process", "ms", "", took["rtctl"]),
        Row("`rtctl mute` beyond `python -c pass`", "ms", "median ≤ 60", more, percentile(more, 50) <= 60),
    ]


# A hundred idle subscribers


@dataclass(frozen=True)
class Heard:
    """What a listener heard of an answer that was interrupted."""

    silence_ms: float
    """From the command's start until the last audible sample."""
    gaps_ms: float
    """All silences inside of it."""


def idle_subscribers(size: Size) -> list[Row]:
    """Interrupt answers on a virtual card, by turns with a hundred idle subscribers and with none."""
    if not available():
        print("no pulseaudio here: the idle subscribers are not measured", file=sys.stderr)
        return []
    heard: dict[int, list[Heard]] = {0: [], IDLE: []}
    with virtual_card() as card, flooding() as flood, room() as here:
        environ = {name: value for name, value in card.env.items() if name != "HOME"}
        words = ("--url", flood.url, "--log-level", "error")
        with Running(here, *words, environ=environ) as running:
            running.until(connection="up", input="open", output="open")
            # The first answer teaches the daemon how much this card has to hold.
            _interrupted(running, flood, card, "resp_warm")
            for number in range(size.answers):
                heard[0].append(_interrupted(running, flood, card, f"resp_{number}_alone"))
                with counting(here.run, IDLE):
                    heard[IDLE].append(_interrupted(running, flood, card, f"resp_{number}_idle"))
    return [
        *_compared(heard, lambda each: each.silence_ms, "silence after `interrupt`"),
        *_compared(heard, lambda each: each.gaps_ms, "gaps in an answer"),
    ]


def _compared(heard: dict[int, list[Heard]], value: Callable[[Heard], float], name: str) -> list[Row]:
    alone, idle = ([value(each) for each in heard[number]] for number in (0, IDLE))
    # What differs less than the answers alone do among themselves can't be measured.
    spread = max(alone) - min(alone)
    kept = abs(percentile(idle, 50) - percentile(alone, 50)) <= max(spread, 1.0)
    return [
        Row(f"{name}, no subscribers", "ms", "", alone),
        Row(f"{name}, {IDLE} idle subscribers", "ms", "the same", idle, kept),
    ]


def _interrupted(running: Running, flood: Flood, card: VirtualCard, response: str) -> Heard:
    with card.record() as recording:
        begin, after = len(recording), running.seq
        flood.speech(SPEECH_S, response)
        flood.done()
        running.wait("playback", after=after, status="started")
        _recorded(recording, HEARD_S)
        sent_at = time.monotonic()
        assert running.data("interrupt")["interrupted"]
        _recorded(recording, QUIET_S)
    audible = loud(recording.samples[begin:]) + begin
    onset, end = int(audible[0]), int(audible[-1])
    silence_ms = (recording.time_of(end) - sent_at) * 1000
    return Heard(silence_ms, sum(gaps_ms(recording.samples[onset : end + 1])))


def _recorded(recording: Recording, seconds: float) -> None:
    enough = len(recording) + seconds * RECORD_HZ
    eventually(lambda: len(recording) >= enough)


def main() -> int:
    """Measure all, print the table, write the page; 1 where a target is missed."""
    short = "--short" in sys.argv
    size = SHORT if short else WHOLE
    rows: list[Row] = []
    for measure in (publishes, round_trips, deliveries, processes, idle_subscribers):
        print(f"{measure.__name__} …", file=sys.stderr, flush=True)
        rows += measure(size)
    print(f"\n{machine()}\n\n{printed(rows)}")
    if not short:
        write("ipc", "IPC", rows)
    return int(any(row.kept is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
