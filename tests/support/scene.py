"""The audio thread in a room, in simulated time: what the daemon's ears make of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.capture.echo import EchoProbe
from rtvoiced.audio.capture.front_end import FrontEnd
from rtvoiced.audio.events import EchoChanged, MicrophoneBlock, PlaybackMoved, VoiceStarted
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.audio.thread.duplex import Duplex, Report
from rtvoiced.dsp.pcm import WIRE, Part
from rtvoiced.settings.schema import EchoSettings, VadSettings
from rtvoiced.vocabulary import EchoMode
from support.fakes import SimulatedClock
from support.room import DESK, Acoustics, RoomCard, as_pcm, at_level, rms_dbfs
from support.speech import ESPEAK, said

HZ = WIRE.hz
STORY = (
    "Once upon a time there was an old lighthouse on a small island, far out in the northern sea. The keeper"
    " of the lighthouse was called Martha, and she lived there alone with a grey cat and a very old radio."
    " Every evening she climbed the two hundred steps to the top, and she lit the great lamp for the ships."
    " One winter night a storm came up that was stronger than any storm before it."
)


def speech(text: str, voice: str = "slt", hz: int = HZ) -> NDArray[np.int16]:
    """Speech of one of flite's voices, or of espeak-ng's."""
    return np.frombuffer(said(text, voice, hz), "<i2")


def assistant(text: str, voice: str = ESPEAK, dbfs: float = -20.0) -> NDArray[np.int16]:
    """The same as loud as an assistant's voice usually is."""
    return as_pcm(at_level(speech(text, voice), dbfs))


@dataclass(frozen=True)
class Onset:
    """Our own VAD heard a voice begin."""

    at: float
    """When it began, as told."""
    told: float
    """When that was told."""


def between_s(pcm: bytes, hz: int, begin: float, end: float) -> NDArray[np.int16]:
    return np.frombuffer(pcm, "<i2")[int(begin * hz) : int(end * hz)]


class Scene:
    """A duplex in a room; *bypass* leaves the canceller out, and the VAD in."""

    def __init__(
        self,
        acoustics: Acoustics = DESK,
        *,
        bypass: bool = False,
        hz: int = HZ,
        output_hz: int = HZ,
        mode: EchoMode = "auto",
        chimes: bool = False,
    ) -> None:
        self.clock = SimulatedClock()
        self.card = RoomCard(self.clock, acoustics, hz, output_hz)
        self.playback = PlaybackQueue(HZ)
        self.reports: list[Report] = []
        self.onsets: list[Onset] = []
        self.microphone = bytearray()
        """What the server would get, at `microphone_hz`."""
        self.microphone_hz = 0
        self.cleaned = bytearray()
        """The same before the front end gives the server silence for an echo."""
        settings = EchoSettings(mode="system" if bypass else mode)
        self.front = FrontEnd(settings, VadSettings(), lambda: self.playback.sounding)
        self.duplex = Duplex(
            lambda: self.card,
            self.playback,
            self._take,
            self.front,
            self.clock,
            self.clock.sleep,
            chimes=chimes,
        )
        self._answers = 0

    def _take(self, report: Report) -> None:
        match report:
            case MicrophoneBlock(pcm, hz, _, echoes):
                self.cleaned += pcm
                self.microphone += bytes(len(pcm)) if echoes else pcm
                self.microphone_hz = hz
            case EchoProbe():
                self.front.on_echo_probe(report)
            case PlaybackMoved():
                self.playback.reports()
            case VoiceStarted(at):
                self.onsets.append(Onset(at, self.clock.now))
            case _:
                self.reports.append(report)

    def answer(self, at: float, samples: NDArray[np.int16]) -> None:
        """Let the assistant say that."""
        self._answers += 1
        part = Part(f"r{self._answers}", "i")

        def begin() -> None:
            self.playback.push(part, samples.tobytes(), HZ)
            self.playback.finish(part)

        self.clock.at(at, begin)

    def run(self, until: float) -> Scene:
        self.duplex.run(lambda: self.clock.now >= until)
        return self

    def erle_db(self, begin: float, end: float) -> float:
        """By how much quieter the microphone comes out of the front end, over that time."""
        recorded = between_s(bytes(self.card.recorded), self.card.hz, begin, end)
        return rms_dbfs(recorded) - rms_dbfs(between_s(bytes(self.cleaned), self.microphone_hz, begin, end))

    @property
    def echo(self) -> list[EchoChanged]:
        return [report for report in self.reports if isinstance(report, EchoChanged)]
