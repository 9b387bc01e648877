"""Following the events without missing one silently (docs/ipc.md, "Never miss an event"). Pure.

The clients' `events` do the I/O. They join, hand each message to a `Follower`,
yield what it returns, and do what it asks for:

* not `following`: join again (subscribe, wait for the welcome, take a ``snapshot``)
* `missing`: ask for a ``replay`` with `replay_args`
* `stale`: ask for a ``snapshot``

Every counted event is yielded once; what can't be had any more is told as a
`Gap`, and the daemon's going and coming as `Gone`, `Back` or `Restarted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rtctl.client.messages import unreadable
from rtvoiced.errors import CommandError
from rtvoiced.ipc.contract.events import UNCOUNTED, State
from rtvoiced.ipc.contract.protocol import data_of
from rtvoiced.ipc.contract.replies import StatusReply

ALWAYS = ("heartbeat", "bye")
"""What every follower subscribes to, to notice losses at the tail and the daemon's end."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; each counted one is yielded once.

    With names, an event that had to be repaired may come behind newer ones of
    another name: *seq* tells their order.
    """

    name: str
    data: dict[str, Any]
    seq: int
    n: int
    run: str
    time: float
    """Unix seconds."""
    mono: float
    """CLOCK_MONOTONIC seconds."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is true at *seq*; a later event with no greater ``seq`` is already in it."""

    status: StatusReply
    seq: int
    run: str

    @property
    def state(self) -> dict[str, Any]:
        """The data that a `state` event would have now."""
        now = self.status
        state = State(
            conversation=now.conversation,
            muted=now.muted,
            push_to_talk=now.push_to_talk,
            connection=now.connection.status,
            input=now.input.status,
            output=now.output.status,
            voice=now.connection.voice,
            provider=now.connection.provider,
        )
        return data_of(state)


@dataclass(frozen=True, slots=True)
class Gap:
    """Events with since < seq ≤ until are lost for good: those not yielded before, of *names*."""

    run: str
    since: int
    until: int
    names: tuple[str, ...]
    """Empty: of any name."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The daemon ended, was killed or does not answer; `Back` or `Restarted` follow by themselves."""

    reason: str
    ended: bool = True
    """False where it only fell silent: it may be stopped, or busy."""


@dataclass(frozen=True, slots=True)
class Back:
    """The daemon that was gone answers again: what was missed follows, or is told as a `Gap`."""

    run: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """Another daemon answers: what was true of the last one is not any more.

    Its events follow from its first one on, or from the `Snapshot` where
    snapshots are wanted. What the last one did after its last event here is
    not known.
    """

    run: str


Item = Event | Snapshot | Gap | Gone | Back | Restarted


@dataclass(slots=True)
class _Track:
    """How far a follower knows the events of one name, or of all names together."""

    number: int | None
    """Of the last one: its ``n``, of all together its ``seq``. None: not known yet."""
    seq: int
    """Everything up to here was yielded, told as a gap, or was before the join."""


class Follower:
    """Decides what of the messages is yielded, and when something is missing."""

    def __init__(
        self, names: Sequence[str] = (), *, snapshot: bool = False, since: int | None = None
    ) -> None:
        """Follow the events called *names* (none: all that are counted), from now or from *since* on.

        *snapshot*: a `Snapshot` comes first, and again whenever the view that
        was built on it may be wrong.
        """
        if snapshot and since is not None:
            raise ValueError("a snapshot is of now: it goes without since")
        self._names = tuple(dict.fromkeys(names))
        self.wants_snapshot, self._since = snapshot, since
        self._keys = tuple(name for name in self._names if name not in UNCOUNTED) if self._names else ("",)
        """What is counted: each name, or all together."""
        self._run = ""
        self._tracks: dict[str, _Track] = {}
        self._shown: Event | None = None
        """The message that showed that something is missing."""
        self._welcome: Event | None = None
        self._gone = False
        """It was told that the daemon is gone."""
        self.following = False
        """Whether messages of the subscription are taken: False until joined, and once the daemon is gone."""
        self.missing = False
        """Whether a ``replay`` with `replay_args` is wanted before the next message."""
        self.stale = False
        """Whether a ``snapshot`` is wanted, because what was built on the last one may be wrong."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to, in this order."""
        return tuple(dict.fromkeys([*self._names, *ALWAYS])) if self._names else ("",)

    @property
    def replay_args(self) -> dict[str, Any]:
        """The ``replay`` that is wanted next."""
        args = {"run": self._run, "since": self._floor()}
        return {**args, "events": list(self._keys)} if self._names else args

    def welcomed(self, topic: bytes, message: dict[str, Any]) -> bool:
        """Return whether this is the welcome of the last subscription: all are in force then.

        Anybody else's welcome for the same name reaches us only when ours is
        in force, too. What comes before it is repaired after the snapshot.
        """
        if topic != f"{self.topics[-1]}+welcome".encode():
            return False
        self._welcome = event_of(message)
        return True

    def joined(self, run: str, seq: int, status: StatusReply | None) -> list[Item]:
        """Take the snapshot's cut; *status* is used where snapshots are wanted."""
        items: list[Item] = []
        if run == self._run:
            items.append(Back(run))
            self.missing = bool(self._tracks)
        else:
            if self._run or self._gone:
                items += [*self._given_up(), Restarted(run)]
                start = seq if self.wants_snapshot else 0
            elif self._since is not None and self._since > seq:
                raise CommandError(
                    "gap_too_old", f"this run has come to event {seq} only; {self._since} was another run's"
                )
            else:
                start = seq if self._since is None else self._since
            self._run = run
            # Where a run begins, nothing is before the first event of any name.
            self._tracks = {key: _Track(None if key and start else start, start) for key in self._keys}
            self.missing = bool(self._tracks) and start < seq
        self._shown = None
        self._gone = False
        self.following = True
        if self._welcome and "welcome" in self._names:
            items.append(self._welcome)
        return items + self.refreshed(run, seq, status)

    def refreshed(self, run: str, seq: int, status: StatusReply | None) -> list[Item]:
        """Take a snapshot."""
        self.stale = False
        return [Snapshot(status, seq, run)] if self.wants_snapshot and status else []

    def take(self, topic: bytes, message: dict[str, Any]) -> list[Item]:
        """Take a message of the subscription; not while something is missing."""
        name = topic.decode("utf-8", "replace")
        if name.endswith("+welcome"):
            return []
        event = event_of(message)
        if event.run != self._run:
            return self.lost("it was restarted")
        items: list[Item] = []
        if name == "heartbeat":
            self._compare(event)
        if name not in UNCOUNTED:
            items += self._counted(event)
        elif name in self._names:
            items.append(event)
        if name == "bye":
            items += self.lost(f"the daemon ended: {event.data.get('reason', 'no reason given')}")
        return items

    def replayed(self, events: list[dict[str, Any]], more: bool, seq: int) -> list[Item]:
        """Take a page of the replay; *seq* is the reply's, up to which the last page reaches."""
        items: list[Item] = []
        read = [event_of(each) for each in events]
        for event in read:
            found = self._track(event)
            if found and event.seq > found.seq:
                found.number, found.seq = self._number(event), event.seq
                items.append(event)
        self._advance(read[-1].seq if more and read else seq)
        if not more or not read:
            items += self._repaired()
        return items

    def refused(self, error: CommandError) -> list[Item]:
        """Take the refusal of the replay: tell what can't be repaired, and go on behind it."""
        since = self._floor()
        oldest = error.details.get("oldest") if error.code == "gap_too_old" else None
        if isinstance(oldest, int) and oldest - 1 > since:
            until = oldest - 1  # The rest is still there: `missing` stays.
        else:
            until = self._known_until() or since
            self.missing = False
        for key, track in self._tracks.items():
            if track.seq < until:
                track.number, track.seq = None if key else until, until
        self.stale = self.wants_snapshot
        items: list[Item] = [self._gap(since, until)] if until > since else []
        return items if self.missing else items + self._repaired()

    def lost(self, reason: str, *, ended: bool = True) -> list[Item]:
        """Take the end of the connection; told once until joined again."""
        told, self._gone = self._gone, True
        self.following = self.stale = False
        return [] if told else [Gone(reason, ended)]

    def _counted(self, event: Event) -> list[Item]:
        track = self._track(event)
        if track is None or event.seq <= track.seq:
            return []
        number = self._number(event)
        if number != (track.number or 0) + 1:
            self._shown, self.missing = event, True
            return []
        track.number, track.seq = number, event.seq
        return [event]

    def _compare(self, beat: Event) -> None:
        """Find losses at the tail: what the heartbeat counted came before it, or is lost."""
        last = beat.data.get("last")
        for key, track in self._tracks.items():
            number = beat.seq if key == "" else (last.get(key) if isinstance(last, dict) else None)
            if not isinstance(number, int):
                continue
            if track.number is None and (number == 0 or beat.seq <= track.seq):
                track.number = number
            if number == track.number:
                track.seq = max(track.seq, beat.seq)
            elif beat.seq > track.seq:
                self._shown, self.missing = beat, True

    def _repaired(self) -> list[Item]:
        """Take up the message that had to wait."""
        shown, self._shown, self.missing = self._shown, None, False
        if shown is None:
            return []
        if shown.name == "heartbeat":
            last = shown.data.get("last")
            for key, track in self._tracks.items():
                if track.number is None and isinstance(last, dict):
                    track.number = last.get(key)
            return []
        found = self._track(shown)
        if found is None or shown.seq <= found.seq:
            return []
        found.number, found.seq = self._number(shown), shown.seq
        return [shown]

    def _given_up(self) -> list[Item]:
        """Return what the last run is known to have published and can't be asked for any more."""
        until = self._known_until() if self.missing else None
        since = self._floor()
        return [] if until is None or until <= since else [self._gap(since, until)]

    def _gap(self, since: int, until: int) -> Gap:
        return Gap(self._run, since, until, self._keys if self._names else ())

    def _known_until(self) -> int | None:
        """Return the number of the last event that must have been lost, or None."""
        if self._shown is None:
            return None
        return self._shown.seq - (self._shown.name != "heartbeat")

    def _floor(self) -> int:
        return min((track.seq for track in self._tracks.values()), default=0)

    def _advance(self, seq: int) -> None:
        for key, track in self._tracks.items():
            if track.seq < seq:
                track.seq = seq
                track.number = track.number if key else seq

    def _track(self, event: Event) -> _Track | None:
        return self._tracks.get(event.name if self._names else "")

    def _number(self, event: Event) -> int:
        return event.n if self._names else event.seq


def event_of(message: dict[str, Any]) -> Event:
    """Return the event of a message; unknown further fields are ignored."""
    name, data, run = message.get("event"), message.get("data"), message.get("run")
    seq, n = message.get("seq"), message.get("n")
    if not isinstance(name, str) or not isinstance(data, dict) or not isinstance(run, str):
        raise unreadable()
    if not isinstance(seq, int) or not isinstance(n, int):
        raise unreadable()
    return Event(name, data, seq, n, run, message.get("time", 0.0), message.get("mono", 0.0))
