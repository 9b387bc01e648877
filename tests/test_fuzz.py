"""Whatever arrives at a whole daemon: every well-addressed frame gets its typed answer, and nothing stops."""

from __future__ import annotations

import random
from itertools import islice

from hypothesis import HealthCheck, given, settings

from fuzzing import Attacker, Frame, by_chance, of_every_command
from measuring import rss_mb
from rtvoice.ipc.commands import COMMANDS
from rtvoice.paths import control_socket
from running import Running, room

NOWHERE = ("--url", "ws://127.0.0.1:9/v1/realtime", "--audio", "none", "--log-level", "error")
FRAMES = 5000
OF_EVERY_COMMAND = 60
"""Wrong requests made from each command's schema."""
GROWTH_MB = 10.0
"""What the daemon may have grown by once it has seen each kind: the allocator's, not the frames'."""


def abuse(running: Running, frames: int, examples: int, big: int) -> None:
    """Send so many frames to a daemon, *examples* of them for each command made from its schema; one in
    *big* of the others has a megabyte. It answers each, lives on, and does not grow."""
    rng = random.Random(frames)
    pid, run = running.process.pid, running.data("hello")["run"]
    with Attacker(control_socket(running.room.run)) as attacker:

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(of_every_command())
        def send(wrong: tuple[Frame, ...]) -> None:
            for frame in wrong:
                attacker.send(frame)

        chance = by_chance(frames, big)
        for frame in islice(chance, frames // 10):
            attacker.send(frame)
        attacker.overflow()
        attacker.finish()
        before = rss_mb(pid)
        send()
        made = attacker.answered
        for frame in islice(chance, max(0, frames - made)):
            if rng.random() < 0.02:
                attacker.misaddress(rng)
            attacker.send(frame)
        attacker.finish()
        growth = rss_mb(pid) - before
        assert attacker.answered >= frames
        assert {"bad_request", "bad_args", "unknown_command"} <= attacker.refused.keys()
    running.live_on()
    hello = running.data("hello")
    assert (hello["pid"], hello["run"]) == (pid, run)
    assert "Traceback" not in running.log()
    assert growth < GROWTH_MB, f"grew by {growth:.1f} MB"


def test_five_thousand_frames_are_answered_and_nothing_stops() -> None:
    assert OF_EVERY_COMMAND * len(COMMANDS) < FRAMES // 2
    with room() as here, Running(here, *NOWHERE) as running:
        abuse(running, FRAMES, OF_EVERY_COMMAND, big=100)
