"""Commands that change what the daemon runs with, or tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rtvoiced.ipc.contract.declaration import Positional, Verb, command
from rtvoiced.vocabulary import Applied, Direction


@dataclass(frozen=True, slots=True)
class SetReply:
    """The value in force, and when: ``now`` or ``next_session``."""

    key: str
    value: str | float | bool | None
    applied: Applied


@command(
    "set",
    reply=SetReply,
    verb=Verb(
        "change a key of the configuration until the daemon ends",
        "Change a key of the configuration that can change while the daemon runs, until it ends; see "
        "`rtvoiced(1)`.",
        after="set-device",
    ),
    args_row="{key} (`section.key`), {value}",
    reply_row="{key}, `value` in force, {applied}; lasts until the daemon ends",
)
class Set:
    """Change a key of the configuration until the daemon ends."""

    key: Annotated[str, Positional("KEY", "section.key")]
    """``section.key``, one that can change live."""
    value: str | float | bool


@dataclass(frozen=True, slots=True)
class GetReply:
    """The value in force and where it came from."""

    key: str
    value: str | float | bool | dict[str, str] | None
    origin: str


@command(
    "get",
    reply=GetReply,
    reads=True,
    verb=Verb(
        "tell the value of a key of the configuration",
        "Print a key of the configuration, and where its value came from.",
        after="set",
    ),
    reply_row="{key}, `value`, {origin}: where it came from",
)
class Get:
    """Tell the value of a key of the configuration."""

    key: str


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device that there is."""

    name: str
    input: bool
    output: bool
    default_input: bool
    default_output: bool


@dataclass(frozen=True, slots=True)
class DevicesReply:
    """What there is, and what was asked for; empty: the system's default."""

    devices: list[ListedDevice]
    input: str
    output: str


@command(
    "devices",
    reply=DevicesReply,
    reads=True,
    verb=Verb("list the microphones and speakers that there are", group="look", after="stats"),
    reply_row="{devices}: list of `name`, `input`, `output`, `default_input`, `default_output` (booleans); "
    "{input}, {output}: what was asked for, empty is the system's default",
)
class Devices:
    """List the microphones and speakers that there are."""


@dataclass(frozen=True, slots=True)
class SetDeviceReply:
    """The device that will be opened."""

    direction: Direction
    name: str


@command(
    "set-device",
    reply=SetDeviceReply,
    verb=Verb(
        "use another microphone or speaker until the daemon ends",
        "Use another microphone or speaker until the daemon ends; `NAME` is a part of its name, and empty "
        "for the system's default.",
    ),
    args_row="{direction}, {name}: part of it, exact wins; empty: the system's default",
    reply_row="{direction.name}, {name}",
)
class SetDevice:
    """Use another microphone or speaker until the daemon ends."""

    direction: Direction
    """``input`` or ``output``."""
    name: Annotated[str, Positional("NAME", "a part of its name; '' is the system's default")]
    """Part of its name, exact wins; empty: the system's default."""


SettingsCommand = Set | Get | Devices | SetDevice
