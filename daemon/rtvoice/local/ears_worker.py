"""The recogniser's own process: recognition holds the GIL for 100 ms and more.

Requests on stdin: a little-endian uint32 of the size, then that many bytes of
PCM at 24 kHz. Answers on stdout: one JSON string a line, in order. It lives
as long as its stdin is open, which also ends it when its parent is killed.
"""

from __future__ import annotations

import json
import signal
import struct
import sys
from typing import Any

import numpy as np

from rtvoice.audio.pcm import WIRE
from rtvoice.audio.resample import Resampler
from rtvoice.audio.vad import VAD_HZ
from rtvoice.local.grammar import jsgf


def decoder() -> Any:
    """Load pocketsphinx with the grammar: 0.3 s, 90 MB."""
    import pocketsphinx

    # lm=None keeps the 27 MB language model out; lw 10: measured, 77 of 80 commands right instead of 75.
    made = pocketsphinx.Decoder(lm=None, samprate=VAD_HZ, lw=10, loglevel="FATAL")
    made.add_jsgf_string("commands", jsgf())
    made.activate_search("commands")
    return made


def recognise(ears: Any, audio: bytes) -> str:
    """Return the words in *audio*, PCM at 24 kHz; empty when it fits no command."""
    if not audio:
        return ""
    resampler = Resampler(WIRE.hz, VAD_HZ)
    samples = np.concatenate((resampler.process(np.frombuffer(audio, np.int16)), resampler.flush()))
    ears.start_utt()
    ears.process_raw(samples.tobytes(), full_utt=True)
    ears.end_utt()
    found = ears.hyp()
    return str(found.hypstr) if found else ""


def main() -> int:
    """Serve until stdin closes."""
    # A Ctrl-C or a service manager signals the whole group; the server closes our stdin when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ears = decoder()
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while len(head := stdin.read(4)) == 4:
        (size,) = struct.unpack("<I", head)
        audio = stdin.read(size)
        if len(audio) < size:
            break
        try:
            stdout.write(json.dumps(recognise(ears, audio)).encode() + b"\n")
            stdout.flush()
        except BrokenPipeError:
            break
    return 0


if __name__ == "__main__":
    sys.exit(main())
