"""The program of a recogniser's own process: recognition holds the GIL for 100 ms and more.

A request comes on stdin: a line of JSON, ``{"ask": "commands", "phrases": […],
"size": N}``, then N bytes of PCM at 24 kHz; what can be asked is in
`RecogniserTask`. An answer goes to stdout: a line of JSON, ``{"words": "say",
"open_ms": 740}``, in order. The program lives as long as its stdin is open, which
also ends it when its parent is killed. `rtvoiced_server.speech.recogniser_process`
starts it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced.dsp.vad import VAD_HZ
from rtvoiced_server.speech.recogniser import (
    CommandRecogniser,
    DictationRecogniser,
    RecognisedSpeech,
    RecogniserTask,
)

NICE = 10
"""The niceness of dictation: a second of it must not slow down what answers in 50 ms, nor who plays audio."""


class LoadedRecognisers:
    """The decoders of this process; each is loaded when it is first needed, and stays loaded."""

    def __init__(self) -> None:
        self._commands: list[CommandRecogniser] = []
        self._dictation: list[DictationRecogniser] = []

    def recognise(self, task: RecogniserTask, audio: bytes, phrases: Sequence[str]) -> RecognisedSpeech:
        """Return what is heard in *audio*, PCM at 24 kHz; *phrases* are names that may be said, too."""
        pcm = samples(audio)
        if task is RecogniserTask.DICTATION:
            if not self._dictation:
                os.nice(NICE)
                self._dictation.append(DictationRecogniser())
            return self._dictation[0].recognise(pcm)
        if not self._commands:
            self._commands.append(CommandRecogniser())
        commands = self._commands[0]
        return (
            commands.recognise_vocabulary(pcm)
            if task is RecogniserTask.VOCABULARY
            else commands.recognise(pcm, phrases)
        )


def samples(audio: bytes) -> NDArray[np.int16]:
    """Return *audio*, PCM at 24 kHz, as the recogniser takes it: int16 at 16 kHz, shape (frames,)."""
    resampler = Resampler(WIRE.hz, VAD_HZ)
    return np.concatenate((resampler.process(np.frombuffer(audio, np.int16)), resampler.flush()))


def main() -> int:
    """Serve until stdin closes."""
    # A Ctrl-C or a service manager signals the whole group; the server closes our stdin when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    recognisers = LoadedRecognisers()
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while (line := stdin.readline()).endswith(b"\n"):
        asked = json.loads(line)
        audio = stdin.read(asked["size"])
        if len(audio) < asked["size"]:
            break
        heard = recognisers.recognise(RecogniserTask(asked["ask"]), audio, asked["phrases"])
        try:
            stdout.write(json.dumps({"words": heard.words, "open_ms": heard.open_ms}).encode() + b"\n")
            stdout.flush()
        except BrokenPipeError:
            break
    return 0


if __name__ == "__main__":
    sys.exit(main())
