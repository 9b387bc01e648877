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
from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RECORD_HZ = 48_000
NEAR_S = 2.0
"""What arrived so long before or after a sample can tell when it sounded."""

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
        # With shared memory libpulse 16 may lock itself up for ever when its server is killed while a
        # fragment of the microphone is in use (pa_memimport_free); the daemon then ends itself (70).
        (home / "client.conf").write_text("autospawn = no\nenable-shm = no\n")
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
        process = self.stream("micsink", hz)
        assert process.stdin
        process.stdin.write(pcm)
        process.stdin.close()
        return process

    def stream(self, sink: str, hz: int) -> subprocess.Popen[bytes]:
        """Open a stream to *sink*: what is written to the process's stdin, s16le mono, sounds at once."""
        return self._popen(
            "pacat", f"--device={sink}", f"--rate={hz}", "--channels=1", "--format=s16le",
            "--latency-msec=10", stdin=subprocess.PIPE,
        )  # fmt: skip

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

    @contextlib.contextmanager
    def echo(self, delay_ms: int = 40) -> Iterator[None]:
        """Let the microphone hear the speaker, about so much later, until the block ends."""
        loaded = self._run(
            "pactl", "load-module", "module-loopback", "source=speaker.monitor", "sink=micsink",
            f"latency_msec={delay_ms}", "adjust_time=0",
        )  # fmt: skip
        assert loaded.returncode == 0, loaded.stderr
        try:
            yield
        finally:
            self._run("pactl", "unload-module", loaded.stdout.decode().strip())

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


class SampleClock:
    """When each sample of a recording sounded, by when its chunks arrived. Pure.

    A chunk can arrive late, never early, so the earliest of those around a
    sample tells; only those around it, for what a recorder loses moves all that follows.
    """

    def __init__(self, hz: int = RECORD_HZ) -> None:
        self._hz = hz
        self._chunks: list[tuple[int, float]] = []
        """How many samples there were after each, and where sample 0 would lie if it was not late."""

    def arrived(self, samples: int, now: float) -> None:
        """Book that by *now* so many *samples* have come altogether."""
        self._chunks.append((samples, now - samples / self._hz))

    def time_of(self, sample: int) -> float:
        """Return the time at which that sample sounded, by the clock of `arrived`."""
        near = int(NEAR_S * self._hz)
        first = bisect_right(self._chunks, sample - near, key=itemgetter(0))
        last = bisect_right(self._chunks, sample + near, key=itemgetter(0))
        around = self._chunks[first:last] or self._chunks[-1:]
        return min(origin for _, origin in around) + sample / self._hz


class Recording:
    """What a listener hears, by the sample clock: a time is that of a sample, not of its arrival."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        self._stdout = process.stdout
        self._pcm = bytearray()
        self._clock = SampleClock()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        deadline = time.monotonic() + 5
        while len(self) < RECORD_HZ // 5 and time.monotonic() < deadline:
            time.sleep(0.01)

    def __len__(self) -> int:
        """How many samples there are so far."""
        return len(self._pcm) // 2

    def _read(self) -> None:
        while chunk := os.read(self._stdout.fileno(), 65_536):
            now = time.monotonic()
            self._pcm += chunk
            self._clock.arrived(len(self), now)

    def join(self) -> None:
        self._thread.join()
        self._stdout.close()

    @property
    def samples(self) -> Samples:
        return self.between(0, len(self))

    def between(self, begin: int, end: int) -> Samples:
        """Return a copy of these samples."""
        return np.frombuffer(bytes(self._pcm[2 * begin : 2 * end]), np.int16)

    def time_of(self, sample: int) -> float:
        """Return the monotonic time at which that sample sounded."""
        return self._clock.time_of(sample)


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
