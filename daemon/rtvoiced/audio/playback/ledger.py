"""The ledger: what was heard, by sample. Every frame handed to the card is booked to its part. Pure.

There is no clock in it and no sound: `PlaybackQueue`, which owns it, tells it what
was received, what was handed to the card and how much the card holds; from that
follows what has come out. At a cut it says how much of each open part was
heard, to the sample, and that is what the server is told.

Positions of parts are counted in frames of the source, as the server sent
them, so that they stay true whatever rate the card runs at. What the card holds
is counted in its own frames. Positions only go forward: what is heard again
after a hold counts once.

>>> ledger = Ledger()
>>> ledger.receive(part, 240, 24_000)  # 10 ms came  # doctest: +SKIP
>>> ledger.hand(part, 120, 240)  # half of it is in a card of 48 kHz  # doctest: +SKIP
>>> ledger.in_card(0)  # and was heard  # doctest: +SKIP
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from rtvoiced.audio.events import CutResult, Drained, Held, PartHeard, Resumed, Started
from rtvoiced.dsp.pcm import Part, Pcm


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a listener is: the position of what comes out of the speaker now."""

    part: Part | None
    """The audible part; None while nothing was heard yet of any part that is open."""
    played_ms: int
    """How much of it has come out of the card, rounded down."""
    queued_ms: int
    """How much of all parts was received and not yet handed to the card."""


@dataclass(slots=True, eq=False)
class _Entry:
    """The account of a part, from its first frame until it drained or was cut.

    Positions are in frames of the source.
    """

    part: Part
    hz: int
    """The rate of the source."""
    received: int = 0
    """As far as the server has sent it."""
    next: int = 0
    """Position of what is handed to the card next; goes back where something is heard again."""
    played: int = 0
    """As far as it was handed to the card, or is about to be as a fade; what is heard twice counts once."""
    heard: int = 0
    """As far as it has come out of the card."""
    in_card: int = 0
    """How many runs of it the card holds."""
    begun: bool = False
    """Whether any of it was handed to the card."""
    complete: bool = False
    """Whether the server has sent all of it."""

    def ms(self, frames: int) -> int:
        """Return how long *frames* of it last, in milliseconds, rounded down."""
        return Pcm(self.hz).ms_of_frames(frames)

    @property
    def handed(self) -> bool:
        """Whether all that was received was handed to the card, for the last time."""
        return self.next == self.received

    @property
    def open(self) -> bool:
        """Whether any of it is still to be sent, to be handed over, or to be played again to its end."""
        return not (self.complete and self.handed and self.played == self.received)


@dataclass(slots=True, eq=False)
class _CardRun:
    """A run of frames that the card holds, all of one part or of none."""

    entry: _Entry | None
    """None for silence, for a fade, and for what was cut."""
    sounds: bool
    """False for silence."""
    frames: int
    """How long it is, in frames of the card."""
    start: int
    end: int
    """Positions of the part before and after it, in frames of the source."""
    before: int = 0
    """How far the part had been played before this run."""

    def position(self, frames: int) -> int:
        """Return the part's position after *frames* of this run, rounded down."""
        return self.start + (self.end - self.start) * frames // self.frames


class Ledger:
    """The books of one card. Not thread-safe: `PlaybackQueue` calls it under its lock."""

    def __init__(self) -> None:
        self._entries: dict[Part, _Entry] = {}
        """The parts that are open or in the card, in order of play."""
        self._card: deque[_CardRun] = deque()
        """What the card holds, the oldest first."""
        self._card_frames = 0
        """How many frames that is."""
        self._audible = 0
        """How many runs in the card are not silence."""
        self._fade_left = 0
        """Frames of a fade that are still to be handed over."""
        self._reports: list[Started | Drained] = []

    # What comes in

    def receive(self, part: Part, frames: int, hz: int) -> int:
        """Book *frames* of the source, at *hz*, as received; return the position of the first of them.

        Raises ValueError when the part's rate changes.
        """
        entry = self._entries.setdefault(part, _Entry(part, hz))
        if entry.hz != hz:
            raise ValueError(f"{part} came at {entry.hz} Hz and now at {hz} Hz")
        position = entry.received
        entry.received += frames
        return position

    def finish(self, part: Part) -> None:
        """Book that no more of *part* will come; of a part that was cut or never began, nothing happens."""
        if entry := self._entries.get(part):
            entry.complete = True
            self._settle()

    def finish_response(self, response_id: str) -> None:
        """Book that no more of any part of this response will come."""
        for entry in self._entries.values():
            if entry.part.response_id == response_id:
                entry.complete = True
        self._settle()

    def knows(self, response_id: str) -> bool:
        """Tell whether a part of this response is still open or in the card."""
        return any(part.response_id == response_id for part in self._entries)

    # What goes to the card

    def hand(self, part: Part, position: int, frames: int, start: int | None = None) -> None:
        """Book *frames* of the card, which bring *part* to *position*, from *start* or from where it was.

        The first of a part are reported as `Started`.
        """
        entry = self._entries.get(part)
        if entry is None:
            # Over already, and heard again for a moment.
            self._load(_CardRun(None, True, frames, 0, 0))
            return
        if not entry.begun:
            entry.begun = True
            self._reports.append(Started(part))
        entry.in_card += 1
        begin = entry.next if start is None else start
        self._load(_CardRun(entry, True, frames, begin, position, entry.played))
        entry.next = position
        entry.played = max(entry.played, position)

    def hand_fade(self, frames: int) -> None:
        """Book *frames* of a fade of what was cut; it counted as heard when it was made."""
        self._fade_left -= frames
        self._load(_CardRun(None, True, frames, 0, 0))

    def hand_silence(self, frames: int) -> None:
        """Book *frames* of silence."""
        self._load(_CardRun(None, False, frames, 0, 0))

    def _load(self, run: _CardRun) -> None:
        self._card.append(run)
        self._card_frames += run.frames
        self._audible += run.sounds

    def in_card(self, frames: int) -> None:
        """Book that the card holds *frames* now: what was handed before them has been heard."""
        while self._card and (self._card_frames > frames or self._card[0].frames == 0):
            run = self._card[0]
            gone = max(0, min(run.frames, self._card_frames - frames))
            position = run.position(gone) if gone < run.frames else run.end
            if run.entry:
                run.entry.heard = max(run.entry.heard, position)
            self._card_frames -= gone
            if gone < run.frames:
                run.frames, run.start = run.frames - gone, position
                break
            self._unload(self._card.popleft())
        self._settle()

    def _unload(self, run: _CardRun) -> None:
        self._audible -= run.sounds
        if run.entry:
            run.entry.in_card -= 1

    def _settle(self) -> None:
        """Report the parts that are over as `Drained`, and forget them."""
        for entry in [e for e in self._entries.values() if not e.open and not e.in_card]:
            del self._entries[entry.part]
            idle = not self.in_card_sounds and all(e.handed for e in self._entries.values())
            self._reports.append(Drained(entry.part, entry.ms(entry.received), idle))

    # The cut

    def cut(
        self, fade: Iterable[tuple[Part, int]], fade_frames: int, lost_frames: int, silence_ms: float
    ) -> CutResult:
        """End every open part; return how much of each was heard.

        *fade* holds the position that the fade brings each part to; *fade_frames*
        is how long the fades are that are still to be handed over; *lost_frames* are
        the newest frames in the card, which were thrown away with it, and *silence_ms* is
        passed on.
        """
        self._lose(lost_frames)
        # Before the fade, which may just bring a part to its end: that one is over too, and was heard whole.
        ended = [entry for entry in self._entries.values() if entry.open]
        for part, position in fade:
            if part in self._entries:
                self._entries[part].played = max(self._entries[part].played, position)
        self._fade_left = fade_frames
        parts = tuple(PartHeard(e.part, e.ms(e.played), e.ms(e.received), e.complete) for e in ended)
        for entry in ended:
            del self._entries[entry.part]
        for run in self._card:
            if run.entry in ended:
                run.entry = None
        gone = {entry.part for entry in ended}
        self._reports = [report for report in self._reports if report.part not in gone]
        return CutResult(parts, sum(p.received_ms - p.played_ms for p in parts), silence_ms)

    def _lose(self, frames: int) -> None:
        """Take back the newest *frames* in the card: they never sound."""
        while frames > 0 and self._card:
            run = self._card[-1]
            kept = max(0, run.frames - frames)
            position = run.position(kept) if kept else run.start
            if run.entry:
                run.entry.played = max(run.before, position)
            frames -= run.frames - kept
            self._card_frames -= run.frames - kept
            if kept:
                run.frames, run.end = kept, position
                return
            self._unload(self._card.pop())

    # The hold

    def hold(self, fade: Iterable[tuple[Part, int]], silence_ms: float) -> Held:
        """Return where playback is held; *fade* holds the position that the fade brings each part to."""
        reached = dict(fade)
        begun = [entry for entry in self._entries.values() if entry.begun or entry.part in reached]
        for entry in reversed(begun):
            end = max(entry.next, reached.get(entry.part, 0))
            if not entry.complete or end < entry.received:
                played_ms = entry.ms(max(entry.played, end))
                return Held(entry.part, played_ms, entry.ms(entry.received), silence_ms)
        return Held(None, 0, 0, silence_ms)

    def resume(self, part: Part | None, position: int | None) -> Resumed:
        """Book that playback goes on, with *part* at *position*; None: at the place of the hold."""
        entry = self._entries.get(part) if part is not None else None
        if entry is None:
            return Resumed(None, 0)
        if position is not None:
            entry.next = position
        return Resumed(part, entry.ms(entry.next))

    # What can be asked

    def has(self, part: Part) -> bool:
        """Tell whether *part* is still open or in the card."""
        return part in self._entries

    @property
    def in_card_sounds(self) -> bool:
        """Whether the card holds something other than silence, or a fade is on its way to it."""
        return self._audible > 0 or self._fade_left > 0

    @property
    def has_reports(self) -> bool:
        """Whether `reports` would return something."""
        return bool(self._reports)

    def reports(self) -> list[Started | Drained]:
        """Return what has happened since this was last asked, in order."""
        reports, self._reports = self._reports, []
        return reports

    def progress(self) -> Progress:
        """Return the audible part, and its position as a listener hears it now."""
        queued_ms = sum(e.ms(e.received - e.played) for e in self._entries.values())
        begun = [entry for entry in self._entries.values() if entry.begun]
        heard = [entry for entry in begun if entry.heard]
        audible = heard[-1:] or begun[:1]
        if not audible:
            return Progress(None, 0, queued_ms)
        return Progress(audible[0].part, audible[0].ms(audible[0].heard), queued_ms)
