"""Builds the command socket, the table of handlers, and the service that joins them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtvoiced.app.build.core import Core
from rtvoiced.app.build.sound import SoundParts
from rtvoiced.app.commands import conversation
from rtvoiced.app.commands.calls import CommandCall, Handlers, call_of
from rtvoiced.app.commands.devices import DeviceCommands
from rtvoiced.app.commands.history import HistoryCommands
from rtvoiced.app.commands.service import CommandService
from rtvoiced.app.commands.settings import SettingsCommands
from rtvoiced.app.commands.stats import StatsCommands
from rtvoiced.app.commands.status import StatusCommands
from rtvoiced.app.mailbox import Mailbox
from rtvoiced.app.settings_applier import SettingsApplier
from rtvoiced.audio.thread.duplex import Duplex
from rtvoiced.host import paths
from rtvoiced.ipc.server.control import Control
from rtvoiced.ipc.server.sockets import Context
from rtvoiced.realtime.link import Link


@dataclass(eq=False, repr=False)
class CommandParts:
    """Where commands come in, and who answers them."""

    control: Control
    service: CommandService


def build_commands(
    core: Core,
    sound: SoundParts,
    link: Link,
    applier: SettingsApplier,
    context: Context,
    directory: Path,
) -> CommandParts:
    """Return both; the socket is bound in *directory*, and answers once the loop goes on."""
    publisher = core.publisher
    calls: Mailbox[CommandCall[Any]] = Mailbox()
    control = Control(
        context,
        paths.control_socket(directory),
        lambda ticket, request: calls.post(call_of(ticket, request)),
        lambda: (publisher.run, publisher.seq),
    )
    devices = DeviceCommands(
        device_list=sound.device_list,
        device_watch=sound.device_watch,
        audio=sound.audio,
        runtime_settings=core.runtime_settings,
        shell_status=core.shell_status,
    )
    handlers: Handlers = {
        **conversation.handlers(),
        **HistoryCommands(core.conversation, publisher).handlers(),
        **SettingsCommands(core.runtime_settings, applier).handlers(),
        **devices.handlers(),
        **_status_handlers(core, directory, sound.audio, link, control),
    }
    return CommandParts(control, CommandService(calls, control, handlers, core.inputs, core.lifetime))


def _status_handlers(core: Core, directory: Path, audio: Duplex, link: Link, control: Control) -> Handlers:
    """Return the handlers of the commands that tell what is true, and what was counted."""
    endpoints = {
        "control": str(paths.control_socket(directory)),
        "events": str(paths.events_socket(directory)),
    }
    current = StatusCommands(
        conversation=core.conversation,
        shell_status=core.shell_status,
        playback=core.playback,
        front_end=core.front_end,
        runtime_settings=core.runtime_settings,
        publisher=core.publisher,
        endpoints=endpoints,
    )
    counted = StatsCommands(
        stats_recorder=core.stats,
        conversation=core.conversation,
        audio=audio,
        link=link,
        control=control,
        publisher=core.publisher,
        shell_status=core.shell_status,
    )
    return {**current.handlers(), **counted.handlers()}
