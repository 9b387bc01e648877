"""`rtvoiced --doctor` names the cause in broken set-ups, and finds nothing wrong in a sound one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from rtvoiced.doctor import sound
from rtvoiced.doctor.findings import Verdict, failure, ok, report, screen, warning, works
from rtvoiced.host.paths import control_socket, events_socket, lock_file
from support.running import Room, Running, room
from support.scripted_server import Refusal, error_body
from support.stage import Stage, stage

KEY = "sk-doctor-0123456789abcdef"
SILENT = ("--audio", "none")


@pytest.fixture(scope="module")
def server() -> Iterator[Stage]:
    """A server that takes everybody."""
    with stage() as it:
        yield it


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


def examined(here: Room, *words: str) -> dict[str, tuple[str, str]]:
    """Return verdict and text of each check; the exit status says whether one has failed.

    What looks at devices or starts a server is a child, because it wants a real standard error.
    """
    examine = here.called if SILENT[1] in words and "local" not in words else here.rtvoiced
    ended = examine("--doctor", "--json", *words)
    told = json.loads(ended.stdout)
    findings = {each["check"]: (each["verdict"], each["text"]) for each in told["findings"]}
    failed = any(verdict == "failure" for verdict, _ in findings.values())

    assert (ended.returncode, told["ok"], ended.stderr) == (int(failed), not failed, "")
    assert all((each["remedy"] is None) == (each["verdict"] == "ok") for each in told["findings"])
    assert len(findings) == len(told["findings"])
    return findings


def failures(here: Room, *words: str) -> dict[str, str]:
    """Return the text of each check that failed."""
    found = examined(here, *words)
    return {check: text for check, (verdict, text) in found.items() if verdict == "failure"}


# -------------------------------------------------------------------------------------- well


@pytest.mark.process
def test_where_nothing_is_wrong_nothing_is_wrong_with_and_without_a_daemon(here: Room, server: Stage) -> None:
    words = ("--url", server.url, *SILENT)
    alone = examined(here, *words)
    with Running(here, *words) as daemon:
        beside = examined(here, *words)
        pid = daemon.process.pid

    assert {check: verdict for check, (verdict, _) in alone.items()} == {
        **dict.fromkeys(("configuration", "provider", "key", "runtime dir", "state"), "ok"),
        **dict.fromkeys(("daemon", "sound"), "warning"),
        **dict.fromkeys(("server", "session"), "ok"),
    }
    assert alone["daemon"] == ("warning", "none runs")
    assert (beside["daemon"][0], f"pid {pid}" in beside["daemon"][1]) == ("ok", True)
    assert " is reached in " in alone["server"][1]
    assert " is ready in " in alone["session"][1]


@pytest.mark.process
def test_the_embedded_server_is_tried_too_and_none_of_it_is_left(here: Room) -> None:
    assert examined(here, "--provider", "local", *SILENT)["session"][0] == "ok"


@pytest.mark.process
def test_for_people_it_is_a_screen_that_says_what_to_do(here: Room, server: Stage) -> None:
    ended = here.rtvoiced("--doctor", "--url", server.url, *SILENT)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[0] == "ok       configuration  no file: the defaults"
    assert (
        "                        → rtctl service start, or rtvoiced in a terminal"
        in ended.stdout.splitlines()
    )


# -------------------------------------------------------------------------- broken set-ups


def configured(text: str) -> Callable[[Room], tuple[str, ...]]:
    def broken(here: Room) -> tuple[str, ...]:
        file = here.path / "rtvoice" / "config.toml"
        file.parent.mkdir()
        file.write_text(text)
        return ()

    return broken


def without_a_key(here: Room) -> tuple[str, ...]:
    return ("--provider", "openai")


def with_an_open_key(here: Room) -> tuple[str, ...]:
    (here.path / "key").write_text(KEY)
    (here.path / "key").chmod(0o644)
    return ("--provider", "openai", "--set", f"session.key_file={here.path / 'key'}")


def open_directory(here: Room) -> tuple[str, ...]:
    here.run.mkdir()
    here.run.chmod(0o755)
    return ()


def linked_directory(here: Room) -> tuple[str, ...]:
    here.run.symlink_to(here.path)
    return ()


def directory_below_a_file(here: Room) -> tuple[str, ...]:
    (here.path / "file").touch()
    return ("--runtime-dir", str(here.path / "file" / "run"))


def linked_lock(here: Room) -> tuple[str, ...]:
    here.run.mkdir(mode=0o700)
    lock_file(here.run).symlink_to(here.path / "elsewhere")
    return ()


def state_below_a_file(here: Room) -> tuple[str, ...]:
    here.state.touch()
    return ()


def long_directory(here: Room) -> tuple[str, ...]:
    return ("--runtime-dir", f"/tmp/{'x' * 100}")


@pytest.mark.parametrize(
    ("broken", "check", "text"),
    [
        (configured("[audio]\nvolume = 5\n"), "configuration", "unknown key audio.volume"),
        (configured("audio = "), "configuration", "no valid TOML"),
        (without_a_key, "key", "provider openai (flag --provider) needs a key"),
        (with_an_open_key, "provider", "is open to others (0644)"),
        (open_directory, "runtime dir", "is open to others (0755)"),
        (linked_directory, "runtime dir", "is a link"),
        (long_directory, "runtime dir", "at most 103 bytes"),
        (directory_below_a_file, "runtime dir", "/file is no directory"),
        (linked_lock, "lock", "lock can't be opened"),
        (state_below_a_file, "state", "/state is no directory"),
    ],
)
def test_what_is_wrong_on_this_machine_is_named_and_nothing_else(
    broken: Callable[[Room], tuple[str, ...]], check: str, text: str, here: Room, server: Stage
) -> None:
    own = broken(here)
    words = own if "--provider" in own else ("--url", server.url, *own)
    found = failures(here, *SILENT, *words)

    assert (list(found), text in found[check]) == ([check], True)


@pytest.mark.process
def test_a_daemon_that_hangs_is_named_with_its_pid(here: Room, server: Stage) -> None:
    words = ("--url", server.url, *SILENT)
    with Running(here, *words) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            found = failures(here, *words)
        finally:
            daemon.process.send_signal(signal.SIGCONT)

        assert found == {"daemon": f"pid {daemon.process.pid} does not answer within 2 s"}


@pytest.mark.process
def test_a_daemon_whose_socket_was_removed_is_named_with_its_pid(here: Room, server: Stage) -> None:
    words = ("--url", server.url, *SILENT)
    with Running(here, *words) as daemon:
        control_socket(here.run).unlink()
        found = failures(here, *words)["daemon"]

    assert found.startswith(f"pid {daemon.process.pid} holds the lock, and its socket is gone")


@pytest.mark.process
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_what_this_user_may_not_write_is_named(here: Room) -> None:
    """As somebody else, who finds all of this room root's; only root can lay that out."""
    looks = """
import os, sys
from pathlib import Path
from rtvoiced.doctor import place
os.setgroups([]); os.setgid(65534); os.setuid(65534)
here, theirs = Path(sys.argv[1]), Path(sys.argv[2])
print(place.obstacle(here / "state"))
print(place.look(here / "run", system=False).findings[-1].text)
print(place.look(theirs, system=False).findings[-1].text)
"""
    theirs = here.path / "theirs"
    theirs.mkdir(mode=0o700)
    lock_file(theirs).touch(mode=0o600)
    os.chown(theirs, 65534, 65534)
    here.path.chmod(0o755)
    ended = subprocess.run(
        [sys.executable, "-c", looks, here.path, theirs], capture_output=True, text=True, check=True
    )

    assert ended.stdout.splitlines() == [
        f"no permission to write in {here.path}",
        f"{here.run} can't be made: no permission to write in {here.path}",
        f"{lock_file(theirs)} can't be opened: it belongs to another user (uid 0)",
    ]


@pytest.mark.process
def test_a_daemon_that_has_no_connection_is_named_though_another_would_get_one(
    here: Room, server: Stage
) -> None:
    with Running(here, "--url", "ws://127.0.0.1:9/", *SILENT) as daemon:
        daemon.until(connection="lost")
        found = failures(here, "--url", server.url, *SILENT)

    assert list(found) == ["connection"]
    assert found["connection"].startswith("the daemon's, to custom, is lost: cannot connect: ")


@pytest.mark.process
def test_sockets_of_a_daemon_that_was_killed_are_no_harm(here: Room, server: Stage) -> None:
    words = ("--url", server.url, *SILENT)
    with Running(here, *words) as daemon:
        daemon.kill()
    found = examined(here, *words)["daemon"]

    assert events_socket(here.run).exists()
    assert found == ("warning", "none runs; the last one was killed and left its sockets")


def test_a_server_that_nobody_runs_is_named(here: Room) -> None:
    found = failures(here, *SILENT, "--url", "ws://127.0.0.1:9/v1/realtime")

    assert found == {"server": "127.0.0.1:9 can't be reached: connection refused"}


def test_a_key_that_the_server_does_not_take_is_named_and_not_shown(here: Room) -> None:
    key = here.path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    refusal = Refusal(401, error_body("invalid_api_key", f"Incorrect API key provided: {KEY}"))
    with stage(configure_nothing, refusal) as strict:
        words = ("--url", strict.url, "--set", "session.auth=bearer", "--set", f"session.key_file={key}")
        found = failures(here, *SILENT, *words)

    assert found == {"session": "HTTP 401: Incorrect API key provided: ***"}


async def configure_nothing(_visit: Any) -> None:
    return


def test_a_server_of_another_kind_is_named(here: Room) -> None:
    with deaf_server() as url:
        found = failures(here, *SILENT, "--url", url)

    assert (list(found), found["session"].startswith("cannot connect: ")) == (["session"], True)


@contextmanager
def deaf_server() -> Iterator[str]:
    """Take one connection after the other, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.process
def test_a_machine_without_a_sound_card_is_named(here: Room, server: Stage) -> None:
    found = failures(here, "--url", server.url, "--audio", "portaudio", "--input", "nonsense")

    assert found["microphone"] == "cannot open the microphone 'nonsense': no device of that name"
    assert found.keys() == {"microphone", "speaker"}


@pytest.mark.process
def test_beside_a_daemon_the_cause_is_named_too_and_each_check_once(here: Room, server: Stage) -> None:
    words = ("--url", server.url, "--audio", "portaudio", "--input", "nonsense")
    alone = failures(here, *words)
    with Running(here, *words) as daemon:
        daemon.until(connection="up")
        beside = examined(here, *words, "--sound")

    assert {check: text for check, (verdict, text) in beside.items() if verdict == "failure"} == alone
    assert beside["echo"][0] == "warning"


# ---------------------------------------------------------------------------------- pieces


def test_only_a_failure_makes_a_conversation_impossible() -> None:
    well = [ok("a", "fine"), warning("b", "odd", "mend it")]
    ill = [*well, failure("c", "broken", "repair it")]

    assert (works(well), works(ill)) == (True, False)
    assert report(ill)["findings"][2] == {
        "check": "c",
        "verdict": Verdict.FAILURE,
        "text": "broken",
        "remedy": "repair it",
    }
    assert screen(ill).splitlines() == [
        "ok       a              fine",
        "warning  b              odd",
        "                        → mend it",
        "failure  c              broken",
        "                        → repair it",
    ]


@pytest.mark.parametrize(("speaker_hz", "microphone_hz"), [(24_000, 24_000), (48_000, 44_100)])
def test_a_chime_is_found_again_by_its_lag_and_loudness(speaker_hz: int, microphone_hz: int) -> None:
    played = sound.tone(speaker_hz)
    echo = sound.tone(microphone_hz) * np.float32(0.1)
    noise = np.random.default_rng(1).normal(0, 0.001, 2 * microphone_hz).astype(np.float32)
    lag = microphone_hz // 8
    noise[lag : lag + len(echo)] += echo
    found = sound.found_again(played, noise, speaker_hz, microphone_hz)

    assert (found.verdict, found.text) == ("ok", "the chime was heard after 125 ms, 20 dB softer")


def test_a_chime_that_nobody_heard_is_told() -> None:
    for heard in (np.zeros(48_000), np.random.default_rng(1).normal(0, 0.01, 48_000)):
        found = sound.found_again(sound.tone(24_000), heard.astype(np.float32), 24_000, 24_000)
        assert (found.verdict, found.text) == ("warning", "the chime was not heard")


@pytest.mark.parametrize(
    ("echo", "expected"),
    [
        (("off", None, None, None), ("ok", "off: nothing measured")),
        (("on", 112.5, 31.4, None), ("ok", "on, lag 112.5 ms, ERLE 31 dB")),
        (("failed", None, None, "it hears itself"), ("warning", "it failed: it hears itself")),
    ],
)
def test_the_echo_canceller_is_told_by_what_it_achieves(
    echo: tuple[object, ...], expected: tuple[str, str]
) -> None:
    found = sound.canceller(dict(zip(("state", "lag_ms", "erle_db", "reason"), echo, strict=True)))

    assert (found.verdict, found.text) == expected


@pytest.mark.process
def test_no_child_of_the_doctor_has_the_key(here: Room) -> None:
    look = """
import os, sys
from rtvoiced import __main__ as program
from rtvoiced.doctor import server
server.look = lambda config, provider: print("left", "OPENAI_API_KEY" in os.environ, file=sys.stderr) or []
words = ["--doctor", "--json", "--audio", "none", "--runtime-dir", os.environ["HOME"] + "/run"]
sys.exit(program.main(words))
"""
    environ = here.environment({"OPENAI_API_KEY": KEY})
    ended = subprocess.run(
        [sys.executable, "-c", look], env=environ, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "left False\n")
    assert KEY not in ended.stdout
