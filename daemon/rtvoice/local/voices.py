"""Speech: flite, else espeak-ng, as programs; never linked in.

Sentence by sentence, so that the first is heard while the next is made:
25 to 90 ms each with flite.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtvoice.audio.pcm import FRAME_BYTES, WIRE
from rtvoice.audio.resample import Resampler
from rtvoice.errors import RtvoiceError

VOICES = ("slt", "rms", "awb", "kal16", "kal")
"""Of flite; every other name speaks as the first."""
LONGEST_SENTENCE = 300
"""Characters, some 20 s: what an interruption may have to wait for is small, and so is an argument."""
AUDIBLE = 330
"""-40 dB of full scale: what is softer at the ends of a sentence is its pause."""
WORDS_PER_MINUTE = 175
"""What espeak-ng speaks at unless told otherwise (its -s)."""


class VoiceError(RtvoiceError):
    """Nothing on this machine can speak."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The end of a word."""

    ms: int
    """In the audio of the sentence, or of the item."""
    chars: int
    """In its text."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence that was spoken."""

    text: str
    pcm: bytes
    """At 24 kHz."""
    marks: tuple[Mark, ...]


def sentences(text: str) -> list[str]:
    """Cut *text* into sentences, and what is too long between two words."""
    parts: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text.strip()):
        rest = sentence.strip()
        while len(rest) > LONGEST_SENTENCE:
            cut = rest.rfind(" ", 1, LONGEST_SENTENCE)
            cut = cut if cut > 0 else LONGEST_SENTENCE
            parts.append(rest[:cut])
            rest = rest[cut:].lstrip()
        if rest:
            parts.append(rest)
    return parts


def speak(text: str, voice: str = VOICES[0], speed: float = 1.0) -> tuple[bytes, int]:
    """Say *text* and return s16le mono and its rate; raises `VoiceError` when nothing here can speak."""
    done = subprocess.run(
        _program(text, voice, speed), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return _wav(done.stdout)


async def utter(text: str, voice: str, speed: float) -> Utterance:
    """Say the sentence *text*; the program ends when this is cancelled."""
    process = await asyncio.create_subprocess_exec(
        *_program(text, voice, speed),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        wav, _ = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        raise
    pcm, hz = _wav(wav)
    samples = np.frombuffer(pcm, np.int16)
    resampler = Resampler(hz, WIRE.hz)
    wire = np.concatenate((resampler.process(samples), resampler.flush()))
    return Utterance(text, wire.tobytes(), marks(text, wire))


def marks(text: str, samples: NDArray[np.int16]) -> tuple[Mark, ...]:
    """Return where each word of *text* ends in *samples* (24 kHz), about: by its letters' share of the sound.

    flite tells the times of its phones, but not of its words (-psdur).
    """
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    first, last = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(samples))
    ends = [found.end() for found in re.finditer(r"\S+", text)]
    longest = max(len(text), 1)
    found = [Mark(WIRE.ms_of_frames(first + (last - first) * end // longest), end) for end in ends]
    return tuple(found)


@lru_cache
def _speaker() -> tuple[str, str]:
    """Return the program that speaks here, and its path."""
    for name in ("flite", "espeak-ng"):
        path = shutil.which(name)
        if path:
            return name, path
    raise VoiceError("cannot speak: neither flite nor espeak-ng is installed; apt install flite")


def _program(text: str, voice: str, speed: float) -> list[str]:
    name, path = _speaker()
    clean = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if name == "flite":
        chosen = voice if voice in VOICES else VOICES[0]
        stretch = f"duration_stretch={1 / speed:.3f}"
        return [path, "-voice", chosen, "--setf", stretch, "-t", clean or " ", "-o", "/dev/stdout"]
    return [path, "-v", "en", "-s", str(int(WORDS_PER_MINUTE * speed)), "--stdout", "--", clean]


def _wav(data: bytes) -> tuple[bytes, int]:
    """Return the samples and the rate of a WAV file that came through a pipe: its sizes may be wrong."""
    at = data.find(b"data", 12)
    if data[:4] != b"RIFF" or at < 0:
        raise VoiceError("cannot speak: the speech program gave no sound")
    pcm = data[at + 8 :]
    return pcm[: len(pcm) - len(pcm) % FRAME_BYTES], int.from_bytes(data[24:28], "little")
