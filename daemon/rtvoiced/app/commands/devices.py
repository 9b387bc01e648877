"""The commands that list and choose microphones and speakers: `devices`, `set-device`.

Both ask a child process for the list (`DeviceList`), which takes up to 2 s; they are
answered when it has come. `set-device` is answered before the device is open: the
audio thread opens it in its next round, and the event `device` tells when it did.
"""

from __future__ import annotations

import difflib
import time
from dataclasses import dataclass

from rtvoiced.app.commands.calls import CommandCall, Handlers, handler
from rtvoiced.app.status import ShellStatus
from rtvoiced.audio.cards.device_list import DeviceList
from rtvoiced.audio.cards.device_watch import DeviceWatch
from rtvoiced.audio.cards.portaudio import FoundDevice, chosen
from rtvoiced.audio.thread.duplex import Duplex, Reopen
from rtvoiced.errors import AudioError, CommandError
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract.replies import DevicesReply, ListedDevice, SetDeviceReply
from rtvoiced.settings import reading
from rtvoiced.settings.runtime import RuntimeSettings, SettingValue
from rtvoiced.vocabulary import Direction

BY_DEVICE = "command set-device"
"""The origin of a device that the command chose, as `get` tells it."""
MOST_NAME = 200
"""Characters of a device's name: to find what a megabyte is most like would take seconds."""


@dataclass(eq=False, repr=False)
class DeviceCommands:
    """The list of what there is, and whoever opens what is chosen of it."""

    device_list: DeviceList
    device_watch: DeviceWatch
    audio: Duplex
    runtime_settings: RuntimeSettings
    shell_status: ShellStatus

    def handlers(self) -> Handlers:
        """Return the rows of the table."""
        return {**handler(commands.Devices, self.devices), **handler(commands.SetDevice, self.set_device)}

    async def devices(self, _call: CommandCall[commands.Devices]) -> DevicesReply:
        """Return all devices, and the names that are wanted."""
        listed = [
            ListedDevice(
                each.name, each.has("input"), each.has("output"), each.default_input, each.default_output
            )
            for each in await self._found()
        ]
        wanted = self.runtime_settings.now.audio
        return DevicesReply(listed, wanted.input or "", wanted.output or "")

    async def set_device(self, call: CommandCall[commands.SetDevice]) -> SetDeviceReply:
        """Choose another device.

        Raises `CommandError`: ``not_allowed`` where there is no sound card to choose
        for, ``device_not_found`` with the nearest names, ``expired`` where the list
        came too late, and what `devices` raises.
        """
        direction, name = call.command.direction, call.command.name[:MOST_NAME]
        settings = self.runtime_settings
        if not reading.has_devices(settings.now):
            card = settings.now.audio.card
            raise CommandError("not_allowed", f"audio.card is {card!r}: there are no devices to choose from")
        found = await self._found()
        if call.expires is not None and time.monotonic() >= call.expires:
            # Whoever asked has given up meanwhile.
            raise CommandError("expired", "the list of devices came too late", retryable=True)
        try:
            device = chosen(found, direction, name)
        except AudioError as error:
            near = _nearest(found, direction, name)
            raise CommandError("device_not_found", str(error), details={"nearest": near}) from None
        settings.put(SettingValue(f"audio.{direction}", name or None, BY_DEVICE))
        wanted = settings.now.audio
        self.device_watch.look_for(wanted.input or "", wanted.output or "")
        if self.shell_status.open_devices().get(direction) != device.name:
            self.audio.reopen(Reopen.AT_ONCE if direction == "output" else Reopen.WHEN_QUIET)
        return SetDeviceReply(direction, device.name)

    async def _found(self) -> tuple[FoundDevice, ...]:
        """Return the devices; raises `CommandError`: ``timeout`` or ``audio_unavailable``."""
        try:
            return await self.device_list.now()
        except TimeoutError:
            message = "the sound system did not list its devices within 2 s"
            raise CommandError("timeout", message, retryable=True) from None
        except AudioError as error:
            raise CommandError("audio_unavailable", str(error), retryable=True) from None


def _nearest(found: tuple[FoundDevice, ...], direction: Direction, name: str) -> list[str]:
    """Return the up to three names most like *name*, the nearest first; where none is, the first three."""
    names = list(dict.fromkeys(each.name for each in found if each.has(direction)))
    return difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3]
