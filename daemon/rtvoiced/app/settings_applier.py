"""Lets a change of the settings work in the parts of the daemon that use them.

`RuntimeSettings` holds the values in force; this knows who has to be told when one
of them changes. The commands `set`, `volume` and `reload` come here, and so does
SIGHUP. Settings of the session, the turns and the interruption are the
conversation's: they go to it as the input `Configure`.

A key that can change while the daemon runs (`live_keys`) is either handled in
`apply` or read anew whenever it is used, as the names of the devices are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from rtvoiced.app.mailbox import Mailbox
from rtvoiced.app.session_config import interruption_rules
from rtvoiced.app.uplink import Uplink
from rtvoiced.audio.capture.front_end import FrontEnd
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.conversation.inputs import Configure, Input, SettingRequest
from rtvoiced.host import logs
from rtvoiced.realtime.events import SessionConfig
from rtvoiced.settings.runtime import ReloadedKeys, RuntimeSettings, SettingValue
from rtvoiced.settings.schema import Settings, live_keys

SESSION_KEYS = frozenset(
    key for key in live_keys() if key.startswith(("session.", "turn.", "interruption."))
) - {"interruption.fade_ms"}
"""The keys of which the conversation, and mostly the server, has to be told."""


@dataclass(eq=False, repr=False)
class SettingsApplier:
    """Everybody who has to be told of a changed setting."""

    runtime_settings: RuntimeSettings
    playback: PlaybackQueue
    front_end: FrontEnd
    uplink: Uplink
    inputs: Mailbox[Input]
    session_config: Callable[[Settings], SessionConfig]
    """Returns what is asked of a session under these settings."""

    def change(self, value: SettingValue) -> None:
        """Let *value*, which is of the right type, be in force and work."""
        self.runtime_settings.put(value)
        self._apply({value.key})

    def reload(self) -> ReloadedKeys:
        """Read the configuration again and let what changed in it work; return what that was.

        Raises `ConfigError` where it can't be used, and then nothing has changed.
        """
        found = self.runtime_settings.reload()
        self._apply(frozenset(found.changed) & live_keys())
        return found

    def apply(self, keys: Collection[str]) -> None:
        """Let the values in force of *keys* work here; the conversation is not told."""
        now = self.runtime_settings.now
        if "audio.volume_percent" in keys:
            self.playback.set_volume(now.audio.volume_percent)
        if "interruption.fade_ms" in keys:
            self.playback.set_fade(now.interruption.fade_ms)
        if "echo.mode" in keys:
            # Here, not in the audio thread, which would keep an open card waiting.
            self.front_end.prepare(now.echo.mode)
            self.front_end.mode = now.echo.mode
        if "log.level" in keys:
            logs.configure(now.log.level, now.log.format)
        if "turn.prefix_ms" in keys:
            self.uplink.preroll_ms = now.turn.prefix_ms

    def configure(self, setting: SettingRequest | None = None) -> Configure:
        """Return the input that tells the conversation the settings in force, which answers *setting*."""
        now = self.runtime_settings.now
        return Configure(self.session_config(now), setting, interruption_rules(now))

    def _apply(self, keys: Collection[str]) -> None:
        self.apply(keys)
        if not SESSION_KEYS.isdisjoint(keys):
            self.inputs.post(self.configure())
