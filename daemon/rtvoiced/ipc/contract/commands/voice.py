"""Commands that speak into the conversation, or act on what is heard: nearly all are its own to decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rtvoiced.ipc.contract.declaration import (
    FILLED,
    Alias,
    Bounds,
    GivenBy,
    Option,
    Positional,
    Verb,
    bad_args,
    command,
)
from rtvoiced.vocabulary import Applied, MuteMode, TalkAction

YEAR_S = 366 * 86400

UntilHeard = Annotated[bool, Option(help="wait until it was heard; no timeout unless --timeout")]
"""The argument `wait` of what is spoken."""


@dataclass(frozen=True, slots=True)
class MuteReply:
    """The microphone, after the command."""

    muted: bool
    until: float | None
    changed: bool


@command(
    "mute",
    reply=MuteReply,
    verb=Verb(
        "switch the microphone off",
        "Switch the microphone off, also over a restart, or for a duration.",
        aliases=(
            Alias("unmute", "switch the microphone on", "Switch the microphone on.", args={"mode": "off"}),
        ),
    ),
    args_row="{mode}, {for_s} seconds, not with `off`",
    reply_row="{muted}, {until} (Unix seconds), {changed}",
)
class Mute:
    """Switch the microphone off or on; *for_s* seconds, or until told otherwise."""

    mode: Annotated[MuteMode, Positional(help="default: on")] = "on"
    for_s: Annotated[
        float | None,
        Bounds(above=0, most=YEAR_S, problem="must be seconds, above 0 and at most a year"),
        Option("--for", "D", "unmute after 90, 90s, 10m or 2h", "seconds"),
    ] = None

    def __post_init__(self) -> None:
        """Refuse an end of what has none."""
        if self.for_s is not None and self.mode == "off":
            raise bad_args("for_s", "goes with mode on or toggle")


@dataclass(frozen=True, slots=True)
class VolumeReply:
    """The volume, after the command."""

    percent: Annotated[int, Bounds(0, 100)]


@command(
    "volume",
    reply=VolumeReply,
    verb=Verb("tell or set the volume", "Set the volume, change it by so much, or tell it."),
    args_row="{percent} 0 to 100 *or* {relative} −100 to 100; neither: tell it",
)
class Volume:
    """Set the volume, or change it by so much; with neither, tell it."""

    percent: Annotated[
        int | None,
        Bounds(0, 100),
        Positional("PERCENT|+N|-N", "0 to 100, or so much more or less", "volume"),
    ] = None
    """0 to 100."""
    relative: Annotated[int | None, Bounds(-100, 100), GivenBy("percent")] = None
    """-100 to 100."""

    def __post_init__(self) -> None:
        """Refuse two ways to say it."""
        if self.percent is not None and self.relative is not None:
            raise bad_args("relative", "goes without percent")


@dataclass(frozen=True, slots=True)
class InterruptReply:
    """What was cut."""

    interrupted: bool
    item_id: str | None
    played_ms: int
    dropped_ms: int


@command(
    "interrupt",
    reply=InterruptReply,
    verb=Verb("silence the assistant now"),
    reply_row="{interrupted}, {item_id} (null when only an answer not yet audible was cancelled), "
    "{played_ms}, {dropped_ms}",
)
class Interrupt:
    """Silence the assistant now."""


@dataclass(frozen=True, slots=True)
class QueuedReply:
    """`say` and `ask`: how many wait, this one included, when it could not begin at once."""

    accepted: bool
    queued: int


@command(
    "say",
    reply=QueuedReply,
    verb=Verb(
        "have the assistant say exactly this",
        "Ask the assistant to say exactly this. It is not part of the conversation that it answers to, and a "
        "model may stray. `--wait` answers when it was heard. With `--uninterruptible` it begins when all "
        "else is silent, and whoever speaks over it is answered after it; `interrupt` and `talk press` end "
        "it all the same, and its protection ends after a minute.",
    ),
    reply_row="{accepted}, {queued}. The assistant is *asked* to say exactly this, beside the conversation; "
    "a model may stray. Not interruptible: see [below](#who-may-interrupt)",
)
class Say:
    """Ask the assistant to say exactly this, out of band; *wait*: answer when it has drained."""

    text: Annotated[str, FILLED, Positional("TEXT", joined=True)]
    wait: UntilHeard = False
    interruptible: Annotated[
        bool, Option("--uninterruptible", help="whoever speaks over it is answered after it")
    ] = True
    """False: whoever speaks over it is answered after it; only `interrupt` and push-to-talk end it."""


@command(
    "ask",
    reply=QueuedReply,
    verb=Verb("put a text to the assistant", "Put a text to the assistant, as if it had been spoken."),
    reply_row="{accepted}, {queued}: how many wait, this one included, when it could not begin at once",
)
class Ask:
    """Put a text to the assistant, as if it had been spoken; *wait*: answer when the answer has drained."""

    text: Annotated[str, FILLED, Positional("TEXT", joined=True)]
    wait: UntilHeard = False


@dataclass(frozen=True, slots=True)
class TalkReply:
    """Push-to-talk, after the command."""

    push_to_talk: bool
    """It is pressed."""
    changed: bool
    held_ms: Annotated[int, Bounds(least=0)]
    """How long it is, or was, pressed."""


@command(
    "talk",
    reply=TalkReply,
    verb=Verb(
        "push-to-talk: press, then release to be answered",
        "Push-to-talk. `press` silences the assistant and listens, from 300 ms before; `release` ends the "
        "turn, which is answered; `cancel` forgets it. A key that repeats itself may press again. A press "
        "under 100 ms is refused and nothing is sent (65); so is a press while the microphone is muted, and "
        "a release of nothing (77). A mute, the loss of the connection and two minutes end a press.",
    ),
    reply_row="{push_to_talk}: is it pressed; {changed}; {held_ms}. See [below](#push-to-talk)",
)
class Talk:
    """Push-to-talk: the user's turn by hand."""

    action: Annotated[TalkAction, Positional(help="cancel: forget what was said")]
    """``press``, ``release``, ``cancel``."""


@dataclass(frozen=True, slots=True)
class AcceptedReply:
    """`reconnect` and `stop`."""

    accepted: bool


@command(
    "reconnect",
    reply=AcceptedReply,
    verb=Verb(
        "open a new session",
        "Open a new session, with `--fresh` one that knows nothing of the conversation; `--wait` answers "
        "when it is up.",
    ),
    args_row="{fresh}: a session that knows nothing of the conversation; {wait}",
)
class Reconnect:
    """Open a new session; *fresh*: one that knows nothing of the old; *wait*: answer when it is up."""

    fresh: Annotated[bool, Option(help="one that knows nothing of the conversation")] = False
    wait: Annotated[bool, Option(help="wait until it is up; no timeout unless --timeout")] = False


@dataclass(frozen=True, slots=True)
class SetVoiceReply:
    """When the voice is heard: ``now`` or ``next_session``."""

    voice: str
    applied: Applied


@command(
    "set-voice",
    reply=SetVoiceReply,
    verb=Verb(
        "speak with another voice until the daemon ends",
        "Speak with another voice until the daemon ends: now, or in the next session where the server "
        "changes it only there.",
    ),
    reply_row="{voice}, {applied}: known once the server has answered, within 2 s; lasts until the daemon "
    "ends",
)
class SetVoice:
    """Speak with another voice until the daemon ends."""

    voice: Annotated[str, FILLED]


VoiceCommand = Mute | Interrupt | Say | Ask | Talk | Reconnect | SetVoice
"""Those that the conversation decides."""
