"""The settings in force, and what of them changes while the daemon runs: `set`, `get`, `reload`.

The daemon has one `RuntimeSettings`; whoever needs a setting that can change asks its `now`. The
command service puts values into it, and tells those that a change concerns: nothing is called from
here. A value that a command changed stays until the daemon ends, or until the configuration itself
changes there. Keys that need a restart keep the value that they had at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rtvoiced.errors import CommandError, ConfigError
from rtvoiced.settings.reading import Given, nearest, read
from rtvoiced.settings.schema import Settings, known_keys, live_keys
from rtvoiced.settings.values import shown_values

BY_SET = "command set"
"""The origin of a value that the command `set` gave."""


@dataclass(frozen=True, slots=True)
class SettingValue:
    """The value of a setting, and who gave it."""

    key: str
    value: Any
    origin: str
    """For people: ``default``, the file, a flag, a variable, a command."""


@dataclass(frozen=True, slots=True)
class ReloadedKeys:
    """What a reload found."""

    changed: list[str]
    """Keys of which the configuration says something else than before."""
    restart: list[str]
    """Those of them that are in force only after a restart."""


class RuntimeSettings:
    """The settings in force; *load* reads the configuration again, and may raise `ConfigError`."""

    def __init__(self, settings: Settings, load: Callable[[], Settings]) -> None:
        self.now = settings
        """What holds now."""
        self._load = load
        self._loaded = settings
        """What the configuration said last, without commands; of keys that need a restart, at the start."""

    def shown(self, key: str) -> SettingValue:
        """Return the value in force as people may see it: what may be a key is masked.

        Raises `CommandError` ``bad_args`` for a key that does not exist.
        """
        _known(key)
        found = shown_values(self.now)[key]
        return SettingValue(key, found["value"], found["origin"])

    def parsed(self, key: str, given: object) -> Any:
        """Return *given* in the type of the setting *key*.

        Raises `CommandError`: ``bad_args`` for an unknown key or a wrong value,
        ``not_allowed`` for a key that needs a restart.
        """
        _known(key)
        if not known_keys()[key].live:
            message = f"{key} can't change while the daemon runs: put it into the configuration and restart"
            raise CommandError("not_allowed", message, details={"key": key})
        try:
            return read(Given(key, given, BY_SET), known_keys()[key])
        except ConfigError as error:
            raise CommandError("bad_args", str(error), details={"arg": "value"}) from None

    def value(self, key: str) -> SettingValue:
        """Return the value in force of *key*, which must be known, unmasked."""
        section, _, name = key.partition(".")
        return SettingValue(key, getattr(getattr(self.now, section), name), self.now.origin(key))

    def put(self, value: SettingValue) -> None:
        """Let *value*, which must be of the right type, be in force."""
        section, _, name = value.key.partition(".")
        part = replace(getattr(self.now, section), **{name: value.value})
        origins = {**self.now.origins, value.key: value.origin}
        self.now = replace(self.now, **{section: part}, origins=origins)

    def reload(self) -> ReloadedKeys:
        """Read the configuration again, and let what changed in it and is live be in force.

        Raises `ConfigError` where it can't be used; nothing has changed then.
        """
        fresh = self._load()
        old, new = RuntimeSettings(self._loaded, self._load), RuntimeSettings(fresh, self._load)
        changed = [key for key in known_keys() if old.value(key).value != new.value(key).value]
        for key in changed:
            if known_keys()[key].live:
                self.put(new.value(key))
                old.put(new.value(key))
        self._loaded = old.now
        return ReloadedKeys(changed, [key for key in changed if key not in live_keys()])


def _known(key: str) -> None:
    """Raise `CommandError` ``bad_args`` for a key that does not exist."""
    if key not in known_keys():
        hint = nearest(key[:60], known_keys())
        raise CommandError("bad_args", f"unknown key {key:.60}{hint}", details={"arg": "key"})
