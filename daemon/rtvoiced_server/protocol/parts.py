"""The parts of a message: text, a picture, audio that was heard, audio that is spoken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol import tokens
from rtvoiced_server.protocol.formats import PCM, Form, converted
from rtvoiced_server.protocol.tokens import Tokens
from rtvoiced_server.protocol.wire import Json
from rtvoiced_server.speech.word_times import Mark


@dataclass(slots=True)
class Text:
    """Words in letters."""

    kind: str
    """``input_text`` or ``output_text``."""
    words: str = ""

    def wire(self) -> Json:
        """Return the part as the wire shows it."""
        return {"type": self.kind, "text": self.words}

    def tokens(self) -> Tokens:
        """Return what it costs."""
        return Tokens(text=tokens.of_text(self.words))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that nobody here can look at."""

    url: str
    """A data URL."""
    detail: str
    words: str = ""

    def wire(self) -> Json:
        """Return the part as the wire shows it."""
        return {"type": "input_image", "image_url": self.url, "detail": self.detail}

    def tokens(self) -> Tokens:
        """Return what it costs."""
        return Tokens(image=tokens.OF_IMAGE[self.detail])


@dataclass(slots=True)
class Heard:
    """The user's voice."""

    audio: bytes
    """Empty once it is too old."""
    form: Form
    """In which the audio is: as the client gave it with an item, or PCM, out of the input audio buffer."""
    ms: int
    """How long it is, kept or not."""
    words: str = ""
    """What the recogniser heard in it, or the client said is in it."""
    transcript: str | None = None
    """What the wire shows of the words: null unless transcription is configured."""

    def wire(self) -> Json:
        """Return the part as the wire shows it, without its audio."""
        return {"type": "input_audio", "transcript": self.transcript}

    def beginning(self, ms: int) -> bytes:
        """Return the first *ms* milliseconds, or some more, as PCM at 24 kHz."""
        if self.form is PCM:
            return self.audio
        return b"".join(converted(self.audio[: self.form.size(ms)], self.form, PCM))

    def tokens(self) -> Tokens:
        """Return what it costs."""
        return Tokens(audio=tokens.of_heard(self.ms))


@dataclass(slots=True)
class Spoken:
    """The assistant's voice."""

    words: str = ""
    audio: bytearray = field(default_factory=bytearray)
    """PCM at 24 kHz, empty once it is too old."""
    ms: int = 0
    """How much was sent of it, or was left by a truncation."""
    made_ms: int = 0
    """How much was made of it: where its next sentence begins."""
    marks: list[Mark] = field(default_factory=list)
    """The ends of the words."""
    cut: bool = False
    """Truncated: what is still said of it does not count."""

    def wire(self) -> Json:
        """Return the part as the wire shows it, without its audio."""
        return {"type": "output_audio", "transcript": self.words}

    def tokens(self) -> Tokens:
        """Return what it costs."""
        return Tokens(text=tokens.of_text(self.words), audio=tokens.of_spoken(self.ms))

    def extend(self, lead: str, words: str, marks: Sequence[Mark]) -> None:
        """Add a sentence behind *lead*; its *marks* count from its beginning and from that of its audio."""
        if self.cut:
            return
        chars = len(self.words) + len(lead)
        self.words += lead + words
        self.marks += [
            Mark(self.made_ms + mark.ms, chars + mark.chars) for mark in marks if mark.chars <= len(words)
        ]

    def truncate(self, ms: int) -> None:
        """Forget what was not heard: the audio after *ms*, and the words that end after it."""
        self.cut = True
        self.ms = ms
        del self.audio[WIRE.size(ms) :]
        self.marks = [mark for mark in self.marks if mark.ms <= ms]
        self.words = self.words[: self.marks[-1].chars if self.marks else 0]


Part = Text | Picture | Heard | Spoken
