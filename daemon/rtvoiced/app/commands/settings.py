"""The commands that read and change the settings in force: `set`, `get`, `reload`, `volume`.

What they change holds until the daemon ends; the configuration file is never
written. A setting of the session is in force at once as well, but the server has to
take it: the conversation answers such a `set`, and where the server refuses, the
value before is in force again.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtvoiced.app.commands.calls import CommandCall, Handlers, PassOn, handler
from rtvoiced.app.settings_applier import SESSION_KEYS, SettingsApplier
from rtvoiced.conversation.inputs import SettingRequest
from rtvoiced.errors import CommandError, ConfigError
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract.replies import GetReply, ReloadReply, SetReply, VolumeReply
from rtvoiced.settings.runtime import BY_SET, RuntimeSettings, SettingValue

BY_VOLUME = "command volume"
"""The origin of a volume that the command set, as `get` tells it."""


@dataclass(eq=False, repr=False)
class SettingsCommands:
    """The settings in force, and whoever lets a change of them work."""

    runtime_settings: RuntimeSettings
    applier: SettingsApplier

    def handlers(self) -> Handlers:
        """Return the rows of the table."""
        return {
            **handler(commands.Set, self.set),
            **handler(commands.Get, self.get),
            **handler(commands.Reload, self.reload),
            **handler(commands.Volume, self.volume),
        }

    def set(self, call: CommandCall[commands.Set]) -> SetReply | PassOn:
        """Change a key.

        Raises `CommandError`: ``bad_args`` for an unknown key or a wrong value,
        ``not_allowed`` for a key that needs a restart.
        """
        key = call.command.key
        value = SettingValue(key, self.runtime_settings.parsed(key, call.command.value), BY_SET)
        if key not in SESSION_KEYS:
            self.applier.change(value)
            return SetReply(key, value.value, "now")
        before = self.runtime_settings.value(key)
        self.runtime_settings.put(value)
        self.applier.apply({key})
        return PassOn(
            self.applier.configure(SettingRequest(call.ticket, key, value.value)),
            lambda carried_out: self.runtime_settings.put(value if carried_out else before),
        )

    def get(self, call: CommandCall[commands.Get]) -> GetReply:
        """Return the value of a key, masked where it may be a secret, and where it came from."""
        found = self.runtime_settings.shown(call.command.key)
        return GetReply(found.key, found.value, found.origin)

    def reload(self, _call: CommandCall[commands.Reload]) -> ReloadReply:
        """Read the configuration again; raises `CommandError` ``bad_args`` where it can't be used."""
        try:
            found = self.applier.reload()
        except ConfigError as error:
            raise CommandError("bad_args", str(error)) from None
        return ReloadReply(found.changed, found.restart)

    def volume(self, call: CommandCall[commands.Volume]) -> VolumeReply:
        """Set the volume, or change it by so much within 0 to 100; with neither, only tell it."""
        percent, relative = call.command.percent, call.command.relative
        before = self.runtime_settings.now.audio.volume_percent
        wanted = percent if percent is not None else min(100, max(0, before + (relative or 0)))
        if (percent, relative) != (None, None):
            self.applier.change(SettingValue("audio.volume_percent", wanted, BY_VOLUME))
        return VolumeReply(wanted)
