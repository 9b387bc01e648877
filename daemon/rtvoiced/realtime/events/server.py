"""What the server says, as dataclasses. Pure.

`realtime.decode` makes these of what came over the WebSocket, whatever dialect it
was in; the link passes them on, and all are inputs of the conversation. Fields are those
that rtvoice uses; the full protocol is in OpenAI's reference of the Realtime API.
Names and ids are the protocol's. An id that an earlier session used was given a
mark by `realtime.ids`, so ids are unique over all sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rtvoiced.dsp.pcm import Part
from rtvoiced.vocabulary import DialectName

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

COMMIT_EMPTY = "input_audio_buffer_commit_empty"
"""The error code where under 100 ms of audio were committed."""

BENIGN_CODES = frozenset(
    {
        COMMIT_EMPTY,
        "item_delete_invalid_item_id",
        "item_truncate_invalid_item_id",
        "response_cancel_not_active",
    }
)
"""Error codes that tell only that the server had already done what we wanted."""
BENIGN_MESSAGES = (
    "is already shorter than",
    "Only model output audio messages can be truncated",
    "no active response found",
)
"""Parts of messages that tell the same, of servers that give no code."""


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """The socket is open; the session still runs on the server's defaults."""

    session_id: str | None
    expires_at: float | None
    """When the server will end the session, Unix seconds; None where it has no such limit."""
    shape: DialectName
    """The dialect in which this server writes a session."""


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """The server took a configuration; these are the values in force."""

    session_id: str | None
    expires_at: float | None
    """As `SessionCreated.expires_at`."""
    voice: str | None
    """None where the server does not tell it."""
    model: str | None
    """None where the server does not tell it."""
    input_hz: int
    """The rate of the audio that the server takes."""
    output_hz: int
    """The rate of the audio that the server sends."""
    client_managed_turns: bool | None = None
    """Whether its VAD neither creates nor interrupts responses; None where it is off, or does not tell."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The server's VAD hears the user begin to speak."""

    item_id: str
    """The user item that this will become."""
    audio_start_ms: int
    """Where it begins, in milliseconds of the audio that was sent in this session."""
    heard_at: float | None = field(default=None, compare=False)
    """When that was read from the microphone, CLOCK_MONOTONIC seconds: the daemon adds it, the server
    can't."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The server's VAD has heard enough silence: the user's turn is over."""

    item_id: str
    audio_end_ms: int
    """Where the speech ends, in milliseconds of the audio that was sent in this session."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The audio of an utterance became the user item *item_id*."""

    item_id: str
    previous_item_id: str | None
    """The item before it; None where it is the first, or the server does not tell."""


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """An item stands in the conversation."""

    item_id: str
    role: str | None
    """``user``, ``assistant`` or ``system``; None of an item that is no message."""
    previous_item_id: str | None
    """The item before it; None where it is the first, or the server does not tell."""


@dataclass(frozen=True, slots=True)
class UserTranscriptDelta:
    """A piece of the text of what the user said."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class UserTranscriptDone:
    """The whole text of what the user said; it replaces the sum of the deltas."""

    item_id: str
    text: str
    """Empty where nothing was understood."""


@dataclass(frozen=True, slots=True)
class UserTranscriptFailed:
    """The user's utterance could not be transcribed."""

    item_id: str
    message: str
    """The server's reason."""


@dataclass(frozen=True, slots=True)
class ResponseCreated:
    """A response begins; *request* and *kind* are what we put into its metadata."""

    response_id: str
    request: str | None
    """The id of the request that it answers; None where the server's VAD created it."""
    kind: str | None = None
    """`SAY` or `TURN`; None of any other."""
    conversation_id: str | None = None
    """None where the response is out of band, or the server leaves it out."""


@dataclass(frozen=True, slots=True)
class OutputItemAdded:
    """A response announces an item."""

    response_id: str
    item_id: str
    kind: str
    """``message`` or, say, ``function_call``."""


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """Audio of a response, in the negotiated output format."""

    part: Part
    pcm: bytes
    """s16le mono at `SessionUpdated.output_hz`; may end within a frame."""


@dataclass(frozen=True, slots=True)
class AudioDone:
    """The server has sent all audio of this part."""

    part: Part


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of what the assistant says, spoken (its transcript) or written."""

    response_id: str
    """Empty where the server leaves it out: it belongs to the response that is being made."""
    item_id: str
    text: str
    written: bool
    """True where the response has text instead of audio."""


@dataclass(frozen=True, slots=True)
class TextDone:
    """The whole text of what the assistant says in this item; it replaces the sum of the deltas."""

    response_id: str
    """As `TextDelta.response_id`."""
    item_id: str
    text: str
    written: bool
    """As `TextDelta.written`."""


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """All of a response was generated, or no more of it will be; its audio may still be playing."""

    response_id: str
    status: str
    """``completed``, ``cancelled``, ``incomplete`` or ``failed``."""
    reason: str | None = None
    """Why it is not completed, in the server's words; None where it is."""
    error_code: str | None = None
    error_message: str | None = None
    """The server's error, of a failed one."""
    usage: dict[str, Any] | None = None
    """How many tokens it took, as the server counts them; None where it does not tell."""
    request: str | None = None
    """As `ResponseCreated.request`."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server refused something, or something went wrong there."""

    code: str | None
    message: str
    event_id: str | None = None
    """Which of our events it refused; None where it does not say."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event of the server that changes nothing here."""

    type: str
    """Its name in the protocol."""


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
"""Everything that `realtime.decode` returns."""


def is_benign(error: ServerError) -> bool:
    """Tell whether an error says only that the server had already done what we wanted."""
    return error.code in BENIGN_CODES or any(text in error.message for text in BENIGN_MESSAGES)
