"""A text spoken by a program of its own: ``python -m rtvoiced_server.speech.say VOICE TEXT``.

The daemon's WAV card speaks the texts of its scripts this way, so that nothing of
the server is loaded into the daemon's process. Standard output gets a WAV file,
mono, 16 bits; where nothing here can speak, standard error gets the reason and the
exit status is 69.
"""

from __future__ import annotations

import sys
import wave
from collections.abc import Sequence

from rtvoiced import errors
from rtvoiced_server.speech.voices import VoiceError, speak


def main(argv: Sequence[str] | None = None) -> int:
    """Say a text; return the exit status."""
    voice, text = sys.argv[1:] if argv is None else argv
    try:
        pcm, hz = speak(text, voice)
    except VoiceError as failed:
        print(failed, file=sys.stderr)
        return errors.UNAVAILABLE
    with wave.open(sys.stdout.buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hz)
        # At once, with the right size: the header of a pipe can't be written again.
        file.setnframes(len(pcm) // 2)
        file.writeframesraw(pcm)
    return errors.OK


if __name__ == "__main__":
    sys.exit(main())
