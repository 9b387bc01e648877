"""THE audio thread: read a block, top up the card, hand over; for ever, whatever the card does."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from threading import Event, Thread
from typing import Protocol, runtime_checkable

from rtvoiced.audio.capture.front_end import FrontEnd, News
from rtvoiced.audio.events import AudioCrashed, DeviceChanged, MicrophoneBlock, PlaybackMoved
from rtvoiced.audio.playback.chime import Chime
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.audio.thread.buffer_target import BufferTarget
from rtvoiced.audio.thread.overruns import OverrunDetector
from rtvoiced.dsp.pcm import BLOCK_MS, WIRE, Card, OpenDevice, Pcm
from rtvoiced.errors import AudioError
from rtvoiced.vocabulary import DeviceStatus, Direction

BLOCK_S = BLOCK_MS / 1000
SWITCH_INTERVAL_S = 0.0005
"""With Python's 5 ms, a busy thread makes the audio thread lose a tenth of the audio; with this, nothing."""
LATE_S = 0.007
"""A round that much longer than a block: an underrun is near, and too late to hear nothing."""
SETTLE_S = 0.1
"""A card that was just opened delivers its first block late; that says nothing of what it needs.
Not longer: what it needs is best found out before anything plays."""
RETRY_S = 2.0
LOST_GRACE_S = 0.25
"""After a loss the queue stands still for so long: a cut then still finds on top what was lost."""
CATCH_UP_S = 0.5
"""The clock's rounds make up for a stall of up to so much."""
STOP_S = 1.0


class Reopen(Enum):
    """When another card takes over."""

    AT_ONCE = auto()
    """An answer that plays is cut."""
    WHEN_QUIET = auto()
    """No answer is disturbed."""


Report = MicrophoneBlock | DeviceChanged | PlaybackMoved | AudioCrashed | News


@dataclass(frozen=True, slots=True)
class AudioThreadStats:
    """Counters since the start, and the reserve that the card is kept at."""

    rounds: int
    underruns: int
    overruns: int
    dropped_input_ms: int
    """What those overruns cost of the microphone."""
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
    called in the audio thread and must not wait. *chimes*: an echo canceller is
    given three tones to learn from when a card was opened.
    """

    def __init__(
        self,
        open_card: Callable[[], Card],
        playback: PlaybackQueue,
        post: Callable[[Report], None],
        front: FrontEnd,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chimes: bool = False,
    ) -> None:
        self._open_card = open_card
        self._playback = playback
        self._post = post
        self.front = front
        """What becomes of the microphone."""
        self._clock = clock
        self._sleep = sleep
        self._chimes = chimes
        self._chime: Chime | None = None
        """What is still to be heard of it."""
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="audio", daemon=True)
        self._told: dict[str, OpenDevice | None] = {}
        """What was said last of each direction; None: that it is down."""
        self._opened_at = self._tick = self.beat = clock()
        self._reserve = BufferTarget(self._opened_at)
        self._rounds = self._underruns = self._late_rounds = self._fill = 0
        self._backlog = OverrunDetector()
        self._reopen: Reopen | None = None
        self._available: frozenset[Direction] = frozenset()
        """Directions that could be had, as the loop has told since the card was opened."""

    def start(self) -> None:
        """Start the thread."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give the card back; returns within a second, even if a driver hangs."""
        self._stopping.set()
        self._thread.join(STOP_S)

    def reopen(self, when: Reopen) -> None:
        """Open the card anew, because *open_card* would return another one now."""
        if self._reopen is not Reopen.AT_ONCE:
            self._reopen = when

    def available(self, directions: frozenset[Direction]) -> None:
        """Note that these directions could be had now; may be called in any thread.

        Where the open card lacks one of them, it is opened anew as soon as
        nothing plays. A later call replaces what an earlier one said.
        """
        self._available = directions

    def stats(self) -> AudioThreadStats:
        """Return the counters as they are now."""
        return AudioThreadStats(
            rounds=self._rounds,
            underruns=self._underruns,
            overruns=self._backlog.overruns,
            dropped_input_ms=round(1000 * self._backlog.lost_s),
            late_rounds=self._late_rounds,
            target_fill_ms=self._reserve.target * BLOCK_MS,
        )

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
            # Before the card is chosen: who asks after that is served in the next round.
            self._reopen, self._available = None, frozenset()
            self.front.prepare(self.front.mode)
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
                if self._reopen is Reopen.AT_ONCE and card.output and self._playback.sounding:
                    card.close()
                    self._tell_down("output", card.output.name, "lost", "another was chosen", self._fill)
                    self._without_card(stopped, self._clock() + LOST_GRACE_S, math.inf)
            except AudioError as error:
                self._tell_lost(card, str(error))
                self._without_card(stopped, self._clock() + RETRY_S, self._clock() + LOST_GRACE_S)
            finally:
                card.close()

    def _without_card(self, stopped: Callable[[], bool], until: float, still_until: float = 0.0) -> None:
        """Run by the clock *until* then; the queue stands still *still_until* then."""
        self.front.opened(0, 0, self._clock())
        while not stopped() and self._clock() < until:
            self._hand_over(self._pace(), WIRE.hz)
            if self._clock() >= still_until:
                self._drain()

    def _with_card(self, card: Card, stopped: Callable[[], bool]) -> None:
        """Run by the card. Returns when another is to be opened; raises AudioError on a loss."""
        self._welcome(card)
        missing = {direction for direction, device in _devices(card).items() if not device}
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
            self._hand_over(block, hz)
            if missing and missing & self._available and not self._playback.sounding:
                return
            if self._reopen and (self._reopen is Reopen.AT_ONCE or not self._playback.sounding):
                return

    def _welcome(self, card: Card) -> None:
        """Fill the card with silence up to its target: unprimed it stumbles for seconds."""
        self.front.opened(
            card.input.hz if card.input else 0, card.output.hz if card.output else 0, self._clock()
        )
        if card.output:
            self._chime = Chime(card.output.hz) if self._chimes and self.front.path else None
            self._playback.retune(card.output.hz)
            self._fill = 0
            for _ in range(self._reserve.target + 1):
                card.write(Pcm(card.output.hz).silence(BLOCK_MS))
        problems = card.problems if isinstance(card, Explained) else {}
        for direction, device in _devices(card).items():
            if not device:
                self._tell_down(direction, "", "unavailable", problems.get(direction, "not there"), 0)
            elif self._told.get(direction) != device:
                self._told[direction] = device
                latency_ms = round(device.latency_ms, 1)
                self._post(DeviceChanged(direction, "open", device.name, device.hz, latency_ms))
        self._tick = self._opened_at = self._clock()
        self._backlog.restart(self._tick)

    # A round

    def _top_up(self, card: Card, output: OpenDevice, late: bool, now: float) -> None:
        """Write as many blocks as bring the card to its target: usually one, none while it holds more."""
        block = Pcm(output.hz).block
        fill = card.fill()
        settled = now - self._opened_at > SETTLE_S
        self._underruns += settled and fill <= 0
        self._reserve.aim(settled and (late or fill <= 0), self._playback.sounding, now)
        for _ in range(self._reserve.lacking(fill, block)):
            sound = self._playback.take(block)
            if self._chime and settled:
                sound = self._chime.over(sound, quiet=not self._playback.sounding)
            card.write(sound)
            self.front.wrote(sound)
            fill += block
        self._fill = fill
        if self._playback.note(fill, output.latency_ms):
            self._post(PlaybackMoved())

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
        """Give every second block to the loop, with the one before: 20 ms, cleaned."""
        self._rounds += 1
        self.beat = self._clock()
        if heard := self.front.block(block, hz, self._fill, self.beat):
            at = self.beat - heard.delay_s
            self._post(MicrophoneBlock(heard.pcm, heard.hz, at, heard.echoes, heard.before))
        # After the hand-over, so that an onset's own audio is not delayed.
        for news in self.front.attend():
            self._post(news)

    def _tell_lost(self, card: Card, reason: str) -> None:
        self._tick = self._clock()
        for direction, device in _devices(card).items():
            if device:
                lost_frames = self._fill if direction == "output" else 0
                self._tell_down(direction, device.name, "lost", reason, lost_frames)

    def _tell_down(
        self, direction: Direction, name: str, status: DeviceStatus, reason: str, lost_frames: int
    ) -> None:
        if direction not in self._told or self._told[direction]:
            self._told[direction] = None
            self._post(DeviceChanged(direction, status, name or None, lost_frames=lost_frames, reason=reason))


def _devices(card: Card) -> dict[Direction, OpenDevice | None]:
    return {"input": card.input, "output": card.output}
