"""The voices: flite, else espeak-ng, as programs; never linked in.

This module knows the voices by name, the command lines of the two programs, and
how to read what they write. `speak` says a text and waits for it; the sessions speak
through `rtvoiced_server.speech.synthesis`, which waits for nobody. Nothing here is
slow to import.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

from rtvoiced.dsp.pcm import FRAME_BYTES
from rtvoiced.errors import RtvoiceError

WORDS_PER_MINUTE = 175
"""How fast espeak-ng speaks unless told otherwise (its -s)."""
PITCH = 50
"""How high espeak-ng speaks unless told otherwise (its -p)."""


class VoiceError(RtvoiceError):
    """Nothing on this machine can speak."""


@dataclass(frozen=True, slots=True)
class FliteVoice:
    """How a voice is made."""

    flite: str
    """flite's name of the voice."""
    pitch: float = 1.0
    """Times the voice's own pitch; flite's rms knows no other."""


DEFAULT = FliteVoice("slt")
"""The voice of every name that is not listed."""
VOICES = {
    "slt": DEFAULT,
    "rms": FliteVoice("rms"),
    "awb": FliteVoice("awb"),
    "kal16": FliteVoice("kal16"),
    "kal": FliteVoice("kal"),
    # OpenAI's, so that they can be told apart; they sound like OpenAI's in nothing.
    "marin": DEFAULT,
    "cedar": FliteVoice("rms"),
    "alloy": FliteVoice("slt", 0.85),
    "coral": FliteVoice("slt", 1.15),
    "shimmer": FliteVoice("slt", 1.3),
    "ballad": FliteVoice("awb"),
    "ash": FliteVoice("awb", 0.8),
    "sage": FliteVoice("awb", 1.25),
    "echo": FliteVoice("kal16"),
    "verse": FliteVoice("kal16", 1.25),
}


def speak(text: str, voice: str = "slt", speed: float = 1.0) -> tuple[bytes, int]:
    """Say *text* and return s16le mono and its rate; raises `VoiceError` when nothing here can speak."""
    done = subprocess.run(
        speech_command(text, voice, speed), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return speech_of(done.stdout, done.stderr)


@lru_cache
def speech_program() -> tuple[str, str]:
    """Return the name of the program that speaks here, and its path; raises `VoiceError` without one."""
    for name in ("flite", "espeak-ng"):
        path = shutil.which(name)
        if path:
            return name, path
    raise VoiceError("cannot speak: neither flite nor espeak-ng is installed; apt install flite")


def tells_phones() -> bool:
    """Tell whether the program that speaks here tells the phones of what it says: flite does."""
    return speech_program()[0] == "flite"


def speech_command(text: str, voice: str, speed: float) -> list[str]:
    """Return the command that says *text*; `speech_of` reads what it writes."""
    name, path = speech_program()
    clean = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    chosen = VOICES.get(voice, DEFAULT)
    if name == "flite":
        settings = (f"duration_stretch={1 / speed:.3f}", f"f0_shift={chosen.pitch}")
        options = [word for setting in settings for word in ("--setf", setting)]
        # The phones are written to stdout when it ends; in the same pipe they could end up within the audio.
        return [path, "-voice", chosen.flite, *options, "-psdur", "-t", clean or " ", "-o", "/dev/stderr"]
    rate, pitch = str(int(WORDS_PER_MINUTE * speed)), str(int(PITCH * chosen.pitch))
    return [path, "-v", "en", "-s", rate, "-p", pitch, "--stdout", "--", clean]


def phones_command(words: str) -> list[str]:
    """Return the command that tells the phones of *words*, in the voice that is done soonest: 10 ms."""
    return [speech_program()[1], "-voice", "kal", "-ps", "-t", words, "none"]


def speech_of(stdout: bytes, stderr: bytes) -> tuple[bytes, int]:
    """Return the s16le mono and its rate in what a `speech_command` wrote; raises `VoiceError`.

    It is a WAV file that came through a pipe: the sizes in it may be wrong.
    """
    data = stderr if tells_phones() else stdout
    at = data.find(b"data", 12)
    if data[:4] != b"RIFF" or at < 0:
        raise VoiceError("cannot speak: the speech program gave no sound")
    pcm = data[at + 8 :]
    return pcm[: len(pcm) - len(pcm) % FRAME_BYTES], int.from_bytes(data[24:28], "little")
