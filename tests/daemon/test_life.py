"""One daemon's life: alone in its directory, killed and started again, stopped in any state."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from rtvoiced.host.paths import control_socket, events_socket
from support.running import PATIENCE_S, STOP_S, Room, Running, eventually, room

LOCAL = ("--provider", "local", "--audio", "none")
NOWHERE = ("--url", "ws://127.0.0.1:9/v1/realtime", "--audio", "none", "--log-level", "error")
"""A server that nobody runs: port 9 discards."""
FRAMES = 10_000
BUGGY = """
import os, sys
from pathlib import Path
import rtvoiced.audio.playback.queue, rtvoiced.conversation.machine, rtvoiced.__main__

owner, _, name = "{where}".rpartition(".")
module, _, kind = owner.rpartition(".")
of = getattr(sys.modules["rtvoiced." + module], kind)
right = getattr(of, name)

def wrong(*args):
    if Path(os.environ["HOME"], "now").exists():
        raise RuntimeError("a bug, on purpose")
    return right(*args)

setattr(of, name, wrong)
sys.exit(rtvoiced.__main__.main())
"""


HANGING = """
import os, sys, time
from pathlib import Path
from rtvoiced import __main__ as program
from rtvoiced.app.build.launch import Parts
from rtvoiced.audio.playback.queue import PlaybackQueue

take = PlaybackQueue.take

def hang(self, frames):
    while Path(os.environ["HOME"], "now").exists():
        time.sleep(1)
    return take(self, frames)

PlaybackQueue.take = hang
sys.exit(program.main(parts=Parts(stall_s=0.5)))
"""


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


# Alone


def test_second_daemon_leaves_at_once_and_names_the_first(here: Room) -> None:
    took = []
    with Running(here, *NOWHERE) as first:
        for _ in range(3):
            begun = time.monotonic()
            second = here.rtvoiced(*NOWHERE)
            took.append(time.monotonic() - begun)

            assert second.returncode == 75
            assert f"(pid {first.process.pid})" in second.stderr
            assert second.stderr.count("\n") == 1
        assert first.data("status")["pid"] == first.process.pid
        assert first.data("hello")["pid"] == first.process.pid
    assert statistics.median(took) < 1


def test_without_a_daemon_rtctl_says_so(here: Room) -> None:
    with Running(here, *NOWHERE):
        assert here.rtctl("status").returncode == 0
    gone = here.rtctl("status")
    assert (gone.returncode, gone.stdout) == (69, "")
    assert str(control_socket(here.run)) in gone.stderr


# Killed


def test_after_kill_9_the_next_daemon_works_at_once_and_a_mute_still_holds(here: Room) -> None:
    with Running(here, *NOWHERE) as first:
        until = first.data("mute", mode="on", for_s=600.0)["until"]
        first.kill()
    with Running(here, *NOWHERE) as second:
        status = second.data("status")
        assert (status["muted"], status["muted_until"]) == (True, until)
        second.data("mute", mode="on")
        second.kill()
    with Running(here, *NOWHERE) as third:
        status = third.data("status")
        assert (status["muted"], status["muted_until"]) == (True, None)
        third.data("mute", mode="off")
        third.kill()
    with Running(here, *NOWHERE) as fourth:
        assert fourth.data("status")["muted"] is False
        until = fourth.data("mute", mode="on", for_s=0.2)["until"]
        fourth.kill()
    eventually(lambda: time.time() > until)  # It runs out while no daemon lives.
    with Running(here, *NOWHERE) as fifth:
        assert fifth.data("status")["muted"] is False


def test_mute_for_a_time_that_a_restart_left_over_ends_by_itself(here: Room) -> None:
    with Running(here, *NOWHERE) as first:
        first.data("mute", mode="on", for_s=2.0)
        first.kill()
    with Running(here, *NOWHERE) as second:
        assert second.words["muted"]
        second.until(muted=False)


def test_embedded_server_does_not_outlive_a_killed_daemon(here: Room) -> None:
    with Running(here, *LOCAL) as daemon:
        daemon.until(connection="up")
        eventually(lambda: len(here.processes()) == 4)  # The daemon, its server, two recognisers.
        daemon.kill()
        eventually(lambda: not here.processes(), lambda: str(here.processes()))
    with Running(here, *LOCAL) as again:
        again.until(connection="up")
        again.ask("say hello")
        again.wait("assistant_transcript", heard="hello")


# A bug ends it: the service manager starts another


@pytest.mark.parametrize(
    "where", ["conversation.machine.Conversation.handle", "audio.playback.queue.PlaybackQueue.take"]
)
def test_bug_ends_the_process_with_70_and_leaves_nothing(here: Room, where: str) -> None:
    with Running(here, *LOCAL, program=(sys.executable, "-c", BUGGY.format(where=where))) as daemon:
        daemon.until(connection="up")
        (here.path / "now").touch()
        daemon.post("mute")
        assert daemon.ended() == 70
        assert daemon.wait("bye")["data"] == {"reason": "bug"}
        assert "a bug, on purpose" in daemon.log()
        eventually(lambda: not here.processes(), lambda: str(here.processes()))


def test_sound_system_that_hangs_ends_the_process_with_70(here: Room) -> None:
    with Running(here, *NOWHERE, program=(sys.executable, "-c", HANGING)) as daemon:
        (here.path / "now").touch()
        assert daemon.ended() == 70
        assert daemon.wait("error")["data"]["code"] == "audio_unavailable"
        assert daemon.wait("bye")["data"] == {"reason": "audio stalled"}


# Disturbed


def test_random_frames_at_both_sockets_change_nothing(here: Room) -> None:
    chance = random.Random(4711)
    with Running(here, *NOWHERE) as daemon, noise(daemon.room) as (control, events):
        for _ in range(FRAMES):
            parts = [
                chance.randbytes(chance.choice((0, 0, 1, 2, 20, 300))) for _ in range(chance.randint(1, 4))
            ]
            control.send_multipart(parts)
            events.send_multipart(parts)
        raw(control_socket(here.run), chance.randbytes(4096))
        raw(events_socket(here.run), chance.randbytes(4096))
        # Behind all of it, in the same pipe.
        control.send_multipart([b"", b'{"command":"hello","id":"behind-all-of-it"}'])
        until = time.monotonic() + PATIENCE_S
        while b"behind-all-of-it" not in control.recv_multipart()[-1]:
            assert time.monotonic() < until
        assert daemon.data("status")["pid"] == daemon.process.pid
        daemon.live_on()


@contextlib.contextmanager
def noise(where: Room) -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as control, context.socket(zmq.XSUB) as events:
        for each, path in ((control, control_socket(where.run)), (events, events_socket(where.run))):
            each.set(zmq.LINGER, 0)
            each.set(zmq.SNDHWM, 0)
            each.set(zmq.RCVHWM, 0)
            each.set(zmq.RCVTIMEO, int(PATIENCE_S * 1000))
            each.connect(f"ipc://{path}")
        yield control, events


def raw(path: Path, told: bytes) -> None:
    """Speak something else than ZMTP."""
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(path))
        with contextlib.suppress(OSError):
            stranger.sendall(told)


# Stopped: `Running.stop` holds the exit status, `bye`, the 2 s, the log and the processes


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, "stop"])
def test_stopped_while_it_speaks(here: Room, how: signal.Signals | str) -> None:
    with Running(here, *LOCAL) as daemon:
        daemon.until(connection="up")
        daemon.ask("tell me a long story")
        daemon.wait("playback", status="started")
        if isinstance(how, signal.Signals):
            daemon.stop(lambda: daemon.process.send_signal(how))
        else:
            daemon.stop(lambda: daemon.data("stop"))
        (bye,) = daemon.named("bye")
        (cut,) = daemon.named("interrupt")

        assert bye["data"] == {"reason": how if isinstance(how, str) else how.name}
        assert (cut["data"]["cause"], daemon.events[-1]) == ("shutdown", bye)


def test_rtctl_stop(here: Room) -> None:
    with Running(here, *NOWHERE) as daemon:
        daemon.stop(lambda: here.rtctl("stop"))


def test_stopped_while_it_connects(here: Room) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/v1/realtime"
        with Running(here, "--url", url, "--audio", "none") as daemon:
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(3) == b"GET"
                daemon.stop()
        assert daemon.words["connection"] == "connecting"


def test_stopped_while_its_server_starts(here: Room) -> None:
    with Running(here, *LOCAL) as daemon:
        eventually(lambda: [line for line in here.processes().values() if " serve " in line])
        daemon.stop()


def test_stopped_while_its_server_hangs(here: Room) -> None:
    with Running(here, *LOCAL) as daemon:
        daemon.until(connection="up")
        eventually(lambda: len(here.processes()) == 4)
        children = [pid for pid in here.processes() if pid != daemon.process.pid]
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            daemon.process.terminate()
            assert daemon.ended() == 0
            assert time.monotonic() - begun < STOP_S
        finally:
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
