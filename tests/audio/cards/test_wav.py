from __future__ import annotations

import struct
import threading
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from rtvoiced.audio.cards.script import Cue, ScriptedUtterance, read_script
from rtvoiced.audio.cards.wav import WavCard, WavSpec, parse_spec
from rtvoiced.audio.cards.wav_file import GrowingWav, header, load
from rtvoiced.audio.events import MicrophoneBlock
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.audio.thread.duplex import Duplex, Report
from rtvoiced.dsp.pcm import WIRE, Part
from rtvoiced.errors import ConfigError
from support.fakes import SimulatedClock, bare

HZ = WIRE.hz


def level(ms: float, value: int = 1000) -> bytes:
    return np.full(WIRE.frames(ms), value, np.int16).tobytes()


def write_wav(
    path: Path, data: bytes, hz: int = HZ, channels: int = 1, bits: int = 16, kind: int = 1
) -> Path:
    step = channels * bits // 8
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, kind, channels, hz,
                       hz * step, step, bits)  # fmt: skip
    path.write_bytes(head + struct.pack("<4sI", b"data", len(data)) + data)
    return path


def read_wav(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, HZ)
        pcm = bytes(file.readframes(file.getnframes()))
        assert len(pcm) == 2 * file.getnframes()
        return pcm


# Files


@pytest.mark.parametrize(
    ("bits", "kind", "data"),
    [
        (8, 1, bytes([128, 192, 64, 255])),
        (16, 1, struct.pack("<4h", 0, 16384, -16384, 32512)),
        (24, 1, b"\0\0\0\7\0\x40\7\0\xc0\7\0\x7f"),
        (32, 1, struct.pack("<4i", 0, 16384 << 16, -(16384 << 16), 32512 << 16)),
        (32, 3, struct.pack("<4f", 0.0, 0.5, -0.5, 32512 / 32768)),
    ],
)
def test_every_width_is_read(tmp_path: Path, bits: int, kind: int, data: bytes) -> None:
    samples = load(write_wav(tmp_path / "a.wav", data, bits=bits, kind=kind))

    assert samples.tolist() == [0, 16384, -16384, 32512]


def test_channels_are_mixed_and_the_rate_is_the_wires(tmp_path: Path) -> None:
    both = np.tile(np.array([1000, 3000], np.int16), 48_000)

    samples = load(write_wav(tmp_path / "a.wav", both.tobytes(), hz=48_000, channels=2))

    assert len(samples) == 24_000
    assert set(samples[100:-100].tolist()) == {2000}


def test_extensible_header_and_unknown_size_are_read(tmp_path: Path) -> None:
    form = struct.pack("<HHIIHHHHIH14x", 0xFFFE, 1, HZ, 2 * HZ, 2, 16, 22, 16, 4, 1)
    body = b"WAVE" + b"LIST" + struct.pack("<I3sx", 3, b"abc") + b"fmt " + struct.pack("<I", len(form)) + form
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\xff\xff\xff\xff" + body + b"data\xff\xff\xff\xff" + struct.pack("<2h", 1, 2))

    assert load(path).tolist() == [1, 2]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"RIFF0000WAVE",
        b"ID3 some music",
        header(4, HZ)[:30],
        b"RIFF0000WAVEdata\4\0\0\0abcd",
        header(4, 7) + b"abcd",
        header(4, HZ).replace(struct.pack("<HH", 2, 16), struct.pack("<HH", 2, 12)) + b"abcd",
    ],
)
def test_what_is_no_wav_file_is_refused_in_one_line(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(raw)

    with pytest.raises(ConfigError, match=r"a\.wav: not a WAV file that can be read") as refused:
        load(path)
    assert "\n" not in str(refused.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.wav: No such file"):
        load(tmp_path / "nothing.wav")


def test_growing_file_is_valid_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    file = GrowingWav(path)
    assert read_wav(path) == b""

    file.append(level(10))
    deadline = time.monotonic() + 5
    while read_wav(path) != level(10) and time.monotonic() < deadline:
        time.sleep(0.02)
    file.append(level(10, 5))
    file.close()
    file.close()

    assert read_wav(path) == level(10) + level(10, 5)


def test_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        GrowingWav(tmp_path / "nowhere" / "out.wav")


# The specification


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("wav:in.wav,out.wav", WavSpec(Path("in.wav"), Path("out.wav"))),
        ("wav:in.toml,", WavSpec(Path("in.toml"), None)),
        ("wav:,out.wav", WavSpec(None, Path("out.wav"))),
    ],
)
def test_spec_names_both_sides(spec: str, expected: WavSpec) -> None:
    assert parse_spec(spec) == expected


@pytest.mark.parametrize("spec", ["wav:", "wav:a.wav", "wav:,", "a,b", "wav:a,b,c"])
def test_bad_spec_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="IN,OUT"):
        parse_spec(spec)


# Scripts


def test_script_is_read(tmp_path: Path) -> None:
    path = tmp_path / "talk.toml"
    path.write_text(
        """
        [[utterance]]
        text = "what time is it"
        voice = "rms"
        pause_ms = 500

        [[utterance]]
        file = "stop.wav"
        after_audible_ms = 3000

        [[utterance]]
        text = "thank you"
        after = "drained"
        """
    )

    assert read_script(path) == (
        ScriptedUtterance("what time is it", None, "rms", None, 500),
        ScriptedUtterance("stop.wav", tmp_path / "stop.wav", "", 3000, 0),
        ScriptedUtterance("thank you", None, "", None, 0),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no \\[\\[utterance\\]\\]"),
        ("utterance = 3", "no \\[\\[utterance\\]\\]"),
        ("other = 1", "unknown key 'other'"),
        ("[[utterance]]\ntext='a'\n[[utterance]]\ntxt='b'", "utterance 2: txt: unknown key"),
        ("[[utterance]]\nvoice='rms'", "utterance 1: text: either text or file"),
        ("[[utterance]]\ntext='a'\nfile='b'", "utterance 1: text: either text or file"),
        ("[[utterance]]\ntext=''", "utterance 1: text: is empty"),
        ("[[utterance]]\ntext='a'\npause_ms='x'", "utterance 1: pause_ms: must be a whole number"),
        ("[[utterance]]\ntext='a'\npause_ms=true", "utterance 1: pause_ms: must be a whole number"),
        ("[[utterance]]\ntext='a'\npause_ms=-1", "utterance 1: pause_ms: must not be negative"),
        ("[[utterance]]\ntext=1", "utterance 1: text: must be a string"),
        ("[[utterance]]\ntext='a'\nafter='now'", 'utterance 1: after: can only be "drained"'),
        ("[[utterance]]\ntext='a'\nafter='drained'\nafter_audible_ms=1", "utterance 1: after_audible_ms"),
        ("[[utterance]]\nfile='a'\nvoice='rms'", "utterance 1: voice: is for text"),
        ("[[", "script.toml: "),
    ],
)
def test_bad_script_is_refused_naming_utterance_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "script.toml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=message) as refused:
        read_script(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def begins_at(
    cue: Cue, utterance: ScriptedUtterance, sounding: list[tuple[float, float]], until: float = 200
) -> float:
    """When *utterance* begins, in a world that sounds in these intervals; in seconds."""
    for block in range(int(until * 100)):
        now = block / 100
        if cue.reached(utterance, now, any(a <= now < b for a, b in sounding)):
            return now
    return float("inf")


DRAINED = ScriptedUtterance("a", None, "", None, 0)
AUDIBLE = ScriptedUtterance("a", None, "", 3000, 0)
PAUSED = ScriptedUtterance("a", None, "", None, 700)


@pytest.mark.parametrize(
    ("utterance", "first", "sounding", "expected"),
    [
        (PAUSED, True, [], 0.7),
        (DRAINED, False, [(1, 3)], 3.5),
        (PAUSED, False, [(1, 3)], 4.2),
        (DRAINED, False, [(1, 3), (3.3, 5)], 5.5),
        (AUDIBLE, False, [(1, 9)], 4.0),
        (AUDIBLE, False, [(1, 2.5), (2.7, 9)], 4.2),
        (AUDIBLE, False, [(1, 2)], 2.5),
        (DRAINED, False, [], 20.0),
        (AUDIBLE, False, [], 20.0),
        (DRAINED, False, [(19, 30)], 30.5),
        (DRAINED, False, [(0, 0.3), (1.5, 3)], 3.5),
        (DRAINED, False, [(0, 5)], 5.5),
        (DRAINED, False, [(1, 500)], 120.0),
    ],
)
def test_utterance_waits_for_its_cue_and_never_for_ever(
    utterance: ScriptedUtterance, first: bool, sounding: list[tuple[float, float]], expected: float
) -> None:
    assert begins_at(Cue(first=first, now=0.0), utterance, sounding) == pytest.approx(expected, abs=0.03)


# The card


@dataclass
class Stage:
    """A WAV card under a duplex, on simulated time."""

    folder: Path
    script: str
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    playback: PlaybackQueue = field(default_factory=lambda: PlaybackQueue(HZ))
    reports: list[Report] = field(default_factory=list)
    begun: list[tuple[float, int, str]] = field(default_factory=list)
    spoken: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        (self.folder / "script.toml").write_text(self.script)
        self.output = self.folder / "out.wav"
        self.card = WavCard(
            WavSpec(self.folder / "script.toml", self.output),
            sounding=lambda: self.playback.sounding,
            speak=lambda text, voice: (np.full(len(text) * 1600, 500, np.int16).tobytes(), 16_000),
            on_utterance=lambda index, text: self.begun.append((round(self.clock.now, 2), index, text)),
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        # Speech is made in real time, and here time stands still.
        self.card._voice._thread.join()

    def run(self, until: float) -> None:
        duplex = Duplex(
            lambda: self.card, self.playback, self.reports.append, bare(), self.clock, self.clock.sleep
        )
        duplex.run(lambda: self.clock.now >= until)

    def answer(self, when: float, ms: float) -> None:
        part = Part(f"r{when}", "i")

        def push() -> None:
            self.playback.push(part, level(ms, 3000), HZ)
            self.playback.finish(part)

        self.clock.at(when, push)


TALK = """
[[utterance]]
text = "one"
pause_ms = 200
[[utterance]]
text = "two"
after_audible_ms = 300
[[utterance]]
text = "three"
pause_ms = 100
"""


def test_script_is_spoken_at_its_cues(tmp_path: Path) -> None:
    stage = Stage(tmp_path, TALK)
    stage.answer(1.0, 2000)
    stage.clock.at(1.6, stage.playback.cut)
    stage.answer(2.5, 500)

    stage.run(5.0)

    assert [text for _, _, text in stage.begun] == ["one", "two", "three"]
    times = [when for when, _, _ in stage.begun]
    # Two audible blocks before each answer ends, and the fade: a few centiseconds of play.
    assert times == pytest.approx([0.2, 1.3, 3.65], abs=0.07)
    microphone = np.frombuffer(
        b"".join(r.pcm for r in stage.reports if isinstance(r, MicrophoneBlock)), np.int16
    )
    # 100 ms a letter.
    assert np.count_nonzero(microphone) == pytest.approx((3 + 3 + 5) * 2400, abs=20)
    assert stage.card.ended


def test_output_is_what_a_listener_hears(tmp_path: Path) -> None:
    stage = Stage(tmp_path, TALK)
    stage.answer(1.0, 200)

    stage.run(2.0)

    heard = np.frombuffer(read_wav(stage.output), np.int16)
    assert len(heard) / HZ == pytest.approx(2.0, abs=0.05)
    loud = np.flatnonzero(heard)
    assert len(loud) == WIRE.frames(200)
    assert loud[0] / HZ == pytest.approx(1.0, abs=0.05)


def test_output_stops_growing_after_the_end_while_nothing_plays(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "[[utterance]]\ntext = 'one'\n")
    stage.answer(1.0, 200)

    stage.run(30.0)

    # The answer's end, and 10 s.
    assert len(read_wav(stage.output)) / 2 / HZ == pytest.approx(11.2, abs=0.1)


def test_microphone_from_a_file_begins_at_once_and_then_is_silent(tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", level(95))
    clock = SimulatedClock()
    card = WavCard(
        WavSpec(tmp_path / "in.wav", None),
        lambda: False,
        lambda _text, _voice: (b"", HZ),
        clock=clock,
        sleep=clock.sleep,
    )

    pcm = b"".join(card.read() for _ in range(20))
    card.close()

    assert pcm == level(95) + WIRE.silence(105)
    assert clock.now == pytest.approx(0.2)
    assert card.output is None
    assert card.problems == {"output": "audio.card names no file for the output"}


def test_missing_file_of_a_script_is_told_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[[utterance]]\nfile = 'gone.wav'\n")

    with pytest.raises(ConfigError, match=r"gone\.wav"):
        WavCard(WavSpec(tmp_path / "s.toml", None), lambda: False, lambda _text, _voice: (b"", HZ))


def test_speech_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[[utterance]]\ntext = 'a'\n")

    def speak(text: str, voice: str) -> tuple[bytes, int]:
        raise ConfigError("there is no voice 'rms'")

    clock = SimulatedClock()
    card = WavCard(WavSpec(tmp_path / "s.toml", None), lambda: False, speak, clock=clock, sleep=clock.sleep)
    card._voice._thread.join()

    with pytest.raises(ConfigError, match="there is no voice"):
        card.read()


def test_nothing_is_said_before_somebody_listens(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[[utterance]]\ntext = 'a'\npause_ms = 15\n")
    listening = iter([False] * 5 + [True])
    clock = SimulatedClock()
    card = WavCard(
        WavSpec(tmp_path / "s.toml", None),
        lambda: False,
        lambda _text, _voice: (level(10), HZ),
        clock=clock,
        sleep=clock.sleep,
        ready=lambda: next(listening),
    )
    card._voice._thread.join()

    blocks = [card.read() for _ in range(9)]

    # Five blocks before anybody listens, then the pause.
    assert [block == level(10) for block in blocks] == [False] * 7 + [True, False]


def test_card_keeps_real_time(tmp_path: Path) -> None:
    card = WavCard(WavSpec(None, tmp_path / "out.wav"), lambda: False, lambda _text, _voice: (b"", HZ))
    reports: list[Report] = []
    duplex = Duplex(lambda: card, PlaybackQueue(HZ), reports.append, bare())
    began = time.monotonic()
    duplex.start()
    time.sleep(1.0)
    duplex.stop()
    took = time.monotonic() - began

    assert len(read_wav(tmp_path / "out.wav")) / 2 / HZ == pytest.approx(took, abs=0.2)
    assert sum(isinstance(r, MicrophoneBlock) for r in reports) == pytest.approx(took / 0.02, abs=10)
