"""The verbs that go on, and a daemon that is stopped, killed or started again under them."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rtctl.cli import __main__ as cli
from rtctl.cli import bars, show, tables
from rtctl.cli.event_verbs import as_message, line_of
from rtctl.cli.verbs import parser
from rtctl.client.follow import Back, Gap, Gone, Restarted
from rtvoiced.ipc.contract.events import State
from support.answers import CUT, STATE, WHOLE, answers
from support.rtctl import ended, going, line, rtctl, run, started
from support.small_daemon import short_dir, small_daemon_beside

STATE_WORDS = {
    "conversation": "listening",
    "muted": False,
    "push_to_talk": False,
    "connection": "up",
    "input": "open",
    "output": "open",
    "voice": "slt",
    "provider": "local",
}
PROGRAM = """
import asyncio, sys
from pathlib import Path
from rtvoiced.ipc.contract.events import State
from support.small_daemon import SmallDaemon
from support.answers import WHOLE

async def main():
    daemon = SmallDaemon(Path(sys.argv[1]), lambda request: WHOLE)
    daemon.publisher.run = sys.argv[2]
    print("up", flush=True)
    while True:
        daemon.publisher.heartbeat()
        await asyncio.sleep(0.1)

asyncio.run(main())
"""


@pytest.fixture
def room() -> Iterator[Path]:
    with short_dir() as made:
        yield made


@contextmanager
def child_daemon(room: Path, name: str = "9f3a61c2") -> Iterator[subprocess.Popen[str]]:
    """Yield a small daemon in a process of its own, which may be stopped and killed."""
    command = [sys.executable, "-c", PROGRAM, str(room / "run"), name]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, env=environ) as process:
        try:
            assert line(process) == "up"
            yield process
        finally:
            process.kill()


# A stopped daemon

VERBS = {"ask": ["hello", "--wait"], "wait": ["listening"], "is-muted": ["-e"], "reconnect": ["--wait"]}
"""What is typed behind a verb, where that is more than `needed` finds."""
OWN = {"watch", "schema", "completions", "service", "doctor", "logs", "config"}
"""Verbs that end for other reasons, or never, or ask somebody else."""


def needed(verb: argparse.ArgumentParser) -> list[str]:
    """Return a word for each argument that has to be there."""
    words = [each for each in verb._get_positional_actions() if each.nargs not in ("?", "*")]
    return [str(next(iter(each.choices or ["x"]))) for each in words]


@pytest.mark.process
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_of_a_stopped_daemon_every_verb_tells_within_its_timeout(
    room: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (verbs,) = (action.choices for action in parser()._actions if action.dest == "command")
    assert isinstance(verbs, dict)

    def took(words: list[str]) -> float:
        begun = time.monotonic()
        assert (words, rtctl(room, *words)) == (words, 75)
        seconds = time.monotonic() - begun
        out, err = capsys.readouterr()
        assert (bool(out), bool(err)) == (bool(flags), not flags)
        assert "the daemon is busy or stopped, or" in (json.loads(out)["error"]["message"] if flags else err)
        return seconds

    with child_daemon(room) as daemon:
        daemon.send_signal(signal.SIGSTOP)
        for verb in [each for each in verbs if each not in OWN]:
            words = [verb, *(VERBS.get(verb) or needed(verbs[verb])), "--timeout", "0.1", *flags]
            # A second try, because somebody else may have had the processor.
            assert took(words) <= 0.1 + 0.3 or took(words) <= 0.1 + 0.3
        daemon.send_signal(signal.SIGCONT)


# events


@pytest.mark.process
def test_events_tell_the_daemons_end_and_go_on_with_the_next(room: Path) -> None:
    with child_daemon(room) as first, going(room, "events", "welcome") as process:
        told = [json.loads(line(process))]
        first.send_signal(signal.SIGKILL)
        told.append(json.loads(line(process)))
        first.wait()
        with child_daemon(room, "11111111"):
            told += [json.loads(line(process)), json.loads(line(process))]
    assert [told[0]["event"], told[3]["event"]] == ["welcome", "welcome"]
    assert told[1] == {"gone": {"reason": "the daemon hung up: it ended or was killed", "ended": True}}
    assert told[2] == {"restarted": {"run": "11111111"}}


@pytest.mark.process
def test_events_since_a_number_are_replayed(room: Path) -> None:
    with small_daemon_beside(room / "run", answers(lambda: daemon)) as (daemon, act):
        for _ in range(3):
            act(lambda: daemon.publisher.publish(CUT))
        status, out, err = run(room, "events", "--since", "1", "--count", "2")
    assert (status, [json.loads(each)["seq"] for each in out.splitlines()], err) == (0, [2, 3], "")


@pytest.mark.process
@pytest.mark.parametrize("as_json", [False, True])
def test_events_that_are_gone_are_told(room: Path, as_json: bool) -> None:
    with small_daemon_beside(room / "run", answers(lambda: daemon)) as (daemon, act):
        act(lambda: [daemon.publisher.publish(CUT) for _ in range(5005)])
        status, out, err = run(room, "events", "--since", "1", *(["--json"] if as_json else []))
    assert status == 1
    assert (json.loads(out)["error"]["code"] if as_json else out) == ("gap_too_old" if as_json else "")
    assert "--since 5" in (out if as_json else err)


@pytest.mark.process
def test_events_can_begin_with_the_snapshot(room: Path) -> None:
    with (
        small_daemon_beside(room / "run", answers()),
        going(room, "events", "state", "--snapshot") as process,
    ):
        told = json.loads(line(process))["snapshot"]
    assert told["status"]["conversation"] == "speaking"
    assert told["seq"] == 0


@pytest.mark.parametrize(
    ("item", "message", "text"),
    [
        (
            Gap("9f3a61c2", 6, 9, ("delta",)),
            {"gap": {"run": "9f3a61c2", "since": 6, "until": 9, "names": ("delta",)}},
            "gap                  events 7 to 9 of delta are lost",
        ),
        (Gone("it ended"), {"gone": {"reason": "it ended", "ended": True}}, "gone                 it ended"),
        (Back("9f3a61c2"), {"back": {"run": "9f3a61c2"}}, "back                 the daemon answers again"),
        (
            Restarted("9f3a61c2"),
            {"restarted": {"run": "9f3a61c2"}},
            "restarted            another daemon answers, run 9f3a61c2",
        ),
    ],
)
def test_what_is_no_event_is_told_as_a_line(item: Any, message: dict[str, Any], text: str) -> None:
    assert as_message(item) == message
    assert line_of(item, 0.0, color=False)[13:] == text


# wait


@pytest.mark.process
def test_wait_ends_when_all_conditions_hold_at_once(room: Path) -> None:
    muted = State("listening", True, False, "up", "open", "open", "slt", "local")
    with (
        small_daemon_beside(room / "run", answers()) as (daemon, act),
        started(room, "wait", "listening", "muted=off", "connection=up", "--json") as process,
    ):
        while not any(request.name == "snapshot" for _, request in list(daemon.served)):
            time.sleep(0.01)
        act(lambda: daemon.publisher.publish(muted))
        act(lambda: daemon.publisher.publish(STATE))
        status, out, _ = ended(process)
    assert (status, json.loads(out)) == (0, STATE_WORDS)


def test_wait_knows_what_is_true_already(room: Path) -> None:
    with small_daemon_beside(room / "run", answers()):
        assert rtctl(room, "wait", "speaking", "muted=true") == 0


@pytest.mark.parametrize("as_json", [False, True])
def test_wait_is_bounded_by_its_timeout(
    room: Path, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--json"] if as_json else []
    with small_daemon_beside(room / "run", answers()):
        assert rtctl(room, "wait", "idle", "--timeout", "0.3", *flags) == 75
    out, err = capsys.readouterr()
    assert (json.loads(out)["error"]["code"], err) == ("timeout", "") if as_json else "within 0.3 s" in err


@pytest.mark.process
def test_wait_ends_with_the_daemon(room: Path) -> None:
    with child_daemon(room) as daemon, started(room, "wait", "idle") as process:
        time.sleep(0.5)  # Whether before or behind its join: the end is told.
        daemon.kill()
        daemon.wait()
        assert ended(process)[0] == 69


# is-muted


@pytest.mark.parametrize("muted", [True, False])
def test_is_muted_answers_by_word_json_or_exit_status(
    room: Path, muted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_daemon_beside(room / "run", lambda _: {**WHOLE, "muted": muted}):
        assert rtctl(room, "is-muted") == 0
        assert rtctl(room, "is-muted", "--json") == 0
        assert rtctl(room, "is-muted", "-e") == (0 if muted else 1)
    word, as_json = capsys.readouterr().out.splitlines()
    assert (word, json.loads(as_json)) == ("muted" if muted else "not muted", {"muted": muted})


# watch


@pytest.mark.process
def test_a_bar_has_its_first_line_at_once_and_one_for_each_change(room: Path) -> None:
    with small_daemon_beside(room / "run", answers()) as (daemon, act), going(room, "watch") as process:
        assert line(process) == "muted, speaking"
        for conversation in ("listening", "listening", "hearing"):
            words = {**STATE_WORDS, "conversation": conversation}
            act(lambda words=words: daemon.publisher.publish(State(**words)))  # type: ignore[misc]
        assert [line(process), line(process)] == ["listening", "hearing"]


@pytest.mark.process
def test_a_bar_survives_its_daemon(room: Path) -> None:
    with going(room, "watch", "--format", "waybar") as process:
        shown = [json.loads(line(process))["class"]]
        for name in ("9f3a61c2", "11111111"):
            with child_daemon(room, name) as daemon:
                shown.append(json.loads(line(process))["class"])
                daemon.kill()
                shown.append(json.loads(line(process))["class"])
    assert shown == ["offline", "muted", "offline", "muted", "offline"]


@pytest.mark.process
def test_a_bar_shows_a_stopped_daemon_as_offline_at_once(room: Path) -> None:
    with child_daemon(room) as daemon:
        daemon.send_signal(signal.SIGSTOP)
        with going(room, "watch") as process:
            assert line(process) == "offline"
            daemon.send_signal(signal.SIGCONT)
            assert line(process) == "muted, speaking"


@pytest.mark.parametrize(
    ("changed", "kind", "text"),
    [
        ({}, "listening", "listening"),
        ({"conversation": "speaking"}, "speaking", "speaking"),
        ({"muted": True}, "muted", "muted"),
        ({"muted": True, "conversation": "thinking"}, "muted", "muted, thinking"),
        ({"connection": "failed", "muted": True}, "failed", "connection failed"),
        ({"connection": "connecting"}, "connecting", "connecting"),
        ({"input": "unavailable"}, "no-microphone", "no microphone"),
    ],
)
def test_a_bar_shows_what_one_would_act_on_first(changed: dict[str, Any], kind: str, text: str) -> None:
    view = bars.view({**STATE_WORDS, **changed})
    assert (view.kind, view.text) == (kind, text)


def test_a_bars_markup_is_safe() -> None:
    view = bars.view({**STATE_WORDS, "voice": "<b>&\n"})
    shown = bars.waybar(view)
    assert shown["tooltip"].splitlines()[-1] == "voice: &lt;b&gt;&amp; "
    assert (shown["text"], shown["alt"], shown["class"]) == ("listening", "listening", "listening")
    assert bars.polybar(bars.View("muted", "%{x", "")) == "%{F#d7af5f}% {x%{F-}"
    assert bars.polybar(view) == "listening"


# Tables


def test_the_history_is_a_transcript() -> None:
    items = [
        {"item_id": "1", "role": "user", "text": "tell me a story", "heard": None},
        {"item_id": "2", "role": "assistant", "text": "Once upon a time there was", "heard": "Once upon"},
        {"item_id": "3", "role": "assistant", "text": "Never heard\033[2J", "heard": ""},
        {"item_id": "4", "role": "assistant", "text": "word " * 8, "heard": None},
    ]
    assert tables.transcript({"items": items, "more": True}, 36, color=False).splitlines() == [
        "…          there are older ones",
        "you        tell me a story",
        "assistant  Once upon ✂ cut",
        "assistant  ✂ not heard: Never heard",
        "           [2J",
        "assistant  word word word word word",
        "           word word word",
    ]
    assert tables.transcript({"items": [], "more": False}, 80, color=False) == "nothing was said yet"


def test_statistics_are_aligned() -> None:
    latency = {"n": 9, "p50": 71.25, "p95": None, "max": 101}
    data = {"since": 0, "turns": 3, "link": {"reconnects": 1}, "latency_ms": {"mic_to_wire": latency}}
    assert tables.statistics(data, 3600.0, color=False).splitlines()[1:] == [
        "turns            3",
        "link             reconnects 1",
        "",
        "latency in ms       n  median  95 %  max",
        "microphone to wire  9   71.25     –  101",
    ]


def test_devices_are_a_table() -> None:
    listed = {
        "name": "USB PnP",
        "input": True,
        "output": False,
        "default_input": True,
        "default_output": False,
    }
    data = {"devices": [listed], "input": "USB", "output": ""}
    assert tables.devices(data, color=False).splitlines() == [
        "device   microphone  speaker",
        "USB PnP  default     –",
        "microphone wanted: USB",
    ]


@pytest.mark.parametrize(
    ("command", "data", "text"),
    [
        ("volume", {"percent": 40}, "volume 40 %"),
        ("set", {"key": "a.b", "value": True, "applied": "now"}, "a.b = true"),
        ("set", {"key": "a.b", "value": 7, "applied": "next_session"}, "a.b = 7 from the next session on"),
        ("get", {"key": "a.b", "value": "x y", "origin": "default"}, 'a.b = "x y"  (default)'),
        ("set-device", {"direction": "input", "name": "USB"}, "microphone USB"),
        ("set-device", {"direction": "output", "name": ""}, "speaker of the system"),
        ("reload", {"changed": [], "restart": []}, "nothing changed"),
        ("reload", {"changed": ["a.b", "c.d"], "restart": ["c.d"]}, "changed: a.b; wants a restart: c.d"),
    ],
)
def test_a_settings_answer_is_a_line(command: str, data: dict[str, Any], text: str) -> None:
    assert show.screen(command, {}, data, 0.0) == text


def test_schemas_are_printed_without_a_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema", "event.bye"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "event.bye"
    assert cli.main(["schema"]) == 0
    assert {"refusal", "request.mute"} <= set(json.loads(capsys.readouterr().out))
