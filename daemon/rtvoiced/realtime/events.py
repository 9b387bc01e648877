"""The Realtime protocol as dataclasses: what the server says, and what we say to it.

Pure. `realtime.decode` reads the first from the wire, `realtime.dialects`
write the second. Fields are those that rtvoice uses; the full protocol is in
OpenAI's reference of the Realtime API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rtvoiced.dsp.pcm import Part
from rtvoiced.vocabulary import Detection, Eagerness

FATAL_CODES = frozenset(
    {
        "account_deactivated",
        "beta_api_shape_disabled",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "insufficient_quota",
        "invalid_api_key",
        "missing_model",
        "model_not_found",
    }
)
"""Error codes that no retry mends: somebody has to act first."""

SAY = "say"
"""The ``metadata.kind`` of what is said out of band."""
TURN = "turn"
"""The ``metadata.kind`` of the answer to the user's turn, where we ask for it and not the server's VAD."""
COMMIT_EMPTY = "input_audio_buffer_commit_empty"
"""Under 100 ms of audio were committed."""

BENIGN_CODES = frozenset(
    {
        COMMIT_EMPTY,
        "item_delete_invalid_item_id",
        "item_truncate_invalid_item_id",
        "response_cancel_not_active",
    }
)
BENIGN_MESSAGES = (
    "is already shorter than",
    "Only model output audio messages can be truncated",
    "no active response found",
)


# ---------------------------------------------------------------- from the server


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """The socket is open; the session still runs on the server's defaults."""

    session_id: str | None
    expires_at: float | None
    """Unix seconds, or None where the server has no such limit."""
    shape: str
    """``ga`` or ``beta``: how this server writes a session."""


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """The server took a configuration; these are the values in force."""

    session_id: str | None
    expires_at: float | None
    voice: str | None
    model: str | None
    input_hz: int
    output_hz: int
    client_managed_turns: bool | None = None
    """Whether its VAD neither creates nor interrupts responses; None where it is off, or that is not told."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The server's VAD hears the user; times count from the session's start."""

    item_id: str
    audio_start_ms: int
    heard_at: float | None = field(default=None, compare=False)
    """When that was read from the microphone, CLOCK_MONOTONIC seconds; known to the daemon alone."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The server's VAD has heard enough silence."""

    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class Committed:
    """The utterance became the user item *item_id*."""

    item_id: str
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """An item stands in the conversation."""

    item_id: str
    role: str | None
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class UserTranscriptDelta:
    """A piece of what the user said."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class UserTranscriptDone:
    """All that the user said; replaces the sum of the deltas. Empty where nothing was understood."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class UserTranscriptFailed:
    """The user's utterance could not be transcribed."""

    item_id: str
    message: str


@dataclass(frozen=True, slots=True)
class ResponseCreated:
    """An answer begins; *request* and *kind* are what we put into its metadata."""

    response_id: str
    request: str | None
    kind: str | None = None
    conversation_id: str | None = None
    """None where the answer is out of band, or the server leaves it out."""


@dataclass(frozen=True, slots=True)
class OutputItemAdded:
    """An answer announces an item; *kind* is ``message`` or, say, ``function_call``."""

    response_id: str
    item_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """Audio of an answer, in the negotiated output format."""

    part: Part
    pcm: bytes


@dataclass(frozen=True, slots=True)
class AudioDone:
    """All audio of this part has been sent."""

    part: Part


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of what the assistant says, spoken (its transcript) or written."""

    response_id: str
    """Empty where the server leaves it out: of the answer that is being made."""
    item_id: str
    text: str
    written: bool
    """True where the answer has text instead of audio."""


@dataclass(frozen=True, slots=True)
class TextDone:
    """All that the assistant says in this item; replaces the sum of the deltas."""

    response_id: str
    """Empty where the server leaves it out: of the answer that is being made."""
    item_id: str
    text: str
    written: bool


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """All of an answer has been generated, or no more of it will be."""

    response_id: str
    status: str
    reason: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    usage: dict[str, Any] | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server refused something; *event_id* names which of our events."""

    code: str | None
    message: str
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that changes nothing here."""

    type: str


@dataclass(frozen=True, slots=True)
class LinkConnecting:
    """The link tries to reach the server."""

    attempt: int


@dataclass(frozen=True, slots=True)
class LinkLost:
    """There is no session any more; the link tries again by itself."""

    reason: str
    attempt: int
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class LinkFailed:
    """There is no session, and somebody has to act before there can be one."""

    reason: str
    retry_in_s: float
    code: str = "not_connected"
    """``auth_failed`` where the server refused the key."""


ServerEvent = (
    SessionCreated
    | SessionUpdated
    | SpeechStarted
    | SpeechStopped
    | Committed
    | ItemAdded
    | UserTranscriptDelta
    | UserTranscriptDone
    | UserTranscriptFailed
    | ResponseCreated
    | OutputItemAdded
    | AudioDelta
    | AudioDone
    | TextDelta
    | TextDone
    | ResponseDone
    | ServerError
    | Ignored
)


def is_benign(error: ServerError) -> bool:
    """Return True for errors that tell us only that the server had already done what we wanted."""
    return error.code in BENIGN_CODES or any(text in error.message for text in BENIGN_MESSAGES)


# ------------------------------------------------------------------ to the server


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """What we ask of a session."""

    voice: str
    instructions: str
    language: str | None = None
    speed: float = 1.0
    transcription: str | None = None
    """Model that writes down what the user says, or None."""
    detection: Detection = "server_vad"
    """``server_vad``, ``semantic_vad``, ``none``."""
    threshold: float = 0.5
    """Server VAD: probability of speech, 0 to 1."""
    prefix_ms: int = 300
    silence_ms: int = 500
    eagerness: Eagerness = "auto"
    """Semantic VAD: ``low``, ``medium``, ``high``, ``auto``."""
    client_managed_turns: bool = False
    """The server's VAD neither creates responses nor interrupts them: that is ours."""


@dataclass(frozen=True, slots=True)
class UpdateSession:
    """Configure the whole session; errors come back with *event_id*."""

    config: SessionConfig
    event_id: str


@dataclass(frozen=True, slots=True)
class UpdateVoice:
    """Change the voice alone; refused once the assistant has spoken."""

    voice: str
    event_id: str


@dataclass(frozen=True, slots=True)
class UpdateTurnDetection:
    """Change the turn detection alone to that of *config*."""

    config: SessionConfig
    event_id: str


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """Microphone audio in the negotiated input format; the only event that may be dropped."""

    pcm: bytes
    read_at: float | None = field(default=None, compare=False)
    """When its last frame was read, CLOCK_MONOTONIC seconds; None for what was kept before the session."""


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """Forget the microphone audio that is no item yet."""


@dataclass(frozen=True, slots=True)
class CommitAudio:
    """Make the microphone audio that is no item yet the user's turn; asks for no answer."""


@dataclass(frozen=True, slots=True)
class CreateItem:
    """Put a text into the conversation; *previous_item_id* None appends, ``root`` puts it first."""

    item_id: str
    role: str
    text: str
    previous_item_id: str | None = None


@dataclass(frozen=True, slots=True)
class TruncateItem:
    """Tell how much of an item was heard: *audio_end_ms* of this content part."""

    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Take an item out of the conversation that nobody heard."""

    item_id: str


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """Ask for an answer; *request* comes back as ``response.metadata.request``."""

    event_id: str
    request: str | None
    kind: str | None = None
    """Comes back as ``response.metadata.kind``; `TURN` for the answer to what the user said."""


@dataclass(frozen=True, slots=True)
class CreateSpeech:
    """Ask for *text* to be said, out of band: no item of it stands in the conversation."""

    event_id: str
    request: str | None
    """Comes back as ``response.metadata.request``; `SAY` as its ``kind``."""
    text: str


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """End this answer, and no other."""

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

ClientEvent = AppendAudio | ControlEvent
