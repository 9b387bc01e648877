"""The audio thread: read a block, top up the card, hand over; for ever, whatever the card does.

This is the only thread that reads and writes the card, 10 ms at a time and in
lock-step. A round of it:

1. read a block of the microphone, which blocks until there is one;
2. write as many blocks as bring the card to its buffer target, usually one, from `PlaybackQueue`;
3. give the block to the front end, and every second time hand 20 ms to the loop;
4. let the front end look for a voice, which takes 2 ms: after the hand-over, so that nothing waits for it.

What is not written yet stays in the queue, where a cut can throw it away. So the
time to silence is what the card holds: one or two blocks, and the fade. The stream
never stops: starting and stopping streams is what makes cuts slow and devices hang.

The thread goes on without a card: it paces by the clock, gives silence for the
microphone, and lets answers go by as if they were heard. It tries to open one
every 2 s. A card that has only one direction is opened anew when the loop has told
that the other could be had (`Duplex.available`), and nothing plays.

The daemon builds one `Duplex`, and is told everything by *post*, in this thread.
The thread keeps its beat: no log, no process, no await, no growing list, and no
lock that another thread holds long.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from threading import Event, Thread
from typing import Protocol, runtime_checkable

from rtvoiced.audio.capture.front_end import FrontEnd, FrontEndEvent
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
"""Python's switch interval for the whole process. With its own 5 ms, a busy thread makes the audio thread
lose a tenth of the audio; with this, nothing."""
LATE_S = 0.007
"""Seconds by which a round may be longer than a block. After a longer one an underrun is near."""
SETTLE_S = 0.1
"""Seconds for which nothing is concluded from a card that was just opened: its first block comes late. Not
longer, because what it needs is best found out before anything plays."""
RETRY_S = 2.0
"""Seconds between attempts to open a card where there is none."""
LOST_GRACE_S = 0.25
"""Seconds for which the queue stands still after a loss: a cut then still finds on top what was lost."""
CATCH_UP_S = 0.5
"""Seconds of a stall that pacing by the clock makes up for, at most."""
STOP_S = 1.0
"""Seconds that the thread may take to end; a driver may hang in a call."""


class Reopen(Enum):
    """When another card takes over."""

    AT_ONCE = auto()
    """Now; an answer that plays is cut."""
    WHEN_QUIET = auto()
    """When nothing plays; no answer is disturbed."""


Report = MicrophoneBlock | DeviceChanged | PlaybackMoved | AudioCrashed | FrontEndEvent
"""What the audio thread tells the loop."""


@dataclass(frozen=True, slots=True)
class AudioThreadStats:
    """Counters of the audio thread since its start, and the buffer target."""

    rounds: int
    """Rounds of 10 ms, with or without a card."""
    underruns: int
    """How often the speaker's buffer was found empty."""
    overruns: int
    """How often blocks of the microphone were lost."""
    dropped_input_ms: int
    """What those overruns cost of the microphone."""
    late_rounds: int
    """Rounds that took more than 17 ms: `BLOCK_S` and `LATE_S`."""
    target_fill_ms: int
    """The buffer target, in milliseconds."""


@runtime_checkable
class Explained(Protocol):
    """A card that says why a direction of it is missing; not every card does."""

    problems: Mapping[str, str]
    """By missing direction, the reason in one line."""


class Duplex:
    """The audio thread of one daemon.

    *open_card* is called in the audio thread each time a card is wanted, and
    raises AudioError when neither direction can be had; *post* is called in the
    audio thread and must not wait. *front* is what becomes of the microphone.
    *chimes*: when a card was opened, three tones are played, which the echo
    canceller learns from.
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
        self._clock = clock
        self._sleep = sleep
        self._chimes = chimes
        self._chime: Chime | None = None
        """What is still to be heard of the open card's chime; None where there is none."""
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="audio", daemon=True)
        self._announced: dict[Direction, OpenDevice | None] = {}
        """What was told last of each direction; None: that it is not open."""
        now = clock()
        self.beat = now
        """When the thread's last round was, by *clock*: the watchdog looks at it."""
        self._opened_at = self._paced_at = now
        """When the card was opened; up to when the clock has paced."""
        self._buffer_target = BufferTarget(now)
        self._rounds = self._underruns = self._late_rounds = 0
        self._fill = 0
        """Frames in the card after the last round."""
        self._overruns = OverrunDetector()
        self._reopen: Reopen | None = None
        """That another card is wanted; the loop writes it, the thread resets it."""
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
        """Open the card anew, because *open_card* would return another one now; called by the loop."""
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
            overruns=self._overruns.overruns,
            dropped_input_ms=round(1000 * self._overruns.lost_s),
            late_rounds=self._late_rounds,
            target_fill_ms=self._buffer_target.target * BLOCK_MS,
        )

    # The thread

    def _run(self) -> None:
        try:
            self.run(self._stopping.is_set)
        except Exception as error:
            # A bug: the daemon ends the process.
            self._post(AudioCrashed(error))

    def run(self, stopped: Callable[[], bool]) -> None:
        """Do the thread's work, until *stopped*; a test calls this in its own thread."""
        self._paced_at = self._clock()
        while not stopped():
            # Before the card is chosen: who asks after that is served in the next round.
            self._reopen, self._available = None, frozenset()
            self.front.prepare(self.front.mode)
            try:
                card = self._open_card()
            except AudioError as error:
                for direction in ("input", "output"):
                    reason = error.problems.get(direction, str(error))
                    self._report_down(direction, "", "unavailable", reason, 0)
                self._without_card(stopped, self._clock() + RETRY_S)
                continue
            try:
                self._with_card(card, stopped)
                if self._reopen is Reopen.AT_ONCE and card.output and self._playback.sounding:
                    card.close()
                    self._report_down("output", card.output.name, "lost", "another was chosen", self._fill)
                    self._without_card(stopped, self._clock() + LOST_GRACE_S, math.inf)
            except AudioError as error:
                self._report_lost(card, str(error))
                self._without_card(stopped, self._clock() + RETRY_S, self._clock() + LOST_GRACE_S)
            finally:
                card.close()

    def _without_card(self, stopped: Callable[[], bool], until: float, still_until: float = 0.0) -> None:
        """Run rounds by the clock *until* then; nothing is taken from the queue before *still_until*."""
        self.front.on_card_opened(0, 0, self._clock())
        while not stopped() and self._clock() < until:
            self._hand_over(self._pace(), WIRE.hz)
            if self._clock() >= still_until:
                self._drain()

    def _with_card(self, card: Card, stopped: Callable[[], bool]) -> None:
        """Run rounds by the card until another is to be opened. Raises AudioError when the card is lost."""
        self._prime(card)
        missing = {direction for direction, device in _devices(card).items() if not device}
        hz = card.input.hz if card.input else WIRE.hz
        before = self._clock()
        while not stopped():
            block = card.read() if card.input else self._pace()
            now = self._clock()
            late, before = now - before > BLOCK_S + LATE_S, now
            if card.input:
                self._overruns.block(now)
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

    def _prime(self, card: Card) -> None:
        """Fill the card with silence to its target (else it stumbles for seconds); tell what opened."""
        self.front.on_card_opened(
            card.input.hz if card.input else 0, card.output.hz if card.output else 0, self._clock()
        )
        if card.output:
            self._chime = Chime(card.output.hz) if self._chimes and self.front.path else None
            self._playback.retune(card.output.hz)
            self._fill = 0
            for _ in range(self._buffer_target.target + 1):
                card.write(Pcm(card.output.hz).silence(BLOCK_MS))
        problems = card.problems if isinstance(card, Explained) else {}
        for direction, device in _devices(card).items():
            if not device:
                self._report_down(direction, "", "unavailable", problems.get(direction, "not there"), 0)
            elif self._announced.get(direction) != device:
                self._announced[direction] = device
                latency_ms = round(device.latency_ms, 1)
                self._post(DeviceChanged(direction, "open", device.name, device.hz, latency_ms))
        self._paced_at = self._opened_at = self._clock()
        self._overruns.restart(self._opened_at)

    # A round

    def _top_up(self, card: Card, output: OpenDevice, late: bool, now: float) -> None:
        """Write as many blocks as bring the card to its target: usually one, and none while it holds more."""
        block = Pcm(output.hz).block
        fill = card.fill()
        settled = now - self._opened_at > SETTLE_S
        self._underruns += settled and fill <= 0
        self._buffer_target.adjust(settled and (late or fill <= 0), self._playback.sounding, now)
        for _ in range(self._buffer_target.lacking(fill, block)):
            sound = self._playback.take(block)
            if self._chime and settled:
                sound = self._chime.over(sound, quiet=not self._playback.sounding)
            card.write(sound)
            self.front.on_block_written(sound)
            fill += block
        self._fill = fill
        if self._playback.note(fill, output.latency_ms):
            self._post(PlaybackMoved())

    def _drain(self) -> None:
        """Take a block from the queue where there is no speaker: answers go by as if they were heard."""
        self._playback.take(Pcm(self._playback.hz).block)
        if self._playback.note(0, 0):
            self._post(PlaybackMoved())

    def _pace(self) -> bytes:
        """Wait until the clock's next block is due; return silence for the microphone."""
        now = self._clock()
        self._paced_at = max(self._paced_at + BLOCK_S, now - CATCH_UP_S)
        if self._paced_at > now:
            self._sleep(self._paced_at - now)
        return WIRE.silence(BLOCK_MS)

    def _hand_over(self, block: bytes, hz: int) -> None:
        """Give every second block to the loop, with the one before: 20 ms, cleaned."""
        self._rounds += 1
        self.beat = self._clock()
        if heard := self.front.process(block, hz, self._fill, self.beat):
            at = self.beat - heard.delay_s
            self._post(MicrophoneBlock(heard.pcm, heard.hz, at, heard.echoes, heard.before))
        # After the hand-over, so that an onset's own audio is not delayed.
        for event in self.front.listen():
            self._post(event)

    def _report_lost(self, card: Card, reason: str) -> None:
        self._paced_at = self._clock()
        for direction, device in _devices(card).items():
            if device:
                lost_frames = self._fill if direction == "output" else 0
                self._report_down(direction, device.name, "lost", reason, lost_frames)

    def _report_down(
        self, direction: Direction, name: str, status: DeviceStatus, reason: str, lost_frames: int
    ) -> None:
        """Tell that a direction is not open, unless that was told last."""
        if direction not in self._announced or self._announced[direction]:
            self._announced[direction] = None
            self._post(DeviceChanged(direction, status, name or None, lost_frames=lost_frames, reason=reason))


def _devices(card: Card) -> dict[Direction, OpenDevice | None]:
    return {"input": card.input, "output": card.output}
