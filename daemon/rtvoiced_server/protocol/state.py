"""What the parts of a session share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from rtvoiced_server.protocol import tools
from rtvoiced_server.protocol.conversation import Conversation
from rtvoiced_server.protocol.formats import Form, form
from rtvoiced_server.protocol.input_buffer import InputBuffer
from rtvoiced_server.protocol.recognition import Recognition
from rtvoiced_server.protocol.wire import Hear, Json, Output, new_id


@dataclass(slots=True)
class State:
    """One session: its settings, its conversation, and what was heard."""

    settings: Json
    """The session object, as the wire shows it."""
    input: InputBuffer
    conversation: Conversation = field(default_factory=Conversation)
    conversation_id: str = field(default_factory=lambda: new_id("conv"))
    recognition: Recognition = field(init=False)
    work: deque[Iterator[list[Output]]] = field(default_factory=deque)
    """What is done in slices of a few milliseconds, so that other sessions have their turn between them."""

    def __post_init__(self) -> None:
        self.recognition = Recognition(self.conversation)

    @property
    def turn_detection(self) -> Json | None:
        """The settings of the turn detection; None where turns end by hand."""
        detection: Json | None = self.settings["audio"]["input"]["turn_detection"]
        return detection

    @property
    def transcription(self) -> Json | None:
        """The settings of the transcription; None where there is none."""
        transcription: Json | None = self.settings["audio"]["input"]["transcription"]
        return transcription

    @property
    def input_form(self) -> Form:
        """The format of the audio that comes."""
        return form(self.settings["audio"]["input"]["format"])

    @property
    def output_form(self) -> Form:
        """The format of the audio that goes, and of what went: a transcription session has none."""
        return form(self.settings["audio"].get("output", self.settings["audio"]["input"])["format"])

    def hear(self) -> list[Hear]:
        """Return what is to be recognised now."""
        return self.recognition.due(tools.phrases(self.settings.get("tools", [])))
