"""What a session wants done: events sent, audio recognised, text spoken, and speech stopped.

Every method of `rtvoiced_server.protocol.session.ServerSession` returns a list of
these, in order; `rtvoiced_server.net.connection` carries them out, and reports to
the session what came of it (`ServerSession.on_recognised` and the methods that
follow it).
"""

from __future__ import annotations

from dataclasses import dataclass

from rtvoiced_server.json_text import Json


@dataclass(frozen=True, slots=True)
class SendToClient:
    """Send *event* to the client."""

    event: Json
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RecogniseAudio:
    """Recognise *audio* and report its words to `ServerSession.on_recognised`."""

    key: str
    """By which the words are reported: the item's id, or another id where the item is no part of the
    conversation."""
    audio: bytes
    """PCM at 24 kHz."""
    phrases: tuple[str, ...] = ()
    """What else may be said in this session: the names of its tools, as words."""


@dataclass(frozen=True, slots=True)
class SpeakText:
    """Say *text*; report each sentence, its audio and the end to `ServerSession`."""

    response_id: str
    text: str
    voice: str
    speed: float
    """1 is the voice's own speed."""


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """Stop saying the answer of *response_id*."""

    response_id: str


SessionOutput = SendToClient | RecogniseAudio | SpeakText | StopSpeaking
"""One thing that a session wants done."""
