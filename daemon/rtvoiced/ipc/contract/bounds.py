"""What the IPC contract (docs/ipc.md) says of a field beyond its type: its bounds."""

from __future__ import annotations

from typing import Any

from rtvoiced.ipc.contract import commands, events, replies

NOT_BLANK = {"pattern": r"\S"}
LIMITS: dict[type[Any], dict[str, dict[str, Any]]] = {
    commands.Mute: {"for_s": {"exclusiveMinimum": 0, "maximum": 366 * 86400}},
    commands.Volume: {
        "percent": {"minimum": 0, "maximum": 100},
        "relative": {"minimum": -100, "maximum": 100},
    },
    commands.Say: {"text": NOT_BLANK},
    commands.Ask: {"text": NOT_BLANK},
    commands.SetVoice: {"voice": NOT_BLANK},
    commands.History: {"last": {"minimum": 1, "maximum": 500}},
    commands.Replay: {"since": {"minimum": 0, "maximum": 1 << 53}},
    events.Playback: {"played_ms": {"minimum": 0}},
    events.Interrupt: {
        "played_ms": {"minimum": 0},
        "dropped_ms": {"minimum": 0},
        "onset_to_decision_ms": {"minimum": 0},
        "decision_to_silence_ms": {"minimum": 0},
    },
    events.Level: {"vad": {"minimum": 0, "maximum": 1}},
    replies.TalkReply: {"held_ms": {"minimum": 0}},
    replies.VolumeReply: {"percent": {"minimum": 0, "maximum": 100}},
    replies.ReplayReply: {"events": {"maxItems": 500}},
}
"""Bounds as JSON Schema's keywords, by message and field."""
