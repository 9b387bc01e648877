"""A sound card without hardware: PulseAudio of its own with two null sinks, as root and in a container too.

`speaker` is what rtvoice plays to; `micsink` is what `say` speaks into, and
`mic`, remapped from its monitor, what rtvoice records.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RECORD_HZ = 48_000

DEFAULT_PA = f"""\
load-module module-native-protocol-unix
load-module module-null-sink sink_name=speaker rate={RECORD_HZ}
load-module module-null-sink sink_name=micsink rate={RECORD_HZ}
load-module module-remap-source source_name=mic master=micsink.monitor
set-default-sink speaker
set-default-source mic
"""

# Only these: without alsa.conf no other device is listed.
ASOUND_CONF = """\
pcm.!default { type pulse }
ctl.!default { type pulse }
pcm.testmic { type pulse device mic }
pcm.testspeaker { type pulse device speaker }
"""

Samples = NDArray[np.int16]


def available() -> bool:
    return all(shutil.which(program) for program in ("pulseaudio", "pacat", "parec", "pactl"))


class VirtualCard:
    """A running PulseAudio; `env` makes a process use it."""

    def __init__(self, home: Path) -> None:
        run = home / "run"
        run.mkdir(mode=0o700)
        (home / "default.pa").write_text(DEFAULT_PA)
        (home / "asound.conf").write_text(ASOUND_CONF)
        self._home = home
        self.env = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(run),
            "ALSA_CONFIG_PATH": str(home / "asound.conf"),
            # Else a client would start a second server when this one is stopped.
            "PULSE_CLIENTCONFIG": str(home / "client.conf"),
            "JACK_NO_START_SERVER": "1",
        }
        (home / "client.conf").write_text("autospawn = no\n")
        self._server: subprocess.Popen[bytes] | None = None
        self._keepers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._server = self._popen(
            "pulseaudio", "-n", "-F", str(self._home / "default.pa"), "--daemonize=no", "--exit-idle-time=-1"
        )
        deadline = time.monotonic() + 10
        while self._run("pactl", "info").returncode:
            assert time.monotonic() < deadline, "PulseAudio did not start"
            time.sleep(0.05)
        # A null sink of which nobody reads quickly sends in lumps of up to 1.8 s.
        self._keepers = [
            self._popen("parec", f"--device={sink}.monitor", "--latency-msec=5")
            for sink in ("speaker", "micsink")
        ]
        # A first lump of 2 s is still on its way: until it is over, nothing can be read at all.
        for sink in ("speaker", "micsink"):
            with self.record(sink):
                pass

    def stop(self, *, kill: bool = False) -> None:
        """Take the server away, as when its session ends."""
        for keeper in self._keepers:
            keeper.kill()
            keeper.wait()
        if self._server:
            self._server.kill() if kill else self._server.terminate()
            self._server.wait()
        self._server, self._keepers = None, []

    def plug_in(self, name: str) -> None:
        """Add a device of that name, which plays to the speaker and records the microphone."""
        with (self._home / "asound.conf").open("a") as conf:
            conf.write(
                f"pcm.{name} {{ type asym\n"
                "  playback.pcm { type pulse device speaker }\n"
                "  capture.pcm { type pulse device mic } }\n"
            )

    def say(self, pcm: bytes, hz: int) -> subprocess.Popen[bytes]:
        """Speak s16le mono into the microphone; returns at once, the process ends with the speech."""
        process = self._popen(
            "pacat", "--device=micsink", f"--rate={hz}", "--channels=1", "--format=s16le",
            "--latency-msec=10", stdin=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(pcm)
        process.stdin.close()
        return process

    @contextlib.contextmanager
    def record(self, sink: str = "speaker") -> Iterator[Recording]:
        """Record what a listener hears, until the block ends."""
        process = self._popen(
            "parec", f"--device={sink}.monitor", "--latency-msec=5", f"--rate={RECORD_HZ}", "--channels=1",
            "--format=s16le", stdout=subprocess.PIPE,
        )  # fmt: skip
        recording = Recording(process)
        try:
            yield recording
        finally:
            process.kill()
            process.wait()
            recording.join()

    def _popen(
        self, *command: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, env=os.environ | self.env, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL
        )

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, env=os.environ | self.env, capture_output=True, timeout=10, check=False
        )


class Recording:
    """What a listener hears, by the sample clock: a time is that of a sample, not of its arrival."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        self._stdout = process.stdout
        self._pcm = bytearray()
        self._origin = float("inf")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        deadline = time.monotonic() + 5
        while len(self._pcm) < RECORD_HZ // 5 and time.monotonic() < deadline:
            time.sleep(0.01)

    def _read(self) -> None:
        while chunk := os.read(self._stdout.fileno(), 65_536):
            now = time.monotonic()
            self._pcm += chunk
            # A chunk can arrive late, never early: the earliest tells when the first sample sounded.
            self._origin = min(self._origin, now - len(self._pcm) / 2 / RECORD_HZ)

    def join(self) -> None:
        self._thread.join()
        self._stdout.close()

    @property
    def samples(self) -> Samples:
        return np.frombuffer(bytes(self._pcm[: len(self._pcm) // 2 * 2]), np.int16)

    def time_of(self, sample: int) -> float:
        """The monotonic time at which that sample sounded."""
        return self._origin + sample / RECORD_HZ

    def sample_at(self, when: float) -> int:
        return int((when - self._origin) * RECORD_HZ)


@contextlib.contextmanager
def virtual_card() -> Iterator[VirtualCard]:
    """Run a card, with this process's environment set to it as well."""
    with tempfile.TemporaryDirectory(prefix="rtv-") as home:
        card = VirtualCard(Path(home))
        before = {key: os.environ.get(key) for key in card.env}
        card.start()
        os.environ.update(card.env)
        try:
            yield card
        finally:
            card.stop()
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value
