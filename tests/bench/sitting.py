"""One life of one program on the virtual card, and all that is measured in it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.contenders import Contender, Started, started
from bench.hearing import Piece, ending, gaps_within, heard_ms, mic_to_wire
from bench.rig import Rig, clicking, listening, words
from bench.scene import ANSWER, PHASES, Scene, Turn, appends, long, over, truncates
from support.measuring import cpu_s, rss_mb
from support.scripted_server import Visit
from support.stage import APPEND
from support.virtual_card import VirtualCard

WARM_S = 4.0
APART_S = 0.15
LONG_S = 30.0
STABLE_S = 11.0
"""A session of rtvoiced that lived so long starts its backoff anew: it comes again at once."""


@dataclass(frozen=True)
class Size:
    """How much of each is done."""

    starts: int
    """Further ones, of which nothing else is measured."""
    clicks: int
    listening_s: float
    interruptions: int
    """In each phase."""
    busy: bool
    """Also speak beside a busy process."""


Figures = defaultdict[tuple[str, str], list[float]]
"""What was measured, by what it is and the program's name."""


class Sitting:
    """One life of one program, and what is measured in it."""

    def __init__(
        self, contender: Contender, program: Started, rig: Rig, scene: Scene, found: Figures
    ) -> None:
        self._contender = contender
        self._program = program
        self._rig = rig
        self._scene = scene
        self._found = found

    def book(self, what: str, *values: float) -> None:
        self._found[what, self._contender.name] += values

    def calibrate(self, visit: Visit, size: Size) -> None:
        """Click into both sinks: when the recorders have it, and when the server has the microphone's."""
        for sink, listener in (("speaker", self._rig.speaker), ("micsink", self._rig.microphone)):
            clicked = []
            with clicking(self._rig.card, sink) as clicker:
                # A stream that has just been opened plays its first sound late.
                clicker.click()
                listener.wait(APART_S)
                begin, since = len(listener), time.monotonic()
                for number in range(size.clicks):
                    clicked.append(clicker.click())
                    # Not a multiple of any block: each falls on another place of one.
                    listener.wait(APART_S + number % 7 * 0.0037)
            self.book(f"click:{sink}", *listener.calibrate(clicked, begin))
            if sink == "micsink":
                begins = listener.since(begin).begins()
                self.book("wire", *mic_to_wire(begins, appends(visit, since, time.monotonic())))

    def listen(self, size: Size) -> None:
        """Measure the CPU while nothing happens."""
        begun, before = time.monotonic(), cpu_s(self._program.process.pid)
        self._rig.speaker.wait(size.listening_s)
        self._book_cpu("listening", begun, before)

    def speak(self) -> None:
        """Measure the CPU of an answer of 30 s, and its gaps."""
        begun, before = time.monotonic(), cpu_s(self._program.process.pid)
        self.book("gaps", len(self._long()))
        self._book_cpu("speaking", begun, before)

    def speak_beside(self) -> None:
        """Measure the gaps of an answer of 30 s while another process keeps one core busy."""
        with busy():
            gaps = self._long()
        self.book("gaps:busy", len(gaps))
        self.book("gap:busy", max(gaps, default=0.0))

    def _long(self) -> list[float]:
        speaker, turn = self._rig.speaker, Turn()
        begin = len(speaker)
        self._scene.do(long, turn)
        speaker.wait(LONG_S - 1 - (time.monotonic() - turn.begun_at))
        speaker.until_quiet(begin)
        return gaps_within(speaker.since(begin))

    def _book_cpu(self, doing: str, begun: float, before: float) -> None:
        used = cpu_s(self._program.process.pid) - before
        self.book(f"cpu:{doing}", used * 60 / (time.monotonic() - begun))

    def interrupt(self, phase: str, size: Size, chance: random.Random) -> None:
        """Interrupt answers, and listen to how each of them ended."""
        turns = []
        for _ in range(size.interruptions):
            turn, begin = Turn(chance.uniform(0.4, 0.8)), len(self._rig.speaker)
            self._scene.do(PHASES[phase], turn)
            self._rig.speaker.until_quiet(begin)
            turns.append((turn, self._rig.speaker.since(begin)))
            self._scene.do(over, turn)
        for turn, heard in turns:
            end = ending(heard, turn.sent_at)
            self.book(f"silence:{phase}", end.silence_ms)
            self._book_answer(turn, heard)

    def talk_over(self, size: Size, said: list[tuple[bytes, int]], chance: random.Random) -> None:
        """Speak into answers, which the server has to hear."""
        speaker, microphone, turns = self._rig.speaker, self._rig.microphone, []
        spoken: list[subprocess.Popen[bytes]] = []
        for number in range(size.interruptions):
            turn, begins = Turn(chance.uniform(0.4, 0.8)), (len(speaker), len(microphone))
            word = said[number % len(said)]
            self._scene.talk_over(turn, lambda: spoken.append(self._rig.card.say(*word)))  # noqa: B023
            speaker.until_quiet(begins[0])
            microphone.until_quiet(begins[1])
            turns.append((turn, speaker.since(begins[0]), microphone.since(begins[1])))
            self._scene.do(over, turn)
            spoken.pop().wait()
        for turn, heard, voice in turns:
            self.book("voice", ending(heard, voice.begins()[0]).silence_ms)
            self._book_answer(turn, heard)

    def _book_answer(self, turn: Turn, heard: Piece) -> None:
        end = ending(heard, turn.sent_at)
        self.book("sound", 1000 * (heard.begins()[0] - turn.begun_at))
        self.book("late", end.late_ms)
        told = truncates(self._scene.visit(), turn)
        self.book("truncates", len(told))
        if told:
            self.book("error", abs(told[0] - heard_ms(heard, end.last, ANSWER)))

    def drop(self) -> None:
        """Drop the connection; see how soon microphone audio comes again."""
        came_at = self._scene.visit().came_at
        # One that was lost again soon is rightly waited for.
        if not self._contender.ours or time.monotonic() - came_at < STABLE_S:
            return
        number, at = self._scene.visits, self._scene.drop()
        self.book("again", 1000 * (first_append(self._scene.come(number)) - at))

    def weigh(self) -> None:
        """Measure the memory."""
        self.book("rss", rss_mb(self._program.process.pid))


def first_append(visit: Visit) -> float:
    """Return when the first microphone audio came."""
    return next(each.at for each in visit.received if each.event["type"] == APPEND)


def sit(contender: Contender, scene: Scene, card: VirtualCard, size: Size, found: Figures) -> None:
    """Start a program, measure all that one life of it gives, and end it."""
    chance, said = random.Random(6), words()
    for _ in range(size.starts):
        with coming(contender, scene, card, found):
            pass
    with listening(card) as rig, coming(contender, scene, card, found) as (program, visit):
        sitting = Sitting(contender, program, rig, scene, found)
        rig.speaker.wait(WARM_S)
        sitting.calibrate(visit, size)
        sitting.listen(size)
        sitting.drop()
        sitting.speak()
        if size.busy:
            sitting.speak_beside()
        sitting.drop()
        for phase in PHASES:
            sitting.interrupt(phase, size, chance)
            sitting.drop()
        sitting.talk_over(size, said, chance)
        sitting.weigh()


@contextmanager
def coming(
    contender: Contender, scene: Scene, card: VirtualCard, found: Figures
) -> Iterator[tuple[Started, Visit]]:
    """Run a program on the card; yield it and its connection once it sends audio."""
    number = scene.visits
    environ = {name: value for name, value in card.env.items() if name != "HOME"}
    with started(contender, scene.url, environ) as program:
        visit = scene.come(number)
        found["start", contender.name].append(first_append(visit) - program.at)
        yield program, visit


@contextmanager
def busy() -> Iterator[None]:
    """Keep one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()
