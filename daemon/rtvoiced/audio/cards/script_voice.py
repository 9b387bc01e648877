"""The voice of a WAV card's script: its texts are spoken by a program of their own.

The program is a part of the embedded server, whose package the daemon runs and
never imports. `speak` takes a tenth of a second and more; the card calls it in a thread of
its own, ahead of time.
"""

from __future__ import annotations

import io
import subprocess
import sys
import wave

from rtvoiced.errors import RtvoiceError

PROGRAM = (sys.executable, "-m", "rtvoiced_server.speech.say")


def speak(text: str, voice: str) -> tuple[bytes, int]:
    """Say *text* and return s16le mono and its rate; raises RtvoiceError when nothing here can speak."""
    done = subprocess.run([*PROGRAM, voice, text], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise RtvoiceError(reason or f"cannot speak (status {done.returncode})")
    with wave.open(io.BytesIO(done.stdout)) as file:
        return file.readframes(file.getnframes()), file.getframerate()
