"""What happens in a room while the assistant speaks: nothing, somebody who speaks, and what is no speech."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rtvoiced.ipc.contract import events as ipc
from rtvoiced.vocabulary import PolicySetting
from support.room import DESK, Signal, at_level, rms_dbfs
from support.scene import HZ, STORY, assistant, speech
from support.sitting_room import SittingRoom

ANSWERS = (
    STORY,
    "The weather tomorrow will be mostly sunny with a light breeze. It will stay dry until the evening.",
    "To make a good tomato soup, you first cut two onions and some garlic and fry them gently in olive oil.",
    "Yes, of course. I have set a timer for ten minutes, and I will tell you when it is over.",
)
INTERJECTIONS = (
    "wait a moment please",
    "no that is wrong",
    "hello computer",
    "what time is it now",
    "okay thank you",
    "please be quiet now",
    "tell me another story",
    "one more question please",
)
VOICES = ("rms", "awb", "slt")
ECHO_DBFS = -27.0
"""Of an answer at -20 dB of full scale and a gain of 0.45."""


def interjections() -> itertools.cycle[Signal]:
    """Each from where it is audible: its first 10 ms within 16 dB of its loudest."""
    said = []
    for text, voice in zip(INTERJECTIONS * 3, itertools.cycle(VOICES)):
        sound = speech(text, voice).astype(np.float64)
        levels = [rms_dbfs(block) for block in np.split(sound, range(240, len(sound), 240))]
        begin = next(n for n, level in enumerate(levels) if level > max(levels) - 16)
        said.append(sound[240 * begin :])
    return itertools.cycle(said)


# What is no speech


def cough(rng: np.random.Generator) -> Signal:
    """Two bursts of breath through a throat, 0.35 s."""
    frames = int(0.35 * HZ)
    spectrum = np.fft.rfft(rng.normal(0, 1, frames))
    pitch = np.fft.rfftfreq(frames, 1 / HZ)
    throat = 1 / (1 + ((pitch - 900) / 500) ** 2) + 0.5 / (1 + ((pitch - 2500) / 900) ** 2)
    at = np.arange(frames) / HZ
    burst = (1 - np.exp(-at / 0.004)) * np.exp(-at / 0.05)
    second = int(0.18 * HZ)
    burst[second:] += 0.6 * burst[: frames - second]
    return np.asarray(np.fft.irfft(spectrum * throat, frames) * burst)


def click(rng: np.random.Generator) -> Signal:
    """Something hard falls on a table, 30 ms."""
    frames = int(0.03 * HZ)
    return np.asarray(rng.normal(0, 1, frames) * np.exp(-np.arange(frames) / HZ / 0.003))


def chord(rng: np.random.Generator) -> Signal:
    """A telephone rings, or somebody plays a piano: three notes with harmonics, 0.8 s."""
    at = np.arange(int(0.8 * HZ)) / HZ
    root = float(rng.choice([220.0, 261.6, 329.6, 440.0]))
    notes = [np.sin(2 * np.pi * root * step * k * at) / k for step in (1, 1.25, 1.5) for k in (1, 2, 3)]
    return np.asarray(np.sum(notes, axis=0) * np.exp(-at / 0.4))


NOISES: tuple[Callable[[np.random.Generator], Signal], ...] = (cough, click, chord)


# What happens


def room(
    policy: PolicySetting, gain: float = DESK.gain, *, bypass: bool = False, deaf: bool = False
) -> SittingRoom:
    """Where the speaker is turned up so far that its echo is twice as loud, the microphone must not clip."""
    dbfs = -20.0 if gain <= 1 else -26.0
    answers = itertools.cycle([assistant(text, dbfs=dbfs) for text in ANSWERS])
    return SittingRoom(answers, policy, replace(DESK, gain=gain), bypass=bypass, deaf=deaf)


def alone(minutes: float, gain: float, *, bypass: bool = False) -> SittingRoom:
    """The assistant answers a program again and again, and nobody says a word."""
    it = room("hold", gain, bypass=bypass)
    for at in range(1, int(60 * minutes), 5):
        it.ask(at)
    it.run(60 * minutes)
    return it


@dataclass(frozen=True)
class Interruption:
    """Somebody spoke over an answer."""

    began: float
    silence_told_ms: float | None
    """From the voice's begin until playback was told to be silent; None: it was not."""
    cut: bool
    """The answer was given up."""


def barge_ins(
    count: int, over_echo_db: float = 3.0, *, deaf: bool = False
) -> tuple[list[Interruption], SittingRoom]:
    """Somebody interrupts so many answers, a second or two after they began."""
    it, rng, said = room("hold", deaf=deaf), np.random.default_rng(3), interjections()
    begins = []
    for number in range(count):
        asked = 1.0 + 9.0 * number
        it.ask(asked)
        begins.append(asked + rng.uniform(1.5, 3.0))
        it.card.speak(begins[-1], at_level(next(said), ECHO_DBFS + over_echo_db))
    it.run_to_rest(9.0 * count)
    found = []
    for began in begins:
        told = [at for at in it.decisions if began <= at < began + 1.5]
        cut = it.events(ipc.Interrupt, began, began + 2.5)
        found.append(Interruption(began, 1000 * (told[0] - began) if told else None, bool(cut)))
    return found, it


def noises(count: int, policy: PolicySetting, *, deaf: bool = False) -> SittingRoom:
    """So many coughs, clicks and chords fall into answers, as loud as the echo and 6 dB louder."""
    it, rng = room(policy, deaf=deaf), np.random.default_rng(5)
    it.ask(1.0)
    for number, make in zip(range(count), itertools.cycle(NOISES)):
        at = 5.0 + 7.0 * number
        it.ask(at - 2.0)
        it.card.speak(at, at_level(make(rng), ECHO_DBFS + float(rng.choice([0.0, 6.0]))))
    it.run_to_rest(7.0 * count)
    return it
