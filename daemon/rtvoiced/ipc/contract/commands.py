"""The commands of the IPC contract (docs/ipc.md), one dataclass each: the fields are the command's ``args``.

A command that exists makes sense: constructing one that does not raises
`CommandError` with ``bad_args``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from rtvoiced.errors import CommandError
from rtvoiced.vocabulary import Direction, MuteMode, TalkAction, words


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is there: versions, capabilities, endpoints."""

    command: ClassVar[str] = "hello"


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that is true now."""

    command: ClassVar[str] = "status"


@dataclass(frozen=True, slots=True)
class Mute:
    """Switch the microphone off or on; *for_s* seconds, or until told otherwise."""

    command: ClassVar[str] = "mute"
    mode: MuteMode = "on"
    for_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _one_of("mode", self.mode, MuteMode)
        if self.for_s is not None and not 0 < self.for_s <= 366 * 86400:
            raise bad_args("for_s", "must be seconds, above 0 and at most a year")
        if self.for_s is not None and self.mode == "off":
            raise bad_args("for_s", "goes with mode on or toggle")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The same as `Status`; the reply's ``seq`` is where the events go on."""

    command: ClassVar[str] = "snapshot"


@dataclass(frozen=True, slots=True)
class Volume:
    """Set the volume, or change it by so much; with neither, tell it."""

    command: ClassVar[str] = "volume"
    percent: int | None = None
    """0 to 100."""
    relative: int | None = None
    """-100 to 100."""

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.percent is not None and self.relative is not None:
            raise bad_args("relative", "goes without percent")
        _within("percent", self.percent, 0, 100)
        _within("relative", self.relative, -100, 100)


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Silence the assistant now."""

    command: ClassVar[str] = "interrupt"


@dataclass(frozen=True, slots=True)
class Say:
    """Ask the assistant to say exactly this, out of band; *wait*: answer when it has drained."""

    command: ClassVar[str] = "say"
    text: str
    wait: bool = False
    interruptible: bool = True
    """False: whoever speaks over it is answered after it; only `interrupt` and push-to-talk end it."""

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _not_blank("text", self.text)


@dataclass(frozen=True, slots=True)
class Ask:
    """Put a text to the assistant, as if it had been spoken; *wait*: answer when the answer has drained."""

    command: ClassVar[str] = "ask"
    text: str
    wait: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _not_blank("text", self.text)


@dataclass(frozen=True, slots=True)
class Talk:
    """Push-to-talk: the user's turn by hand."""

    command: ClassVar[str] = "talk"
    action: TalkAction
    """``press``, ``release``, ``cancel``."""

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _one_of("action", self.action, TalkAction)


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Open a new session; *fresh*: one that knows nothing of the old; *wait*: answer when it is up."""

    command: ClassVar[str] = "reconnect"
    fresh: bool = False
    wait: bool = False


@dataclass(frozen=True, slots=True)
class SetVoice:
    """Speak with another voice until the daemon ends."""

    command: ClassVar[str] = "set-voice"
    voice: str

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _not_blank("voice", self.voice)


@dataclass(frozen=True, slots=True)
class Set:
    """Change a key of the configuration until the daemon ends."""

    command: ClassVar[str] = "set"
    key: str
    """``section.key``, one that can change live."""
    value: str | float | bool


@dataclass(frozen=True, slots=True)
class Get:
    """Tell the value of a key of the configuration."""

    command: ClassVar[str] = "get"
    key: str


@dataclass(frozen=True, slots=True)
class Devices:
    """List the microphones and speakers that there are."""

    command: ClassVar[str] = "devices"


@dataclass(frozen=True, slots=True)
class SetDevice:
    """Use another microphone or speaker until the daemon ends."""

    command: ClassVar[str] = "set-device"
    direction: Direction
    """``input`` or ``output``."""
    name: str
    """Part of its name, exact wins; empty: the system's default."""

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _one_of("direction", self.direction, Direction)


@dataclass(frozen=True, slots=True)
class History:
    """What was said, as text; of answers the words that were heard."""

    command: ClassVar[str] = "history"
    last: int | None = None
    """At most so many items, 1 to 500."""

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _within("last", self.last, 1, 500)


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters and latencies since the start."""

    command: ClassVar[str] = "stats"


@dataclass(frozen=True, slots=True)
class Replay:
    """Counted events after *since*, oldest first, at most 500 a reply."""

    command: ClassVar[str] = "replay"
    run: str
    since: int
    events: tuple[str, ...] | None = None
    """Only those of these names."""

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _within("since", self.since, 0, 1 << 53)


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the configuration file again."""

    command: ClassVar[str] = "reload"


@dataclass(frozen=True, slots=True)
class Stop:
    """End the daemon."""

    command: ClassVar[str] = "stop"


Command = (
    Hello
    | Status
    | Snapshot
    | Mute
    | Volume
    | Interrupt
    | Say
    | Ask
    | Talk
    | Reconnect
    | SetVoice
    | Set
    | Get
    | Devices
    | SetDevice
    | History
    | Stats
    | Replay
    | Reload
    | Stop
)
ForConversation = Mute | Interrupt | Say | Ask | Talk | Reconnect | SetVoice | Stop
"""Those that the conversation decides; the daemon's shell answers the others."""
COMMANDS: dict[str, type[Any]] = {kind.command: kind for kind in get_args(Command)}
READS = frozenset({"hello", "status", "snapshot", "get", "devices", "history", "stats", "replay"})
"""Commands that change nothing: their replies are not kept for a retry."""


def _one_of(key: str, value: str, vocabulary: Any) -> None:
    if value not in words(vocabulary):
        raise bad_args(key, f"must be one of {', '.join(words(vocabulary))}")


def _within(key: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise bad_args(key, f"must be from {least} to {most}")


def _not_blank(key: str, value: str) -> None:
    if not value.strip():
        raise bad_args(key, "must not be empty")


def bad_args(key: str, problem: str) -> CommandError:
    """Return the error for an argument that can't be used."""
    return CommandError("bad_args", f"{key:.60}: {problem}", details={"arg": key[:60]})
