"""The closed vocabularies of the Realtime API: words that the wire knows and no others.

Every folder of the server may import this module; it imports nothing of the
package. The members are strings, so that they go into JSON, comparisons and
messages as they are. A word that only one check uses (``near_field``) stays with
that check in `rtvoiced_server.protocol.session_schema`.
"""

from __future__ import annotations

from enum import StrEnum


class DialectName(StrEnum):
    """The dialects of the protocol; the session itself speaks GA only."""

    GA = "ga"
    BETA = "beta"


class SessionKind(StrEnum):
    """What a session is for: to talk, or only to transcribe."""

    REALTIME = "realtime"
    TRANSCRIPTION = "transcription"


class ItemKind(StrEnum):
    """The kinds of items in a conversation."""

    MESSAGE = "message"
    FUNCTION_CALL = "function_call"
    FUNCTION_CALL_OUTPUT = "function_call_output"


class ItemRole(StrEnum):
    """Who says a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class ItemStatus(StrEnum):
    """How far an item is."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"


class PartKind(StrEnum):
    """The kinds of content parts in a message."""

    INPUT_TEXT = "input_text"
    INPUT_AUDIO = "input_audio"
    INPUT_IMAGE = "input_image"
    OUTPUT_TEXT = "output_text"
    OUTPUT_AUDIO = "output_audio"


class Modality(StrEnum):
    """What a response is made of: a voice with its transcript, or text alone."""

    AUDIO = "audio"
    TEXT = "text"


class ServerResponseStatus(StrEnum):
    """How far a response is, and how it ended."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class StatusReason(StrEnum):
    """Why a response was cancelled or is incomplete."""

    CLIENT_CANCELLED = "client_cancelled"
    TURN_DETECTED = "turn_detected"
    MAX_OUTPUT_TOKENS = "max_output_tokens"
    CONTENT_FILTER = "content_filter"


class ToolChoice(StrEnum):
    """Whether a response calls tools, where it was not told which one to call."""

    NONE = "none"
    AUTO = "auto"
    REQUIRED = "required"


class AudioEncoding(StrEnum):
    """The audio formats of the wire: PCM at 24 kHz, and the two laws of G.711 at 8 kHz."""

    PCM = "audio/pcm"
    ULAW = "audio/pcmu"
    ALAW = "audio/pcma"


class TurnDetectionKind(StrEnum):
    """The ways in which the server may find the ends of turns."""

    SERVER_VAD = "server_vad"
    SEMANTIC_VAD = "semantic_vad"


class Eagerness(StrEnum):
    """How soon ``semantic_vad`` takes a turn for over."""

    AUTO = "auto"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ImageDetail(StrEnum):
    """How closely a picture is to be looked at."""

    AUTO = "auto"
    LOW = "low"
    HIGH = "high"
