"""What the IPC contract (docs/ipc.md) says of a field beyond its type: its words and its bounds."""

from __future__ import annotations

from typing import Any

from rtvoiced.ipc.contract import commands, events, replies

CONVERSATION = ("idle", "listening", "hearing", "thinking", "speaking")
CONNECTION = ("connecting", "up", "lost", "failed", "parked")
DIRECTION = ("input", "output")
DEVICE = ("open", "lost", "fallback", "silent", "unavailable")
SOURCE = ("server", "local", "push_to_talk")
POLICY = ("server", "hold", "managed", "manual")
ECHO_MODE = ("auto", "on", "off", "half_duplex", "system")
ECHO_STATE = ("off", "converging", "on", "half_duplex", "failed")
CAUSE = ("server_vad", "local_vad", "command", "push_to_talk", "device", "shutdown")

WORDS: dict[type[Any], dict[str, tuple[str, ...]]] = {
    events.State: {
        "conversation": CONVERSATION,
        "connection": CONNECTION,
        "input": DEVICE,
        "output": DEVICE,
    },
    events.Connection: {"status": CONNECTION},
    events.Device: {"direction": DIRECTION, "status": DEVICE},
    events.SpeechStarted: {"source": SOURCE},
    events.SpeechStopped: {
        "source": SOURCE,
        "reason": ("silence", "mute", "link_lost", "timeout", "release", "cancel"),
    },
    events.Playback: {"status": ("started", "held", "resumed", "drained")},
    events.Interrupt: {"cause": CAUSE},
    events.Echo: {"mode": ECHO_MODE, "state": ECHO_STATE},
    commands.Mute: {"mode": ("on", "off", "toggle")},
    commands.Talk: {"action": ("press", "release", "cancel")},
    commands.SetDevice: {"direction": DIRECTION},
    replies.ConnectionStatus: {"status": CONNECTION},
    replies.DeviceStatus: {"status": DEVICE},
    replies.Status: {"conversation": CONVERSATION, "interruption": POLICY},
    replies.EchoStatus: {"mode": ECHO_MODE, "state": ECHO_STATE},
    replies.SetVoice: {"applied": ("now", "next_session", "after_swap")},
    replies.Set: {"applied": ("now", "next_session")},
    replies.SetDevice: {"direction": DIRECTION},
    replies.HistoryItem: {"role": ("user", "assistant")},
}
"""By message and field. An `error`'s code and a response's status are not here: they are the server's."""

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
    replies.Talk: {"held_ms": {"minimum": 0}},
    replies.Volume: {"percent": {"minimum": 0, "maximum": 100}},
    replies.Replay: {"events": {"maxItems": 500}},
}
"""Bounds as JSON Schema's keywords, by message and field."""
