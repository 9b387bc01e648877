"""Following the events, without sockets: nothing is lost silently, nothing comes twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtctl.client.follow import Back, Event, Follower, Gap, Gone, Item, Restarted
from rtvoiced.errors import CommandError
from support.examples import examples

RUN, NEXT = "9f3a61c2", "11111111"
NAMES = ("delta", "state", "interrupt")

Message = dict[str, Any]


class Published:
    """What a daemon sends, and a ring of *kept* events."""

    def __init__(self, run: str = RUN, kept: int = 5000) -> None:
        self.run, self.kept = run, kept
        self.events: list[Message] = []
        self.last = dict.fromkeys(NAMES, 0)

    @property
    def seq(self) -> int:
        return len(self.events)

    def message(self, name: str, n: int, **data: object) -> Message:
        return {
            "run": self.run,
            "seq": self.seq,
            "n": n,
            "time": 0.0,
            "mono": 0.0,
            "event": name,
            "data": data,
        }

    def publish(self, name: str) -> Message:
        self.last[name] += 1
        self.events.append({})
        self.events[-1] = self.message(name, self.last[name])
        return self.events[-1]

    def beat(self) -> Message:
        return self.message("heartbeat", 0, seq=self.seq, last=dict(self.last))

    def replay(self, since: int, names: list[str] | None, page: int = 2) -> tuple[list[Message], bool]:
        oldest = max(1, self.seq - self.kept + 1)
        if since + 1 < oldest:
            raise CommandError("gap_too_old", "gone", details={"oldest": oldest, "run": self.run})
        wanted = [each for each in self.events[since:] if names is None or each["event"] in names]
        return wanted[:page], len(wanted) > page


def settle(follower: Follower, daemon: Published) -> list[Item]:
    """Answer what the follower asks for, as the daemon would."""
    items: list[Item] = []
    for _ in range(1000):
        if not follower.missing:
            return items
        args = follower.replay_args
        try:
            events, more = daemon.replay(args["since"], args.get("events"))
        except CommandError as error:
            items += follower.refused(error)
        else:
            items += follower.replayed(events, more, daemon.seq)
    raise AssertionError("the repair never ends")


def send(follower: Follower, daemon: Published, message: Message) -> list[Item]:
    return follower.take(message["event"].encode(), message) + settle(follower, daemon)


def joined(*names: str, daemon: Published, since: int | None = None) -> Follower:
    follower = Follower(names, since=since)
    assert follower.joined(daemon.run, daemon.seq, None) == []
    return follower


def seqs(items: list[Item]) -> list[int]:
    return [item.seq for item in items if isinstance(item, Event)]


# Tables


def test_everything_and_what_tells_the_end_is_subscribed_to() -> None:
    assert Follower().topics == ("",)
    assert Follower(("state", "bye", "state")).topics == ("state", "bye", "heartbeat")


def test_the_welcome_of_the_last_subscription_counts() -> None:
    follower, daemon = Follower(("state",)), Published()
    welcome = daemon.message("welcome", 0, subscription="bye", protocol=1)

    assert not follower.welcomed(b"state+welcome", welcome)
    assert follower.welcomed(b"bye+welcome", welcome)
    assert follower.joined(RUN, 0, None) == []


def test_events_up_to_the_snapshot_are_in_it() -> None:
    daemon = Published()
    before = daemon.publish("state")
    follower = joined(daemon=daemon)

    assert send(follower, daemon, before) == []
    assert seqs(send(follower, daemon, daemon.publish("state"))) == [2]


@pytest.mark.parametrize("names", [(), ("delta",), ("delta", "state")])
def test_a_loss_is_repaired_before_the_event_that_shows_it(names: tuple[str, ...]) -> None:
    daemon = Published()
    follower = joined(*names, daemon=daemon)
    received = [seqs(send(follower, daemon, daemon.publish("delta")))]
    for _ in range(5):
        daemon.publish("delta")
    received.append(seqs(send(follower, daemon, daemon.publish("delta"))))

    assert received == [[1], [2, 3, 4, 5, 6, 7]]


@pytest.mark.parametrize("names", [(), ("delta",)])
def test_a_loss_at_the_tail_is_shown_by_the_heartbeat(names: tuple[str, ...]) -> None:
    daemon = Published()
    follower = joined(*names, daemon=daemon)
    daemon.publish("delta")
    late = daemon.events[-1]

    assert seqs(send(follower, daemon, daemon.beat())) == [1]
    assert send(follower, daemon, late) == []
    assert send(follower, daemon, daemon.beat()) == []


def test_a_filtered_follower_does_not_ask_for_what_it_did_not_want() -> None:
    daemon = Published()
    follower = joined("state", daemon=daemon)
    for _ in range(3):
        daemon.publish("delta")

    follower.take(b"heartbeat", daemon.beat())
    assert not follower.missing
    follower.take(b"state", daemon.publish("state"))
    assert not follower.missing


@pytest.mark.parametrize(("names", "told"), [((), ()), (("delta",), ("delta",))])
def test_what_the_ring_has_lost_is_a_gap_and_the_rest_follows(
    names: tuple[str, ...], told: tuple[str, ...]
) -> None:
    daemon = Published(kept=3)
    follower = joined(*names, daemon=daemon)
    for _ in range(9):
        daemon.publish("delta")
    items = send(follower, daemon, daemon.publish("delta"))

    assert items[0] == Gap(RUN, 0, 7, told)
    assert seqs(items[1:]) == [8, 9, 10]


def test_a_daemon_without_replay_leaves_gaps() -> None:
    daemon = Published()
    follower = joined(daemon=daemon)
    daemon.publish("delta")
    shown = daemon.publish("delta")
    assert follower.take(b"delta", shown) == []
    items = follower.refused(CommandError("unknown_command", "no"))

    assert items[0] == Gap(RUN, 0, 1, ())
    assert seqs(items) == [2]
    assert not follower.missing


def test_since_a_number_everything_behind_it_comes() -> None:
    daemon = Published()
    for _ in range(5):
        daemon.publish("delta")
    assert seqs(settle(joined(daemon=daemon, since=2), daemon)) == [3, 4, 5]
    assert seqs(settle(joined("delta", daemon=daemon, since=0), daemon)) == [1, 2, 3, 4, 5]
    with pytest.raises(CommandError, match="event 5 only; 99 was another run's"):
        joined(daemon=daemon, since=99)


def test_the_end_is_told_once_and_the_same_daemon_is_caught_up_with() -> None:
    daemon = Published()
    follower = joined(daemon=daemon)
    send(follower, daemon, daemon.publish("state"))
    assert follower.lost("silent") == [Gone("silent")]
    assert follower.lost("still") == []
    daemon.publish("delta")

    assert follower.joined(RUN, daemon.seq, None) == [Back(RUN)]
    assert seqs(settle(follower, daemon)) == [2]


@pytest.mark.parametrize("names", [(), ("state",)])
def test_of_another_daemon_everything_comes(names: tuple[str, ...]) -> None:
    daemon, after = Published(), Published(NEXT)
    follower = joined(*names, daemon=daemon)
    send(follower, daemon, daemon.publish("state"))
    assert follower.take(b"state", after.publish("state")) == [Gone("it was restarted")]
    after.publish("state")

    assert follower.joined(NEXT, after.seq, None) == [Restarted(NEXT)]
    assert seqs(settle(follower, after)) == [1, 2]


def test_a_loss_that_the_restart_made_final_is_a_gap() -> None:
    daemon, after = Published(), Published(NEXT)
    follower = joined(daemon=daemon)
    for _ in range(3):
        daemon.publish("delta")
    assert follower.take(b"delta", daemon.events[-1]) == []
    assert follower.lost("killed") == [Gone("killed")]

    assert follower.joined(NEXT, 0, None) == [Gap(RUN, 0, 2, ()), Restarted(NEXT)]
    assert seqs(send(follower, after, after.publish("state"))) == [1]


def test_bye_is_yielded_where_it_is_wanted_and_ends_it() -> None:
    for names, wanted in (((), 1), (("bye",), 1), (("state",), 0)):
        daemon = Published()
        daemon.last["bye"] = 0
        follower = joined(*names, daemon=daemon)
        bye = daemon.publish("bye")
        bye["data"] = {"reason": "command"}
        items = follower.take(b"bye", bye)
        assert [type(item) for item in items] == [Event] * wanted + [Gone]
        assert items[-1] == Gone("the daemon ended: command")


def test_uncounted_events_come_only_where_named() -> None:
    daemon = Published()
    beat = daemon.beat()

    assert [type(item) for item in follower_of("heartbeat").take(b"heartbeat", beat)] == [Event]
    assert joined(daemon=daemon).take(b"heartbeat", beat) == []
    assert follower_of("state").take(b"state+welcome", daemon.message("welcome", 0)) == []


def follower_of(*names: str) -> Follower:
    return joined(*names, daemon=Published())


@pytest.mark.parametrize(
    "message", [{}, {"event": "state"}, {"event": 1, "data": {}, "run": RUN, "seq": 1, "n": 1}]
)
def test_what_is_no_event_is_another_protocol(message: Message) -> None:
    with pytest.raises(CommandError) as caught:
        follower_of().take(b"state", message)
    assert caught.value.code == "unsupported_protocol"


# Random histories


@examples(100)
@given(
    before=st.lists(st.sampled_from(NAMES), max_size=5),
    steps=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(NAMES), st.sampled_from(["sent", "lost"])),
            st.tuples(st.just("heartbeat"), st.sampled_from(["sent", "lost"])),
            st.tuples(st.just("away"), st.sampled_from(["back", "restarted"])),
        ),
        max_size=60,
    ),
    names=st.sampled_from([(), ("delta",), ("state", "interrupt"), NAMES]),
    kept=st.sampled_from([3, 5000]),
)
def test_whatever_is_lost_each_event_comes_once_or_is_in_a_gap(
    before: list[str], steps: list[tuple[str, str]], names: tuple[str, ...], kept: int
) -> None:
    daemon = Published(kept=kept)
    for name in before:
        daemon.publish(name)
    cut = daemon.seq
    follower, items = joined(*names, daemon=daemon), list[Item]()
    for name, fate in steps:
        if name == "away":
            items += send(follower, daemon, daemon.beat())
            check(daemon, items, cut, names)
            items += follower.lost("away")
            if fate == "restarted":
                daemon, cut, items = Published(f"{int(daemon.run, 16) + 1:08x}", kept), 0, []
                daemon.publish("state")
            items += follower.joined(daemon.run, daemon.seq, None) + settle(follower, daemon)
            continue
        message = daemon.beat() if name == "heartbeat" else daemon.publish(name)
        if fate == "sent" and (not names or name in (*names, "heartbeat")):
            items += send(follower, daemon, message)
    items += send(follower, daemon, daemon.beat())
    check(daemon, items, cut, names)


def check(daemon: Published, items: list[Item], cut: int, names: tuple[str, ...]) -> None:
    """See that each wanted event since the cut came once, as it was sent, or is in a gap."""
    came = [item for item in items if isinstance(item, Event) and item.run == daemon.run]
    gaps = [item for item in items if isinstance(item, Gap) and item.run == daemon.run]
    wanted = {each["seq"] for each in daemon.events[cut:] if not names or each["event"] in names}
    numbers = [event.seq for event in came]

    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= wanted
    lost = wanted - set(numbers)
    assert all(any(gap.since < seq <= gap.until for gap in gaps) for seq in lost)
    assert all(daemon.events[event.seq - 1]["event"] == event.name for event in came)
    if not names:
        assert numbers == sorted(numbers)
    if not lost:
        assert daemon.kept < 5000 or gaps == []
