"""THE audio thread: read a block, top up the card, hand over; for ever, whatever the card does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Thread
from typing import Protocol, runtime_checkable

from rtvoice.audio.pcm import BLOCK_MS, WIRE, Card, Device, Pcm
from rtvoice.audio.playback import Playback
from rtvoice.errors import AudioError

BLOCK_S = BLOCK_MS / 1000
SWITCH_INTERVAL_S = 0.0005
"""With Python's 5 ms, a busy thread makes the audio thread lose a tenth of the audio; with this, nothing."""
LATE_S = 0.007
"""A round that much longer than a block: an underrun is near, and too late to hear nothing."""
CALM_S, CALM_MAX_S = 60.0, 3600.0
"""So long without trouble before the card holds less again; after 5 s it goes up and down all the time.
Twice as long each time that less was too little: every such time costs a gap."""
SETTLE_S = 0.1
"""A card that was just opened delivers its first block late; that says nothing of what it needs.
Not longer: what it needs is best found out before anything plays."""
TARGET_MIN, TARGET_MAX = 1, 2
"""Blocks that the card holds just before it is topped up by one more."""
RETRY_S = 2.0
LOST_GRACE_S = 0.25
"""After a loss the queue stands still for so long: a cut then still finds on top what was lost."""
CATCH_UP_S = 0.5
"""The clock's rounds make up for a stall of up to so much."""
STOP_S = 1.0


@dataclass(frozen=True, slots=True)
class Microphone:
    """20 ms of the microphone."""

    pcm: bytes
    hz: int
    at: float
    """When its last frame was read, by the thread's clock."""


@dataclass(frozen=True, slots=True)
class DeviceUp:
    """A direction, ``input`` or ``output``, works."""

    direction: str
    device: Device


@dataclass(frozen=True, slots=True)
class DeviceDown:
    """A direction does not work; told once, not at each attempt."""

    direction: str
    name: str
    status: str
    """``lost``: it worked until now; ``unavailable``: it could not be opened."""
    reason: str
    lost_frames: int
    """Of the output: what was in the card and will not be heard."""


@dataclass(frozen=True, slots=True)
class PlaybackMoved:
    """`Playback.reports` has something new."""


@dataclass(frozen=True, slots=True)
class AudioCrashed:
    """The audio thread ended with a bug."""

    error: BaseException


Report = Microphone | DeviceUp | DeviceDown | PlaybackMoved | AudioCrashed


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters since the start, and the reserve that the card is kept at."""

    rounds: int
    underruns: int
    overruns: int
    late_rounds: int
    target_fill_ms: int


@runtime_checkable
class Explained(Protocol):
    """A card that says why a direction of it is missing."""

    problems: Mapping[str, str]
    """By direction, one line each."""


class Duplex:
    """The audio thread of one daemon.

    *open_card* raises AudioError when neither direction can be had; *post* is
    called in the audio thread and must not wait. *available* tells, without
    waiting, which missing directions of a half card could be had now if it were
    opened again; *closed* is called when the thread has ended.
    """

    def __init__(
        self,
        open_card: Callable[[], Card],
        playback: Playback,
        post: Callable[[Report], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        available: Callable[[float], frozenset[str]] = lambda _now: frozenset(),
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._open_card = open_card
        self._playback = playback
        self._post = post
        self._clock = clock
        self._sleep = sleep
        self._available = available
        self._closed = closed
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="audio", daemon=True)
        self._told: dict[str, Device | None] = {}
        """What was said last of each direction; None: that it is down."""
        self._held: list[bytes] = []
        self._target = TARGET_MIN
        self._calm_s = CALM_S / 2
        """How long a calm time is; the first trouble doubles it already."""
        self._trouble_at = self._opened_at = self._tick = self.beat = clock()
        self._rounds = self._underruns = self._late_rounds = self._fill = 0
        self._backlog = Backlog()

    def start(self) -> None:
        """Start the thread."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give the card back; returns within a second, even if a driver hangs."""
        self._stopping.set()
        self._thread.join(STOP_S)
        self._closed()

    def stats(self) -> Stats:
        """Return the counters as they are now."""
        target_ms = self._target * BLOCK_MS
        return Stats(self._rounds, self._underruns, self._backlog.overruns, self._late_rounds, target_ms)

    # The thread

    def _run(self) -> None:
        try:
            self.run(self._stopping.is_set)
        except Exception as error:
            # A bug: the daemon ends the process.
            self._post(AudioCrashed(error))

    def run(self, stopped: Callable[[], bool]) -> None:
        """Do the thread's work in the caller's, until *stopped*."""
        self._tick = self._clock()
        while not stopped():
            try:
                card = self._open_card()
            except AudioError as error:
                for direction in ("input", "output"):
                    reason = error.problems.get(direction, str(error))
                    self._tell_down(direction, "", "unavailable", reason, 0)
                self._without_card(stopped, self._clock() + RETRY_S)
                continue
            try:
                self._with_card(card, stopped)
            except AudioError as error:
                self._tell_lost(card, str(error))
                self._without_card(stopped, self._clock() + RETRY_S, self._clock() + LOST_GRACE_S)
            finally:
                card.close()

    def _without_card(self, stopped: Callable[[], bool], until: float, still_until: float = 0.0) -> None:
        """Run by the clock *until* then; the queue stands still *still_until* then."""
        while not stopped() and self._clock() < until:
            self._hand_over(self._pace(), WIRE.hz)
            if self._clock() >= still_until:
                self._drain()

    def _with_card(self, card: Card, stopped: Callable[[], bool]) -> None:
        """Run by the card. Returns when a missing half can be had again; raises AudioError on a loss."""
        self._welcome(card)
        missing = {name for name, device in (("input", card.input), ("output", card.output)) if not device}
        hz = card.input.hz if card.input else WIRE.hz
        before = self._clock()
        while not stopped():
            block = card.read() if card.input else self._pace()
            now = self._clock()
            late, before = now - before > BLOCK_S + LATE_S, now
            if card.input:
                self._backlog.block(now)
            self._late_rounds += late
            if card.output:
                self._top_up(card, card.output, late, now)
            else:
                self._drain()
            # The echo canceller's place: it takes 20 ms of what was read and of what was written.
            self._hand_over(block, hz)
            # The VAD's place: after the hand-over, so that an onset's own audio is not delayed.
            if missing and missing & self._available(now) and not self._playback.sounding:
                return

    def _welcome(self, card: Card) -> None:
        """Fill the card with silence up to its target: unprimed it stumbles for seconds."""
        if card.output:
            self._playback.retune(card.output.hz)
            self._fill = 0
            for _ in range(self._target + 1):
                card.write(Pcm(card.output.hz).silence(BLOCK_MS))
        problems = card.problems if isinstance(card, Explained) else {}
        for direction, device in (("input", card.input), ("output", card.output)):
            if not device:
                self._tell_down(direction, "", "unavailable", problems.get(direction, "not there"), 0)
            elif self._told.get(direction) != device:
                self._told[direction] = device
                self._post(DeviceUp(direction, device))
        self._tick = self._opened_at = self._clock()
        self._backlog.restart(self._clock())
        self._held.clear()

    # A round

    def _top_up(self, card: Card, output: Device, late: bool, now: float) -> None:
        """Write as many blocks as bring the card to its target: usually one, none while it holds more."""
        block = Pcm(output.hz).block
        fill = card.fill()
        settled = now - self._opened_at > SETTLE_S
        self._underruns += settled and fill <= 0
        self._aim(settled and (late or fill <= 0), now)
        # The card moves in whole blocks, give or take a frame: to the nearest, not down.
        for _ in range(max(0, ((self._target + 1) * block - fill + block // 2) // block)):
            card.write(self._playback.take(block))
            fill += block
        self._fill = fill
        if self._playback.note(fill, output.latency_ms):
            self._post(PlaybackMoved())

    def _aim(self, trouble: bool, now: float) -> None:
        """Raise the target at once after trouble; lower it after a calm time, while nothing plays."""
        if trouble:
            if self._target == TARGET_MIN:
                self._calm_s = min(2 * self._calm_s, CALM_MAX_S)
            self._target, self._trouble_at = TARGET_MAX, now
            return
        calm = now - self._trouble_at > self._calm_s
        if self._target > TARGET_MIN and calm and not self._playback.sounding:
            self._target = TARGET_MIN

    def _drain(self) -> None:
        """Without a speaker, answers go by as if they were heard: their text was published."""
        self._playback.take(Pcm(self._playback.hz).block)
        if self._playback.note(0, 0):
            self._post(PlaybackMoved())

    def _pace(self) -> bytes:
        """Wait for the clock's next block; return silence."""
        now = self._clock()
        self._tick = max(self._tick + BLOCK_S, now - CATCH_UP_S)
        if self._tick > now:
            self._sleep(self._tick - now)
        return WIRE.silence(BLOCK_MS)

    def _hand_over(self, block: bytes, hz: int) -> None:
        """Give every second block to the loop, with the one before: 20 ms."""
        self._rounds += 1
        self.beat = self._clock()
        self._held.append(block)
        if len(self._held) == 2:
            self._post(Microphone(b"".join(self._held), hz, self.beat))
            self._held.clear()

    def _tell_lost(self, card: Card, reason: str) -> None:
        self._held.clear()
        self._tick = self._clock()
        for direction, device in (("input", card.input), ("output", card.output)):
            if device:
                lost_frames = self._fill if direction == "output" else 0
                self._tell_down(direction, device.name, "lost", reason, lost_frames)

    def _tell_down(self, direction: str, name: str, status: str, reason: str, lost_frames: int) -> None:
        if direction not in self._told or self._told[direction]:
            self._told[direction] = None
            self._post(DeviceDown(direction, name, status, reason, lost_frames))


class Backlog:
    """How far the microphone's blocks are behind the clock: what never came was lost in an overrun.

    PyAudio does not tell of overruns. A block may be late, but the least lateness
    of a second only grows when audio is missing.
    """

    WINDOW = 100
    """Blocks: 1 s."""
    LOSS_S = 0.5 * BLOCK_S

    def __init__(self) -> None:
        self.overruns = 0
        self.restart(0.0)

    def restart(self, now: float) -> None:
        """Begin anew with a card opened *now*."""
        self._began = now
        self._blocks = 0
        self._least = self._least_before = float("inf")

    def block(self, now: float) -> None:
        """Book a block that came *now*."""
        self._blocks += 1
        self._least = min(self._least, now - self._began - self._blocks * BLOCK_S)
        if self._blocks % self.WINDOW == 0:
            self.overruns += self._least > self._least_before + self.LOSS_S
            self._least_before, self._least = self._least, float("inf")
