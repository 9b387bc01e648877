"""The content parts of a message: text, a picture, audio of the user, audio of the assistant.

A part knows its words, how the wire shows it, and what it costs in tokens. Audio
is dropped when it is too old (`rtvoiced_server.protocol.default_conversation`) or
was never heard (`OutputAudioPart.truncate`); the words that belong to it go with
it only in the second case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import tokens
from rtvoiced_server.protocol.audio_port import AudioProcessing, converted
from rtvoiced_server.protocol.formats import PCM, AudioFormat
from rtvoiced_server.protocol.tokens import TokenCounts
from rtvoiced_server.protocol.word_end import WordEnd
from rtvoiced_server.vocabulary import ImageDetail, PartKind


@dataclass(slots=True)
class TextPart:
    """Words in letters."""

    kind: PartKind
    """``input_text`` or ``output_text``."""
    words: str = ""

    def wire(self) -> Json:
        """Return the part as the wire shows it."""
        return {"type": self.kind, "text": self.words}

    def tokens(self) -> TokenCounts:
        """Return what it costs."""
        return TokenCounts(text=tokens.of_text(self.words))


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture that nobody here can look at."""

    url: str
    """A data URL."""
    detail: ImageDetail
    words: str = ""

    def wire(self) -> Json:
        """Return the part as the wire shows it."""
        return {"type": PartKind.INPUT_IMAGE, "image_url": self.url, "detail": self.detail}

    def tokens(self) -> TokenCounts:
        """Return what it costs."""
        return TokenCounts(image=tokens.OF_IMAGE[self.detail])


@dataclass(slots=True)
class InputAudioPart:
    """The user's voice."""

    audio: bytes
    """Empty once it is too old."""
    format: AudioFormat
    """The format of *audio*: as the client gave it with an item, or PCM, out of the input audio buffer."""
    ms: int
    """How long the audio is, kept or not."""
    words: str = ""
    """What the recogniser heard in it, or the client said is in it."""
    transcript: str | None = None
    """What the wire shows of the words: null unless transcription is configured."""

    def wire(self) -> Json:
        """Return the part as the wire shows it, without its audio."""
        return {"type": PartKind.INPUT_AUDIO, "transcript": self.transcript}

    def beginning(self, ms: int, processing: AudioProcessing) -> bytes:
        """Return the first *ms* milliseconds, or some more, as PCM at 24 kHz."""
        if self.format is PCM:
            return self.audio
        return b"".join(converted(processing, self.audio[: self.format.size(ms)], self.format, PCM))

    def tokens(self) -> TokenCounts:
        """Return what it costs."""
        return TokenCounts(audio=tokens.of_user_audio(self.ms))


@dataclass(slots=True)
class OutputAudioPart:
    """The assistant's voice."""

    words: str = ""
    audio: bytearray = field(default_factory=bytearray)
    """PCM at 24 kHz, empty once it is too old."""
    ms: int = 0
    """How much was sent of it, or was left by a truncation."""
    made_ms: int = 0
    """How much was made of it: where its next sentence begins."""
    word_ends: list[WordEnd] = field(default_factory=list)
    """Where its words end, counted from the beginning of the part."""
    cut: bool = False
    """Whether it was truncated: what is still said of it then does not count."""

    def wire(self) -> Json:
        """Return the part as the wire shows it, without its audio."""
        return {"type": PartKind.OUTPUT_AUDIO, "transcript": self.words}

    def tokens(self) -> TokenCounts:
        """Return what it costs."""
        return TokenCounts(text=tokens.of_text(self.words), audio=tokens.of_assistant_audio(self.ms))

    def extend(self, lead: str, words: str, word_ends: Sequence[WordEnd]) -> None:
        """Add a sentence behind *lead*; its *word_ends* count from the beginning of the sentence."""
        if self.cut:
            return
        chars = len(self.words) + len(lead)
        self.words += lead + words
        self.word_ends += [
            WordEnd(self.made_ms + end.ms, chars + end.chars) for end in word_ends if end.chars <= len(words)
        ]

    def truncate(self, ms: int) -> None:
        """Forget what was not heard: the audio after *ms*, and the words that end after it."""
        self.cut = True
        self.ms = ms
        del self.audio[WIRE.size(ms) :]
        self.word_ends = [end for end in self.word_ends if end.ms <= ms]
        self.words = self.words[: self.word_ends[-1].chars if self.word_ends else 0]


ContentPart = TextPart | ImagePart | InputAudioPart | OutputAudioPart
"""One part of a message."""
