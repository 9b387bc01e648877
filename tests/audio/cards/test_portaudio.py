from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from rtvoiced.audio.cards import portaudio
from rtvoiced.audio.cards.portaudio import FoundDevice, PortAudioCard, _Stream, chosen
from rtvoiced.dsp.pcm import WIRE
from rtvoiced.errors import AudioError
from rtvoiced.vocabulary import Direction, words


def found(index: int, name: str, inputs: int = 1, outputs: int = 1, *, default: bool = False) -> FoundDevice:
    return FoundDevice(index, name, "ALSA", inputs, outputs, 48_000, default, default)


DEVICES = (
    found(0, "HDA Intel: ALC257 (hw:0,0)", default=True),
    found(1, "USB PnP Sound Device", outputs=0),
    found(2, "USB PnP", outputs=0),
    found(3, "HDMI 0", inputs=0),
)


@pytest.mark.parametrize(
    ("direction", "name", "index"),
    [
        ("input", "", 0),
        ("output", "", 0),
        ("input", "alc257", 0),
        ("input", "Sound", 1),
        ("input", "usb pnp", 2),
        ("output", "hdmi", 3),
    ],
)
def test_device_is_chosen_by_name(direction: Direction, name: str, index: int) -> None:
    assert chosen(DEVICES, direction, name).index == index


@pytest.mark.parametrize(
    ("devices", "direction", "name", "sentence"),
    [
        (DEVICES, "input", "HDMI", "cannot open the microphone 'HDMI': no device of that name"),
        (DEVICES, "output", "usb", "cannot open the speaker 'usb': no device of that name"),
        ((), "output", "", "cannot open the speaker: the system has no default device"),
    ],
)
def test_device_that_is_not_there_is_told_in_one_line(
    devices: tuple[FoundDevice, ...], direction: Direction, name: str, sentence: str
) -> None:
    with pytest.raises(AudioError) as refused:
        chosen(devices, direction, name)

    assert str(refused.value) == f"{sentence}; rtvoiced --check lists what there is"


def test_missing_pyaudio_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)

    with pytest.raises(AudioError, match="PyAudio can't be loaded"):
        portaudio.devices()


@dataclass
class RawStream:
    """PyAudio's stream, as far as a card needs it; `free` is what it says next."""

    free: list[int]
    written: bytearray = field(default_factory=bytearray)
    broken: bool = False
    closed: int = 0

    def get_write_available(self) -> int:
        return self.free.pop(0)

    def get_input_latency(self) -> float:
        return 0.02

    def get_output_latency(self) -> float:
        return 0.05

    def read(self, frames: int, exception_on_overflow: bool) -> bytes:
        assert not exception_on_overflow
        if self.broken:
            raise OSError(-9999, "Unanticipated host error")
        return bytes(2 * frames)

    def write(self, block: bytes, exception_on_underflow: bool) -> None:
        assert not exception_on_underflow
        if self.broken:
            raise OSError(-9988, "Stream closed")
        self.written += block

    def close(self) -> None:
        self.closed += 1


@dataclass
class Library:
    """PyAudio itself: it can be given back once."""

    terminated: int = 0

    def terminate(self) -> None:
        self.terminated += 1


def card(raw: RawStream, library: Library | None = None) -> PortAudioCard:
    streams: dict[Direction, _Stream] = {
        name: _Stream(raw, DEVICES[0], name, WIRE.hz) for name in words(Direction)
    }
    return PortAudioCard(library or Library(), streams, {})


def test_capacity_is_the_most_that_was_ever_free() -> None:
    it = card(RawStream([720, 480, 0, 960, 240]))

    assert [it.fill() for _ in range(4)] == [240, 720, 0, 720]


def test_negative_number_of_free_frames_is_an_underrun() -> None:
    assert card(RawStream([720, -9980])).fill() == 0


def test_our_own_buffer_is_no_part_of_the_latency() -> None:
    it = card(RawStream([720]))

    assert it.input
    assert it.output
    assert (it.input.latency_ms, it.output.latency_ms) == (20.0, 20.0)


def test_broken_stream_is_a_lost_card() -> None:
    raw = RawStream([720])
    it = card(raw)
    assert it.read() == WIRE.silence(10)
    it.write(b"\1\2")
    assert raw.written == b"\1\2"
    raw.broken = True

    with pytest.raises(AudioError, match=r"is gone .unanticipated host error"):
        it.read()
    with pytest.raises(AudioError, match=r"is gone .stream closed"):
        it.write(b"\1\2")


def test_duplex_stream_is_closed_once() -> None:
    raw, library = RawStream([720]), Library()
    it = card(raw, library)

    it.close()
    it.close()

    assert (raw.closed, library.terminated) == (1, 1)


NOISE = "import os; os.write(2, b'noise\\n')"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.process
def test_libraries_are_silent_and_we_are_not() -> None:
    result = run_python(
        "import sys; from rtvoiced.audio.cards.portaudio import quiet_stderr\n"
        "print('before', file=sys.stderr)\n"
        f"quiet_stderr(); {NOISE}; print('after', file=sys.stderr)"
    )

    assert result.stderr == "before\nafter\n"


@pytest.mark.process
def test_tracebacks_still_reach_standard_error() -> None:
    result = run_python("from rtvoiced.audio.cards.portaudio import quiet_stderr; quiet_stderr(); 1 / 0")

    assert "ZeroDivisionError" in result.stderr


@pytest.mark.process
def test_crashes_still_reach_standard_error() -> None:
    result = run_python(
        "import faulthandler, os, signal; from rtvoiced.audio.cards.portaudio import quiet_stderr\n"
        "quiet_stderr(); os.kill(os.getpid(), signal.SIGSEGV)"
    )

    assert "Fatal Python error: Segmentation fault" in result.stderr


@pytest.mark.process
def test_silence_on_stderr_ends_with_its_block() -> None:
    result = run_python(
        "from rtvoiced.audio.cards.portaudio import silenced_stderr\n"
        f"with silenced_stderr(): {NOISE}\n{NOISE}"
    )

    assert result.stderr == "noise\n"
