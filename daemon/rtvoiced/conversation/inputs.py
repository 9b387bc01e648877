"""Everything that happens to the conversation. Pure.

Most inputs are messages of whoever says them: what servers say and what becomes
of the link (`realtime.events`), what the audio side tells (`audio.events`). Here
are those that nobody below says: a command, another configuration, a cut, a
timer that has run out, the begin and the end. `Input` is the union of all;
`machine.Conversation` dispatches on it, and mypy holds that to be exhaustive.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtvoiced.audio.events import (
    CutResult,
    DeviceChanged,
    Drained,
    EchoChanged,
    Held,
    Resumed,
    Started,
    VoiceStarted,
    VoiceStopped,
)
from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation.policy import DEFAULT, InterruptionRules
from rtvoiced.conversation.timers import TimerKey
from rtvoiced.ipc.contract import commands
from rtvoiced.realtime.events import LinkConnecting, LinkFailed, LinkLost, ServerEvent, SessionConfig
from rtvoiced.vocabulary import Cause


@dataclass(frozen=True, slots=True)
class Begun:
    """The daemon starts; the microphone is as the last run left it."""

    muted: bool = False
    for_s: float | None = None
    """How long it stays muted, in seconds, where it opens again by itself."""
    until: WallClock | None = None
    """When the microphone opens again, where it does so by itself."""


@dataclass(frozen=True, slots=True)
class Commanded:
    """A client asks for something."""

    ticket: int
    """Where the reply goes."""
    request: str | None
    """The id that the client chose; events that come of the command carry it."""
    command: commands.ForConversation
    until: WallClock | None = None
    """When a mute for a time ends: only the daemon's shell has a wall clock."""
    expires: Monotonic | None = None
    """When the client stops waiting for the reply, or None."""


@dataclass(frozen=True, slots=True)
class SettingRequest:
    """A client's `set` of a setting that the server has to take: it is answered when that is known."""

    ticket: int
    """Where the reply goes."""
    key: str
    value: str | float | bool | None


@dataclass(frozen=True, slots=True)
class Configure:
    """The session is to run with another configuration."""

    config: SessionConfig
    setting: SettingRequest | None = None
    """The command that this comes of; None where nobody waits for a reply."""
    rules: InterruptionRules = DEFAULT
    """Who may interrupt, from then on."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Playback was cut by our effect `CutPlayback`, in the same turn of the loop."""

    heard: CutResult
    """What was heard, and what was thrown away."""
    cause: Cause
    ticket: int | None = None
    """As in `CutPlayback`."""
    request: str | None = None
    """As in `CutPlayback`."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that was set by our effect `SetTimer` has run out."""

    timer: TimerKey


@dataclass(frozen=True, slots=True)
class ShutdownAsked:
    """The daemon is to end: SIGTERM, SIGINT, or a terminal that went away."""

    reason: str
    """The signal's name: the event `bye` says it."""


Input = (
    Begun
    | Commanded
    | Configure
    | LinkConnecting
    | LinkLost
    | LinkFailed
    | DeviceChanged
    | Cut
    | Held
    | Resumed
    | Started
    | Drained
    | VoiceStarted
    | VoiceStopped
    | EchoChanged
    | TimerFired
    | ShutdownAsked
    | ServerEvent
)
