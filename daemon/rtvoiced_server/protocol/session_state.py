"""What the handlers of one session share: its settings, its conversation, and what is under way.

The settings are written by `rtvoiced_server.protocol.session` alone, each other part
by its own methods. The handlers read the settings through the properties here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from rtvoiced_server.answers.tool_names import spoken_names
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol.audio_port import AudioProcessing
from rtvoiced_server.protocol.default_conversation import DefaultConversation
from rtvoiced_server.protocol.formats import AudioFormat, format_of
from rtvoiced_server.protocol.ids import new_id
from rtvoiced_server.protocol.input_buffer import InputBuffer
from rtvoiced_server.protocol.outputs import RecogniseAudio, SessionOutput
from rtvoiced_server.protocol.recognition_queue import RecognitionQueue


@dataclass(slots=True)
class SessionState:
    """The state of one session."""

    settings: Json
    """The session object, as the wire shows it."""
    audio: AudioProcessing
    input: InputBuffer
    conversation: DefaultConversation = field(default_factory=DefaultConversation)
    conversation_id: str = field(default_factory=lambda: new_id("conv"))
    recognition: RecognitionQueue = field(init=False)
    work: deque[Iterator[list[SessionOutput]]] = field(default_factory=deque)
    """What is done in slices of a few milliseconds, oldest first; between them others have their turn."""

    def __post_init__(self) -> None:
        self.recognition = RecognitionQueue(self.conversation, self.audio)

    @property
    def turn_detection(self) -> Json | None:
        """The settings of the turn detection; None where the client ends turns by hand."""
        detection: Json | None = self.settings["audio"]["input"]["turn_detection"]
        return detection

    @property
    def transcription(self) -> Json | None:
        """The settings of the transcription; None where there is none."""
        transcription: Json | None = self.settings["audio"]["input"]["transcription"]
        return transcription

    @property
    def input_format(self) -> AudioFormat:
        """The format of the audio that comes in."""
        return format_of(self.settings["audio"]["input"]["format"])

    @property
    def output_format(self) -> AudioFormat:
        """The format of the audio that goes out; where a session only transcribes, that of its input."""
        return format_of(self.settings["audio"].get("output", self.settings["audio"]["input"])["format"])

    def recognitions(self) -> list[RecogniseAudio]:
        """Return what is to be recognised now, in words that may include the names of the tools."""
        return self.recognition.due(spoken_names(self.settings.get("tools", [])))
