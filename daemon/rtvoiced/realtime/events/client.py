"""What we say to the server, as dataclasses. Pure.

The conversation's effect `SendEvent` carries one, the link's outbox keeps it, and
`realtime.dialects` writes it in the server's dialect. `AppendAudio` is the only one that
may be dropped; all others (`ControlEvent`) are sent as long as there is a session.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtvoiced.vocabulary import Detection, Eagerness

SAY = "say"
"""The ``metadata.kind`` of a response that only says a text, out of band."""
TURN = "turn"
"""The ``metadata.kind`` of the response to the user's turn, where we ask for it and not the server's VAD."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """What we ask of a session."""

    voice: str
    instructions: str
    language: str | None = None
    """ISO 639-1 code of what the user speaks, a hint for the transcription; None: no hint."""
    speed: float = 1.0
    """How fast the voice speaks, 0.25 to 1.5."""
    transcription: str | None = None
    """The model that writes down what the user says; None: nobody does."""
    detection: Detection = "server_vad"
    """How the server finds the user's turns."""
    threshold: float = 0.5
    """For ``server_vad``: the probability of speech, 0 to 1, from which it hears the user."""
    prefix_ms: int = 300
    """For ``server_vad``: how much from before the speech belongs to the turn."""
    silence_ms: int = 500
    """For ``server_vad``: how much silence ends the turn."""
    eagerness: Eagerness = "auto"
    """For ``semantic_vad``: how soon it takes a turn to be over."""
    client_managed_turns: bool = False
    """Whether the server's VAD neither creates responses nor interrupts them: both are ours."""


@dataclass(frozen=True, slots=True)
class UpdateSession:
    """Configure the whole session."""

    config: SessionConfig
    event_id: str
    """Names this event in `ServerError.event_id`, if the server refuses it."""


@dataclass(frozen=True, slots=True)
class UpdateVoice:
    """Change the voice alone; the server refuses that once the assistant has spoken."""

    voice: str
    event_id: str
    """As `UpdateSession.event_id`."""


@dataclass(frozen=True, slots=True)
class UpdateTurnDetection:
    """Change the turn detection alone to that of *config*."""

    config: SessionConfig
    event_id: str
    """As `UpdateSession.event_id`."""


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """Send audio of the microphone; the only event that may be dropped."""

    pcm: bytes
    """s16le mono at `SessionUpdated.input_hz`; 20 ms as a rule."""
    read_at: float | None = field(default=None, compare=False)
    """When its last frame was read, CLOCK_MONOTONIC seconds; None for what was kept before the session."""


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """Have the server forget the audio of the microphone that is no item yet."""


@dataclass(frozen=True, slots=True)
class CommitAudio:
    """Make the audio of the microphone that is no item yet the user's turn; this asks for no response."""


@dataclass(frozen=True, slots=True)
class CreateItem:
    """Put a text into the conversation."""

    item_id: str
    role: str
    text: str
    previous_item_id: str | None = None
    """The item after which it is put; ``root``: before all others; None: after all others."""


@dataclass(frozen=True, slots=True)
class TruncateItem:
    """Tell the server how much of an item was heard."""

    item_id: str
    content_index: int
    """Which content part of the item."""
    audio_end_ms: int
    """Milliseconds of it that were heard, rounded down; the server refuses more than it sent."""


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Take an item, which nobody heard, out of the conversation."""

    item_id: str


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """Ask for a response."""

    event_id: str
    """As `UpdateSession.event_id`."""
    request: str | None
    """Comes back as ``response.metadata.request``."""
    kind: str | None = None
    """Comes back as ``response.metadata.kind``; `TURN` for the response to what the user said."""


@dataclass(frozen=True, slots=True)
class CreateSpeech:
    """Ask for *text* to be said, out of band: no item of it stands in the conversation."""

    event_id: str
    """As `UpdateSession.event_id`."""
    request: str | None
    """Comes back as ``response.metadata.request``; `SAY` as its ``kind``."""
    text: str


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """End this response, and no other."""

    response_id: str


ControlEvent = (
    UpdateSession
    | UpdateVoice
    | UpdateTurnDetection
    | ClearAudio
    | CommitAudio
    | CreateItem
    | TruncateItem
    | DeleteItem
    | CreateResponse
    | CreateSpeech
    | CancelResponse
)
"""Everything that is never dropped while there is a session."""

ClientEvent = AppendAudio | ControlEvent
"""Everything that we say to a server."""
