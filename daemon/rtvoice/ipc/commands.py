"""The commands of the IPC contract (docs/ipc.md), one dataclass each: the fields are the command's ``args``.

A command that exists makes sense: constructing one that does not raises
`CommandError` with ``bad_args``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rtvoice.errors import CommandError


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
    mode: str = "on"
    for_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _one_of("mode", self.mode, ("on", "off", "toggle"))
        if self.for_s is not None and not 0 < self.for_s <= 366 * 86400:
            raise bad_args("for_s", "must be seconds, above 0 and at most a year")
        if self.for_s is not None and self.mode == "off":
            raise bad_args("for_s", "goes with mode on or toggle")


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Silence the assistant now."""

    command: ClassVar[str] = "interrupt"


@dataclass(frozen=True, slots=True)
class Ask:
    """Put a text to the assistant, as if it had been spoken."""

    command: ClassVar[str] = "ask"
    text: str

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _not_blank("text", self.text)


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Open a new session; *fresh*: one that knows nothing of the old."""

    command: ClassVar[str] = "reconnect"
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class SetVoice:
    """Speak with another voice until the daemon ends."""

    command: ClassVar[str] = "set-voice"
    voice: str

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        _not_blank("voice", self.voice)


@dataclass(frozen=True, slots=True)
class Stop:
    """End the daemon."""

    command: ClassVar[str] = "stop"


Command = Hello | Status | Mute | Interrupt | Ask | Reconnect | SetVoice | Stop
COMMANDS: dict[str, type[Any]] = {
    kind.command: kind for kind in (Hello, Status, Mute, Interrupt, Ask, Reconnect, SetVoice, Stop)
}
READS = frozenset({"hello", "status"})
"""Commands that change nothing: their replies are not kept for a retry."""


def _one_of(key: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        raise bad_args(key, f"must be one of {', '.join(words)}")


def _not_blank(key: str, value: str) -> None:
    if not value.strip():
        raise bad_args(key, "must not be empty")


def bad_args(key: str, problem: str) -> CommandError:
    """Return the error for an argument that can't be used."""
    return CommandError("bad_args", f"{key:.60}: {problem}", details={"arg": key[:60]})
