"""Speech: flite, else espeak-ng, as programs; never linked in.

Sentence by sentence, so that the first is heard while the next is made:
25 to 90 ms each with flite.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced.errors import RtvoiceError
from rtvoiced_server.speech import word_times
from rtvoiced_server.speech.word_times import Mark

LONGEST_SENTENCE = 300
"""Characters, some 20 s: what an interruption may have to wait for is small, and so is an argument."""
LONGEST_FIRST = 100
"""Characters of the first sentence; of a longer one its beginning is said by itself, if a comma ends it."""
SHORTEST_FIRST = 20
"""Characters of such a beginning."""
DELTA_MS = 200
"""Of audio in one delta, unless it is told otherwise; recorded: 100 to 400."""
STRETCH_MS = 3 * DELTA_MS
"""Of a sentence, at least, whose words are sent with it: two or three."""
WORDS_PER_MINUTE = 175
"""What espeak-ng speaks at unless told otherwise (its -s)."""
PITCH = 50
"""And how high (its -p)."""


class VoiceError(RtvoiceError):
    """Nothing on this machine can speak."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How a voice is made."""

    flite: str
    """flite's name of it."""
    pitch: float = 1.0
    """Times its own; flite's rms knows no other."""


DEFAULT = Voice("slt")
"""Of every name that is not listed."""
VOICES = {
    "slt": DEFAULT,
    "rms": Voice("rms"),
    "awb": Voice("awb"),
    "kal16": Voice("kal16"),
    "kal": Voice("kal"),
    # OpenAI's, so that they can be told apart; they sound like OpenAI's in nothing.
    "marin": DEFAULT,
    "cedar": Voice("rms"),
    "alloy": Voice("slt", 0.85),
    "coral": Voice("slt", 1.15),
    "shimmer": Voice("slt", 1.3),
    "ballad": Voice("awb"),
    "ash": Voice("awb", 0.8),
    "sage": Voice("awb", 1.25),
    "echo": Voice("kal16"),
    "verse": Voice("kal16", 1.25),
}


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence that was spoken, or a stretch of one."""

    text: str
    pcm: bytes
    """At 24 kHz."""
    marks: tuple[Mark, ...]

    def stretches(self) -> list[Utterance]:
        """Cut it, so that its words are sent about when they are spoken."""
        found: list[Utterance] = []
        lasts_ms = WIRE.duration_ms(len(self.pcm))
        begin = Mark(0, 0)
        while end := self._cut(begin, lasts_ms - STRETCH_MS):
            found.append(self._between(begin, end))
            begin = end
        return [*found, self._between(begin, Mark(lasts_ms + 1, len(self.text)))]

    def _cut(self, begin: Mark, latest_ms: int) -> Mark | None:
        """Return where the stretch from *begin* ends: of a few whole deltas, one that a word ends with.

        As few as there is such a one for: a long number is one word.
        """
        cuts = [
            (abs(mark.ms - ms), Mark(ms, mark.chars))
            for ms in range(begin.ms + STRETCH_MS, latest_ms, DELTA_MS)
            for mark in self.marks
            if begin.chars < mark.chars < len(self.text) and abs(mark.ms - ms) <= DELTA_MS // 2
        ]
        if not cuts:
            return None
        least = (min(cut.ms for _, cut in cuts) - begin.ms) // STRETCH_MS * STRETCH_MS + begin.ms
        return min((cut for cut in cuts if cut[1].ms < least + STRETCH_MS), key=lambda cut: cut[0])[1]

    def _between(self, begin: Mark, end: Mark) -> Utterance:
        text = self.text[begin.chars : end.chars]
        chars = begin.chars + len(text) - len(text.lstrip())
        marks = [
            Mark(mark.ms - begin.ms, mark.chars - chars)
            for mark in self.marks
            if begin.chars < mark.chars <= end.chars
        ]
        return Utterance(text.lstrip(), self.pcm[WIRE.size(begin.ms) : WIRE.size(end.ms)], tuple(marks))


def sentences(text: str) -> list[str]:
    """Cut *text* into sentences, and what is too long between two words or behind a comma."""
    parts: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text.strip()):
        rest = sentence.strip()
        if not parts and len(rest) > LONGEST_FIRST:
            parts += _beginning(rest)
            rest = rest[len(parts[0]) :].lstrip() if parts else rest
        while len(rest) > LONGEST_SENTENCE:
            cut = rest.rfind(" ", 1, LONGEST_SENTENCE)
            cut = cut if cut > 0 else LONGEST_SENTENCE
            parts.append(rest[:cut])
            rest = rest[cut:].lstrip()
        if rest:
            parts.append(rest)
    return parts


def speak(text: str, voice: str = "slt", speed: float = 1.0) -> tuple[bytes, int]:
    """Say *text* and return s16le mono and its rate; raises `VoiceError` when nothing here can speak."""
    done = subprocess.run(
        _program(text, voice, speed), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return _wav(_audio(done.stdout, done.stderr))


async def recite(text: str, voice: str, speed: float, *, whole: bool = False) -> AsyncGenerator[Utterance]:
    """Say *text*, in stretches of sentences; a sentence is made while the one before it is listened to.

    *whole*: in sentences.
    """
    parts = sentences(text)
    ahead: list[asyncio.Task[Utterance]] = []
    try:
        for n in range(len(parts) + 1):
            spoken = await ahead.pop() if ahead else None
            if n < len(parts):
                ahead.append(asyncio.create_task(utter(parts[n], voice, speed)))
            if spoken is not None:
                for stretch in [spoken] if whole else spoken.stretches():
                    yield stretch
    finally:
        for task in ahead:
            task.cancel()
        # Its program is gone when it is; what it failed with nobody waits for any more.
        await asyncio.gather(*ahead, return_exceptions=True)


async def utter(text: str, voice: str, speed: float) -> Utterance:
    """Say the sentence *text*; the programs end when this is cancelled."""
    words = word_times.one_by_one(text) if _speaker()[0] == "flite" else ""
    spelling = asyncio.create_task(_run(_spelled(words))) if words else None
    try:
        told, rest = await _run(_program(text, voice, speed))
        phones = (await spelling)[0] if spelling is not None else b""
    finally:
        if spelling is not None:
            spelling.cancel()
            await asyncio.gather(spelling, return_exceptions=True)
    pcm, hz = _wav(_audio(told, rest))
    resampler = Resampler(hz, WIRE.hz)
    wire = np.concatenate((resampler.process(np.frombuffer(pcm, np.int16)), resampler.flush()))
    timed, alone = word_times.timed(told.decode("latin-1")), word_times.apart(phones.decode("latin-1"))
    marks = word_times.marks(text, timed, alone) if alone else ()
    return Utterance(text, wire.tobytes(), marks or word_times.shared_out(text, wire))


def _beginning(sentence: str) -> list[str]:
    """Return the beginning of a long *sentence* that can be said by itself, if there is one."""
    ends = [found.start() + 1 for found in re.finditer(r"[,;:](?=\s)", sentence[: LONGEST_FIRST + 1])]
    return [sentence[: ends[-1]]] if ends and ends[-1] >= SHORTEST_FIRST else []


async def _run(command: Sequence[str]) -> tuple[bytes, bytes]:
    """Return what a program writes; it has ended when this is cancelled, however often it is."""
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    )
    try:
        process = await asyncio.shield(starting)
    except OSError as failed:
        raise VoiceError(f"cannot speak: {command[0]}: {failed.strerror}") from failed
    except asyncio.CancelledError:
        await _settled(starting)
        if not starting.cancelled() and starting.exception() is None:
            await _ended(starting.result())
        raise
    try:
        return await process.communicate()
    except asyncio.CancelledError:
        await _ended(process)
        raise


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await _settled(asyncio.create_task(process.communicate()))


async def _settled(task: asyncio.Task[Any]) -> None:
    """Wait for the end of *task*, also for who is told meanwhile to end at once."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])


@lru_cache
def _speaker() -> tuple[str, str]:
    """Return the program that speaks here, and its path."""
    for name in ("flite", "espeak-ng"):
        path = shutil.which(name)
        if path:
            return name, path
    raise VoiceError("cannot speak: neither flite nor espeak-ng is installed; apt install flite")


def _program(text: str, voice: str, speed: float) -> list[str]:
    """Return what says *text*: flite tells its phones, and writes the audio to stderr."""
    name, path = _speaker()
    clean = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    chosen = VOICES.get(voice, DEFAULT)
    if name == "flite":
        settings = (f"duration_stretch={1 / speed:.3f}", f"f0_shift={chosen.pitch}")
        options = [word for setting in settings for word in ("--setf", setting)]
        # The phones are written to stdout when it ends; in the same pipe they could end up within the audio.
        return [path, "-voice", chosen.flite, *options, "-psdur", "-t", clean or " ", "-o", "/dev/stderr"]
    rate, pitch = str(int(WORDS_PER_MINUTE * speed)), str(int(PITCH * chosen.pitch))
    return [path, "-v", "en", "-s", rate, "-p", pitch, "--stdout", "--", clean]


def _spelled(words: str) -> list[str]:
    """Return what tells the phones of *words*: in the voice that takes the least time for it, 10 ms."""
    return [_speaker()[1], "-voice", "kal", "-ps", "-t", words, "none"]


def _audio(stdout: bytes, stderr: bytes) -> bytes:
    return stderr if _speaker()[0] == "flite" else stdout


def _wav(data: bytes) -> tuple[bytes, int]:
    """Return the samples and the rate of a WAV file that came through a pipe: its sizes may be wrong."""
    at = data.find(b"data", 12)
    if data[:4] != b"RIFF" or at < 0:
        raise VoiceError("cannot speak: the speech program gave no sound")
    pcm = data[at + 8 :]
    return pcm[: len(pcm) - len(pcm) % FRAME_BYTES], int.from_bytes(data[24:28], "little")
