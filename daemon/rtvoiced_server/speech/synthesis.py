"""Speech while others work: a text is spoken sentence by sentence, each by a program of its own.

A sentence takes flite 25 to 90 ms, and is made while the one before it is listened
to. Beside the audio a sentence has the ends of its words. When the caller stops,
the programs end before it goes on. `rtvoiced_server.net.connection` is the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import numpy as np

from rtvoiced.dsp.pcm import WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced_server.speech import voices, word_times
from rtvoiced_server.speech.sentences import SpokenSentence, sentences
from rtvoiced_server.speech.voices import VoiceError


async def speak_sentences(
    text: str, voice: str, speed: float, *, whole: bool = False
) -> AsyncGenerator[SpokenSentence]:
    """Say *text* and yield it in stretches of sentences, or *whole* sentences; raises `VoiceError`."""
    parts = sentences(text)
    ahead: list[asyncio.Task[SpokenSentence]] = []
    try:
        for n in range(len(parts) + 1):
            spoken = await ahead.pop() if ahead else None
            if n < len(parts):
                ahead.append(asyncio.create_task(speak_sentence(parts[n], voice, speed)))
            if spoken is not None:
                for stretch in [spoken] if whole else spoken.stretches():
                    yield stretch
    finally:
        for task in ahead:
            task.cancel()
        # Its program is gone when it is; what it failed with nobody waits for any more.
        await asyncio.gather(*ahead, return_exceptions=True)


async def speak_sentence(text: str, voice: str, speed: float) -> SpokenSentence:
    """Say the sentence *text*; the programs end when this is cancelled. Raises `VoiceError`."""
    words = word_times.words_apart(text) if voices.tells_phones() else ""
    spelling = asyncio.create_task(_run(voices.phones_command(words))) if words else None
    try:
        stdout, stderr = await _run(voices.speech_command(text, voice, speed))
        spelled = (await spelling)[0] if spelling is not None else b""
    finally:
        if spelling is not None:
            spelling.cancel()
            await asyncio.gather(spelling, return_exceptions=True)
    pcm, hz = voices.speech_of(stdout, stderr)
    resampler = Resampler(hz, WIRE.hz)
    samples = np.concatenate((resampler.process(np.frombuffer(pcm, np.int16)), resampler.flush()))
    spoken = word_times.phones_spoken(stdout.decode("latin-1"))
    alone = word_times.phones_of_words(spelled.decode("latin-1"))
    ends = word_times.word_ends(text, spoken, alone) if alone else ()
    return SpokenSentence(text, samples.tobytes(), ends or word_times.word_ends_by_letters(text, samples))


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
    """Wait for the end of *task*, also where the waiting task is told meanwhile to end at once."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
