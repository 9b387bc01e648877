"""Everything that the conversation wants done. Pure.

`Conversation.handle` returns effects in order, and the daemon's shell carries
them out in that order (`app.effect_runner`), in the same turn of the loop. Each
is a small immutable record in the imperative. Three of them ask the playback
queue for something and are answered in the same turn by an input: `CutPlayback`
by `Cut`, `HoldPlayback` by `Held`, `ResumePlayback` by `Resumed`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation.timers import TimerKey
from rtvoiced.dsp.pcm import Part
from rtvoiced.ipc.contract import replies
from rtvoiced.ipc.contract.events import IpcEvent
from rtvoiced.realtime.events import ClientEvent
from rtvoiced.vocabulary import Cause


class MicrophoneGate(StrEnum):
    """What the server gets of the microphone."""

    CLOSED = "closed"
    """Nothing: no session is configured, or nobody presses to talk. A short pre-roll is kept."""
    OFF = "off"
    """Nothing, and nothing is kept: the same, and the microphone is muted."""
    SILENCE = "silence"
    """Silence frames, for the server's VAD counts time in samples."""
    OPEN = "open"
    """What is said."""
    TALK = "talk"
    """As `OPEN`, but the server's buffer was cleared: the last 300 ms go out first."""


@dataclass(frozen=True, slots=True)
class SendEvent:
    """Send an event to the server."""

    event: ClientEvent


@dataclass(frozen=True, slots=True)
class Play:
    """Queue audio for the speaker."""

    part: Part
    pcm: bytes
    """16 bit, little endian, mono."""
    hz: int
    """Its sample rate."""


@dataclass(frozen=True, slots=True)
class FinishPart:
    """Know that no more audio of this part will come: it drains when what is queued was heard."""

    part: Part


@dataclass(frozen=True, slots=True)
class FinishResponse:
    """Know that no more audio of any part of this response will come."""

    response_id: str


@dataclass(frozen=True, slots=True)
class CutPlayback:
    """Fall silent now, and throw away what is queued; answered by the input `Cut`."""

    cause: Cause
    ticket: int | None = None
    """Where the reply goes, if a command asked for it."""
    request: str | None = None
    """The id that the client chose for that command."""
    lost_frames: int = 0
    """Frames that were lost with the speaker, at the rate of the card: nobody heard them."""


@dataclass(frozen=True, slots=True)
class HoldPlayback:
    """Fall silent now, and keep what is queued; answered by the input `Held`."""


@dataclass(frozen=True, slots=True)
class ResumePlayback:
    """Go on after a hold, from shortly before it; answered by the input `Resumed`."""


@dataclass(frozen=True, slots=True)
class SetMicrophone:
    """Open or close the gate between the microphone and the server, which takes audio at *hz*."""

    gate: MicrophoneGate
    hz: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell the subscribers."""

    event: IpcEvent


ConversationReply = (
    replies.AcceptedReply
    | replies.InterruptReply
    | replies.MuteReply
    | replies.QueuedReply
    | replies.SetReply
    | replies.SetVoiceReply
    | replies.TalkReply
)
"""What the conversation answers its commands with."""


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """A command was carried out: send *data* to whoever holds this *ticket*."""

    ticket: int
    data: ConversationReply


@dataclass(frozen=True, slots=True)
class Refuse:
    """A command was not carried out: say so to whoever holds this *ticket*."""

    ticket: int
    code: str
    """One of the IPC contract's."""
    message: str
    """A sentence for people, with the remedy where there is one."""
    retryable: bool = False
    """The same command may succeed later."""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Feed `TimerFired(timer)` at *at*; a timer that is set already runs until then instead."""

    timer: TimerKey
    at: Monotonic


@dataclass(frozen=True, slots=True)
class ClearTimer:
    """Forget the timer, if it is set."""

    timer: TimerKey


@dataclass(frozen=True, slots=True)
class ReconnectLink:
    """Close the socket and open a new one now."""


@dataclass(frozen=True, slots=True)
class DropLink:
    """Close the socket; the link tries again after its backoff."""

    reason: str


@dataclass(frozen=True, slots=True)
class FailLink:
    """Close the socket; only a person can mend this, so that the link tries again seldom."""

    reason: str


@dataclass(frozen=True, slots=True)
class SaveMute:
    """Keep over a restart whether the microphone is off, and until when."""

    muted: bool
    until: WallClock | None


@dataclass(frozen=True, slots=True)
class Quit:
    """End the daemon."""

    reason: str


Effect = (
    SendEvent
    | Play
    | FinishPart
    | FinishResponse
    | CutPlayback
    | HoldPlayback
    | ResumePlayback
    | SetMicrophone
    | Publish
    | ReplyTo
    | Refuse
    | SetTimer
    | ClearTimer
    | ReconnectLink
    | DropLink
    | FailLink
    | SaveMute
    | Quit
)
