"""rtctl: what it sends, what it prints, how it exits, and how fast it starts."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rtctl.cli import __main__ as cli
from rtctl.cli import show
from rtctl.client.requests import TIMEOUT_S, probe
from rtvoiced.errors import STATUS_OF_CODE, PermissionRefusedError
from rtvoiced.host.paths import control_socket, events_socket
from rtvoiced.ipc.contract.commands import (
    Ask,
    Devices,
    Get,
    Hello,
    History,
    Interrupt,
    Mute,
    Reconnect,
    Reload,
    Say,
    Set,
    SetDevice,
    SetVoice,
    Stats,
    Status,
    Stop,
    Talk,
    Volume,
)
from rtvoiced.ipc.contract.events import EVENTS, SpeechStarted
from rtvoiced.ipc.contract.protocol import Request
from support.answers import CUT, MUTED, STATUS
from support.rtctl import PATIENCE_S, ended, line, rtctl, run, start
from support.small_daemon import refusing, short_dir, small_daemon_beside

NEVER_IMPORTED = {"asyncio", "structlog", "websockets", "pyaudio", "numpy"}


@pytest.fixture
def room() -> Iterator[Path]:
    with short_dir() as made:
        yield made


# What is sent


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["hello"], Hello()),
        (["status"], Status()),
        (["mute"], Mute()),
        (["mute", "toggle"], Mute("toggle")),
        (["mute", "--for", "10m"], Mute("on", 600.0)),
        (["mute", "on", "--for", "90"], Mute("on", 90.0)),
        (["mute", "--for", "1.5h"], Mute("on", 5400.0)),
        (["unmute"], Mute("off")),
        (["interrupt"], Interrupt()),
        (["ask", "Wie", "spät", "ist es?"], Ask("Wie spät ist es?")),
        (["ask", "--", "--json"], Ask("--json")),
        (["reconnect"], Reconnect(False)),
        (["reconnect", "--fresh"], Reconnect(True)),
        (["volume"], Volume()),
        (["volume", "40"], Volume(40)),
        (["volume", "40%"], Volume(40)),
        (["volume", "+5"], Volume(None, 5)),
        (["volume", "-5"], Volume(None, -5)),
        (["say", "Guten", "Tag"], Say("Guten Tag")),
        (["say", "--uninterruptible", "Fire!"], Say("Fire!", interruptible=False)),
        (["talk", "press"], Talk("press")),
        (["set", "turn.silence_ms", "700"], Set("turn.silence_ms", "700")),
        (["get", "turn.silence_ms"], Get("turn.silence_ms")),
        (["devices"], Devices()),
        (["set-device", "input", "USB PnP"], SetDevice("input", "USB PnP")),
        (["set-device", "output", ""], SetDevice("output", "")),
        (["history"], History()),
        (["history", "--last", "3"], History(3)),
        (["stats"], Stats()),
        (["is-muted"], Status()),
        (["reload"], Reload()),
        (["set-voice", "slt"], SetVoice("slt")),
        (["stop"], Stop()),
    ],
)
def test_a_verb_is_a_command(room: Path, words: list[str], command: object) -> None:
    with small_daemon_beside(room / "run") as (daemon, _):
        assert rtctl(room, "-q", *words) == 0
        ((_, request),) = daemon.served
    assert request.command == command
    assert request.id
    assert len(request.id) == 32
    assert request.expires
    assert time.monotonic() - 60 < request.expires < time.monotonic() + TIMEOUT_S


def test_flags_stand_before_and_behind_the_command(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_daemon_beside(room / "run", lambda _: MUTED):
        where = f"--runtime-dir={room / 'run'}"
        for words in ([where, "--json", "mute"], ["mute", "--json", where], [where, "mute", "--json"]):
            assert cli.main(words) == 0
            assert json.loads(capsys.readouterr().out) == MUTED
        assert cli.main([where, "-q", "mute", "--timeout", "5"]) == 0
        assert capsys.readouterr() == ("", "")


def test_the_environment_names_the_directory(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTVOICE_RUNTIME_DIR", str(room / "run"))
    with small_daemon_beside(room / "run"):
        assert cli.main(["-q", "status"]) == 0


# What is told


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("code", [*STATUS_OF_CODE, "of_a_later_version"])
def test_a_refusal_is_told_once_and_sets_the_exit_status(
    room: Path, code: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_daemon_beside(room / "run", refusing(code, "not now\033[2J")):
        status = rtctl(room, "interrupt", *(["--json"] if as_json else []))
    out, err = capsys.readouterr()

    assert status == STATUS_OF_CODE.get(code, 70)
    if as_json:
        error = {"code": code, "message": "not now\033[2J", "retryable": False, "details": {}}
        assert (json.loads(out), err) == ({"ok": False, "error": error}, "")
    else:
        assert (out, err) == ("", "rtctl: not now [2J\n")


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("words", "status", "code", "said"),
    [
        (["status"], 69, "not_running", "start it with: rtvoiced"),
        (["events"], 69, "not_running", "start it with: rtvoiced"),
        (["--runtime-dir", "/" + "x" * 100, "status"], 78, "bad_configuration", "103"),
        ([], 2, "usage", "COMMAND"),
        (["dance"], 2, "usage", "dance"),
        (["mute", "loud"], 2, "usage", "loud"),
        (["mute", "--for", "soon"], 2, "usage", "90, 90s, 10m or 2h"),
        (["mute", "--for", "0"], 2, "usage", "0"),
        (["status", "--timeout", "0"], 2, "usage", "timeout"),
        (["status", "--timeout", "99999h"], 2, "usage", "at most a day"),
        (["stat"], 2, "usage", "stat"),
        (["status", "--system"], 2, "usage", "exclude each other"),
        (["events", "speech_start"], 2, "usage", "speech_started"),
        (["events", "--count", "0"], 2, "usage", "0"),
        (["events", "--since", "1", "--snapshot"], 2, "usage", "--since"),
        (["volume", "101"], 2, "usage", "0 to 100"),
        (["history", "--last", "0"], 2, "usage", "above 0"),
        (["set-device", "loudspeaker", "x"], 2, "usage", "loudspeaker"),
        (["wait", "asleep"], 2, "usage", "listening"),
        (["wait", "connections=up"], 2, "usage", "'connection'"),
        (["wait", "connection=down"], 2, "usage", "lost"),
        (["wait", "listening"], 69, "not_running", "start it with: rtvoiced"),
        (["schema", "event.stat"], 2, "usage", "event.state"),
        (["completions", "tcsh"], 2, "usage", "tcsh"),
    ],
)
def test_mistakes_and_a_dead_daemon_are_told_in_one_line(
    room: Path,
    words: list[str],
    status: int,
    code: str,
    said: str,
    as_json: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert rtctl(room, *(["--json"] if as_json else []), *words) == status
    out, err = capsys.readouterr()

    if as_json:
        told = json.loads(out)
        assert (told["ok"], told["error"]["code"], err) == (False, code, "")
        assert said in told["error"]["message"]
    else:
        assert (out, err.count("\n"), err[:7]) == ("", 1, "rtctl: ")
        assert said in err


@pytest.mark.process
def test_json_stays_json_on_a_terminal_without_unicode(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    with small_daemon_beside(room / "run", lambda _: {"voice": "Jürgen", "applied": "now"}):
        assert run(room, "set-voice", "x", "--json") == (
            0,
            '{"voice": "J\\u00fcrgen", "applied": "now"}\n',
            "",
        )
        assert run(room, "set-voice", "x") == (0, "voice J\\xfcrgen\n", "")


def test_help_and_version_need_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "rtctl 0.1.0\n"
    assert cli.main(["mute", "--help"]) == 0
    assert "--for D" in capsys.readouterr().out


def test_a_dead_daemon_is_named_with_its_path(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (room / "run").mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(control_socket(room / "run")))  # The file stays, as after a SIGKILL.
    assert rtctl(room, "status") == 69
    assert str(control_socket(room / "run")) in capsys.readouterr().err


def test_a_link_is_not_trusted(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (room / "run").symlink_to(room)
    assert rtctl(room, "status") == 77
    assert "link" in capsys.readouterr().err


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_users_socket_is_told_as_such(room: Path) -> None:
    with small_daemon_beside(room / "run"):
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionRefusedError, match="no permission"):
                probe(control_socket(room / "run"))
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("backlog", [0, 100])
def test_a_stopped_daemon_is_told_by_the_timeout(
    room: Path, backlog: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (room / "run").mkdir(0o700)
    queued = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(control_socket(room / "run")))
        listening.listen(backlog)
        for each in queued if backlog == 0 else []:
            each.setblocking(False)
            each.connect_ex(str(control_socket(room / "run")))
        assert rtctl(room, "mute", "--timeout", "0.2") == 75
    for each in queued:
        each.close()
    told = capsys.readouterr().err

    assert ("busy or stopped" in told, "takes longer" in told, "not carried out" in told) == (
        True,
        True,
        True,
    )


@pytest.mark.process
@pytest.mark.parametrize("reply", [{"ok": True}, "rubbish"])
def test_an_answer_of_another_protocol_is_told(
    room: Path, reply: object, capsys: pytest.CaptureFixture[str]
) -> None:
    import zmq

    (room / "run").mkdir(0o700)
    with zmq.Context() as context, context.socket(zmq.REP) as rep:
        rep.set(zmq.LINGER, 0)
        rep.bind(f"ipc://{control_socket(room / 'run')}")
        asking = start(room, "status", "--json")
        rep.recv()
        rep.send_json(reply)
        status, out, err = ended(asking)
    assert (status, json.loads(out)["error"]["code"], err) == (76, "unsupported_protocol", "")


@pytest.mark.parametrize(
    ("words", "data", "line"),
    [
        (["mute"], MUTED, "muted"),
        (["mute"], {**MUTED, "changed": False}, "already muted"),
        (["unmute"], {"muted": False, "until": None, "changed": True}, "unmuted"),
        (["unmute"], {"muted": False, "until": None, "changed": False}, "not muted"),
        (["interrupt"], {"interrupted": False}, "nothing to interrupt"),
        (
            ["interrupt"],
            {"interrupted": True, "item_id": "item_8", "played_ms": 2310, "dropped_ms": 5160},
            "interrupted after 2310 ms, 5160 ms dropped",
        ),
        (
            ["interrupt"],
            {"interrupted": True, "item_id": None, "played_ms": 0, "dropped_ms": 0},
            "interrupted before it was heard",
        ),
        (["ask", "hello"], {"accepted": True, "queued": False}, "asked"),
        (["talk", "press"], {"push_to_talk": True, "changed": True, "held_ms": 0}, "listening"),
        (
            ["talk", "press"],
            {"push_to_talk": True, "changed": False, "held_ms": 40},
            "listening for 40 ms already",
        ),
        (
            ["talk", "release"],
            {"push_to_talk": False, "changed": True, "held_ms": 1200},
            "done after 1200 ms",
        ),
        (["talk", "cancel"], {"push_to_talk": False, "changed": False, "held_ms": 0}, "nothing was pressed"),
        (["ask", "hello"], {"accepted": True, "queued": True}, "asked; it waits for its turn"),
        (["reconnect"], {"accepted": True}, "reconnecting"),
        (["set-voice", "slt"], {"voice": "slt", "applied": "now"}, "voice slt"),
        (
            ["set-voice", "slt"],
            {"voice": "slt", "applied": "next_session"},
            "voice slt from the next session on",
        ),
        (["stop"], {"accepted": True}, "the daemon is stopping"),
        (
            ["hello"],
            {"protocol": [1], "version": "0.1.0", "pid": 42, "run": "9f3a61c2"},
            "rtvoiced 0.1.0, protocol 1, pid 42, run 9f3a61c2",
        ),
    ],
)
def test_a_verb_answers_in_one_line(
    room: Path, words: list[str], data: dict[str, Any], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_daemon_beside(room / "run", lambda _: data):
        assert rtctl(room, *words) == 0
    assert capsys.readouterr() == (line + "\n", "")


# What people read


def test_the_status_is_an_aligned_screen() -> None:
    until = time.strftime("%H:%M", time.localtime(1795204800.0))

    assert show.status_screen(STATUS, 1795204195.0).splitlines() == [
        "conversation  speaking",
        f"microphone    muted until {until}, pulse, 24000 Hz, 20 ms",
        "speaker       unavailable",
        "connection    up for 1 h 3 min, local rtvoice-local, voice slt",
        "echo          cancelled by 38 dB, lag 40 ms",
        "response      840 ms played, 5160 ms queued",
        "interruption  server",
        "daemon        rtvoiced 0.1.0, pid 4242, up 1 h, 1 subscriber, under systemd",
    ]


def test_the_status_says_why_there_is_no_connection() -> None:
    link = STATUS["connection"] | {"status": "failed", "attempt": 3, "reason": "401\033[2J no such key"}
    screen = show.status_screen(STATUS | {"connection": link, "response": None, "last_error": "oh"}, 0)

    assert "failed, local rtvoice-local, voice slt, attempt 3: 401 [2J no such key" in screen
    assert "response      none" in screen
    assert "last error    oh" in screen


def test_the_status_of_another_version_is_still_shown() -> None:
    assert show.status_screen({}, 0).startswith("conversation  unknown")


def test_colour_only_where_wanted(
    room: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_daemon_beside(room / "run", lambda _: STATUS):
        for flag, colored in (("auto", False), ("never", False), ("always", True)):
            assert rtctl(room, "status", "--color", flag) == 0
            assert ("\033[" in capsys.readouterr().out) is colored
    assert show.painted("text", show.RED, wanted=False) == "text"


def test_moments_are_said_as_people_say_them() -> None:
    noon = time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, -1))

    assert show.clock(noon + 90, noon) == "12:01:30"
    assert show.clock(noon + 600, noon) == "12:10"
    assert show.clock(noon + 86400, noon) == "2026-11-22 12:00"


@pytest.mark.parametrize(
    ("length_s", "said"),
    [
        (0.4, "0 s"),
        (59.9, "59 s"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_lengths_are_said_in_two_units(length_s: float, said: str) -> None:
    assert show.duration(length_s) == said


def test_an_event_is_a_line_without_what_is_null() -> None:
    data = {"item_id": "i1", "text": "a\033[2J b", "x": None}
    stamp = time.strftime("%H:%M:%S", time.localtime(1795204195))
    line = show.event_line("user_transcript", data, 1795204195.672)

    assert line == f'{stamp}.672 user_transcript      item_id=i1 text="a\\u001b[2J b"'


def test_every_event_fits_the_column() -> None:
    assert [name for name in EVENTS if len(name) > 20] == []


# Events


def joined(process: subprocess.Popen[str]) -> None:
    """Wait for the welcome, which is printed when every subscription is in force."""
    assert json.loads(line(process))["event"] == "welcome"


@pytest.mark.process
def test_events_are_json_lines_when_piped_and_end_after_count(room: Path) -> None:
    with small_daemon_beside(room / "run") as (daemon, act):
        process = start(room, "events", "welcome", "interrupt", "--count", "3")
        joined(process)
        for _ in range(2):
            act(lambda: daemon.publisher.publish(SpeechStarted("item_7", 5120, "server")))
            act(lambda: daemon.publisher.publish(CUT))
        status, out, err = ended(process)
    events = [json.loads(line) for line in out.splitlines()]

    assert (status, err) == (0, "")
    assert [(event["event"], event["seq"]) for event in events] == [("interrupt", 2), ("interrupt", 4)]
    assert events[0]["data"]["dropped_ms"] == 5160


@pytest.mark.process
def test_without_names_every_counted_event_comes(room: Path) -> None:
    with small_daemon_beside(room / "run") as (daemon, act):
        act(lambda: daemon.publisher.publish(CUT))
        process = start(room, "events", "--count", "2")
        while not any(request.name == "snapshot" for _, request in list(daemon.served)):
            time.sleep(0.01)
        act(lambda: daemon.publisher.publish(SpeechStarted("item_7", 5120, "server")))
        act(lambda: daemon.publisher.publish(CUT))
        _, out, _ = ended(process)
    assert [json.loads(each)["event"] for each in out.splitlines()] == ["speech_started", "interrupt"]


@pytest.mark.process
def test_events_are_readable_on_a_terminal(room: Path) -> None:
    controller, terminal = pty.openpty()
    with small_daemon_beside(room / "run") as (daemon, act):
        process = start(room, "events", "interrupt", "welcome", "--count", "2", stdout=terminal)
        os.close(terminal)
        lines = b""
        while b"\n" not in lines:
            lines += os.read(controller, 4096)
        act(lambda: daemon.publisher.publish(CUT))
        while lines.count(b"\n") < 2:
            lines += os.read(controller, 4096)
        assert ended(process)[2] == ""
    os.close(controller)
    assert b"dropped_ms" in lines
    assert b"5160" in lines
    assert b"\033[" in lines
    assert b"{" not in lines


@pytest.mark.process
def test_bye_is_an_event_too(room: Path) -> None:
    with small_daemon_beside(room / "run"):
        process = start(room, "events", "welcome", "bye", "--count", "2")
        joined(process)
    status, out, err = ended(process)
    assert (status, json.loads(out)["data"], err) == (0, {"reason": "command"}, "")


def test_a_daemon_that_does_not_welcome_is_told_by_the_timeout(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (room / "run").mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as control, socket.socket(socket.AF_UNIX) as events:
        control.bind(str(control_socket(room / "run")))
        control.listen()
        events.bind(str(events_socket(room / "run")))
        events.listen()
        assert rtctl(room, "events", "--timeout", "0.2") == 75
    assert "busy or stopped" in capsys.readouterr().err


@pytest.mark.process
def test_ctrl_c_ends_quietly(room: Path) -> None:
    with small_daemon_beside(room / "run"):
        process = start(room, "events", "welcome")
        joined(process)
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "", "")


@pytest.mark.process
def test_a_reader_that_has_enough_ends_it_quietly(room: Path) -> None:
    with small_daemon_beside(room / "run") as (daemon, act):
        process = start(room, "events", "welcome", "interrupt")
        joined(process)
        assert process.stdout
        process.stdout.close()
        act(lambda: daemon.publisher.publish(CUT))
        assert process.stderr
        assert (process.wait(PATIENCE_S), process.stderr.read()) == (0, "")
        process.stderr.close()


# How it starts


@pytest.mark.process
@pytest.mark.parametrize("alive", [False, True])
def test_nothing_heavy_is_imported(room: Path, alive: bool) -> None:
    code = "import sys; from rtctl.cli.__main__ import main; main(sys.argv[1:]); print(*sys.modules)"
    words = [sys.executable, "-c", code, "--runtime-dir", str(room / "run"), "-q", "status"]
    if alive:
        with small_daemon_beside(room / "run"):
            out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    else:
        out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    modules = set(out.split())

    assert modules & NEVER_IMPORTED == set()
    assert ("zmq" in modules) is alive
    ours = {name for name in modules if name.startswith("rtvoiced.")}
    assert ours <= {"rtvoiced.errors", "rtvoiced.host", "rtvoiced.host.paths"}


@pytest.mark.process
def test_a_dead_daemon_is_told_within_150_ms_of_a_bare_python(room: Path) -> None:
    def took(words: list[str]) -> float:
        begun = time.perf_counter()
        subprocess.run(words, capture_output=True, check=False)
        return time.perf_counter() - begun

    bare = [sys.executable, "-c", "pass"]
    asking = [sys.executable, "-m", "rtctl.cli", "--runtime-dir", str(room / "run"), "status"]
    rounds = [(took(bare), took(asking)) for _ in range(11)]
    # The quickest of each: what somebody else has had of the processor is in all the others.
    bare_s, asking_s = (min(column) for column in zip(*rounds, strict=True))

    assert asking_s < bare_s + 0.150


def test_a_retry_of_a_whole_command_is_another_one(room: Path) -> None:
    toggles: list[Request] = []

    def answer(request: Request) -> dict[str, Any]:
        toggles.append(request)
        return MUTED

    with small_daemon_beside(room / "run", answer):
        for _ in range(2):
            assert rtctl(room, "-q", "mute", "toggle") == 0
    assert len({request.id for request in toggles}) == 2
