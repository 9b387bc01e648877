"""The closed vocabularies: every word that a field, a setting or a command can have. Pure.

One place for the whole project. The IPC contract's schemas, the settings, the
completions of the shells and both clients take their words from here, and a
field that has one of these types can hold no other word (mypy sees to it). They
are `Literal` types: a word is a plain string on the wire and in the code.

>>> words(Direction)
('input', 'output')

A word that no code produces does not stand here.
"""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin, get_type_hints

Direction = Literal["input", "output"]
"""Of a card: a microphone is an input, a speaker an output."""

DeviceStatus = Literal["open", "lost", "unavailable"]
"""Of a microphone or a speaker. ``lost``: it worked until now; ``unavailable``: it could not be opened."""

ConnectionStatus = Literal["connecting", "up", "lost", "failed"]
"""Of the link to the server; ``failed``: somebody has to act before it can be up."""

PhaseWord = Literal["idle", "listening", "hearing", "thinking", "speaking"]
"""The phase of the conversation, as subscribers see it."""

SpeechSource = Literal["server", "push_to_talk"]
"""Who says that the user speaks."""

SpeechEnd = Literal["silence", "mute", "link_lost", "timeout", "release", "cancel"]
"""Why an utterance is over."""

PlaybackStatus = Literal["started", "held", "resumed", "drained"]
"""What happened to an item that is played."""

Cause = Literal["server_vad", "local_vad", "command", "push_to_talk", "device", "shutdown"]
"""Why playback was cut."""

HoldCause = Literal["server_vad", "local_vad"]
"""Who heard the voice for which playback is held."""

PolicySetting = Literal["auto", "server", "hold", "managed", "manual"]
"""Who may interrupt, as it is configured."""

Policy = Literal["server", "hold", "managed", "manual"]
"""Who may interrupt, as it is in force: ``auto`` has been decided."""

CardKind = Literal["auto", "portaudio", "none", "wav"]
"""What `audio.card` begins with; ``wav`` is followed by two files."""

EchoMode = Literal["auto", "on", "off", "half_duplex", "system"]
"""What is to take our own voice out of the microphone, as it is configured."""

EchoState = Literal["off", "converging", "on", "half_duplex", "failed"]
"""What takes our own voice out of the microphone now."""

EchoFallback = Literal["half_duplex", "server"]
"""What stands in where there is no echo canceller."""

Role = Literal["user", "assistant"]
"""Who said a message of the history."""

MuteMode = Literal["on", "off", "toggle"]
"""What `mute` is asked to do."""

TalkAction = Literal["press", "release", "cancel"]
"""What happens to the key of push-to-talk."""

Applied = Literal["now", "next_session"]
"""When a change holds."""

Detection = Literal["server_vad", "semantic_vad", "none"]
"""How the server finds the user's turns; ``none``: push-to-talk does."""

Eagerness = Literal["auto", "low", "medium", "high"]
"""How soon ``semantic_vad`` takes a turn to be over."""

ProviderName = Literal["openai", "azure", "custom", "local"]
"""Which server is talked to; ``local`` is the embedded one."""

Auth = Literal["none", "bearer", "api-key"]
"""How a custom server is told the key."""

DialectName = Literal["ga", "beta"]
"""Which form of the Realtime protocol a server speaks."""

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]


def words(vocabulary: Any) -> tuple[Any, ...]:
    """Return the words of *vocabulary*, one of the types above, in the order in which it names them."""
    return get_args(vocabulary)


def words_of(message: type[Any], field: str) -> tuple[Any, ...]:
    """Return the words that a field of a dataclass can have; empty where it is free, or there is none."""
    kind = get_type_hints(message).get(field)
    return get_args(kind) if get_origin(kind) is Literal else ()
