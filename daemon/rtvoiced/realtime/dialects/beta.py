"""The beta protocol with its flat session: Azure's dated previews, speaches, older gateways. Pure.

It differs from GA in the form of a session, in the word for modalities, in the kind of the
assistant's text, and in the names of some server events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtvoiced.realtime import events
from rtvoiced.realtime.dialects import ga
from rtvoiced.realtime.events import ControlEvent, SessionConfig

ASSISTANT_TEXT = "text"
"""The type of a content part of the assistant's text."""
ALIASES = {
    "conversation.item.created": "conversation.item.added",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}
"""Names of the beta protocol → names of the GA protocol."""


def recognises(session: Mapping[str, Any]) -> bool:
    """Tell whether a new session is written in the beta protocol: it has its fields, and none of GA's."""
    return ("modalities" in session or "input_audio_format" in session) and not ga.recognises(session)


def encode(event: ControlEvent) -> dict[str, Any]:
    """Return *event* as its JSON object: as GA does, but for sessions, modalities and assistant text."""
    match event:
        case events.UpdateSession(config, event_id):
            return {"type": "session.update", "event_id": event_id, "session": session(config)}
        case events.UpdateVoice(voice, event_id):
            return {"type": "session.update", "event_id": event_id, "session": {"voice": voice}}
        case events.UpdateTurnDetection(config, event_id):
            change = {"turn_detection": ga.turn_detection(config)}
            return {"type": "session.update", "event_id": event_id, "session": change}
        case events.CreateItem():
            return ga.create_item(event, ASSISTANT_TEXT)
        case events.CreateSpeech():
            return ga.create_speech(event, {"modalities": ["text", "audio"]})
        case _:
            return ga.encode(event)


def session(config: SessionConfig) -> dict[str, Any]:
    """Return the ``session`` of a ``session.update``."""
    speed = {"speed": config.speed} if config.speed != 1.0 else {}
    return {
        "modalities": ["text", "audio"],
        "instructions": config.instructions,
        "voice": config.voice,
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": ga.transcription(config),
        "turn_detection": ga.turn_detection(config),
        **speed,
    }
