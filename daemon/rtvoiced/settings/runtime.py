"""The settings in force, and what of them changes while the daemon runs: `set`, `get`, `reload`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rtvoiced.errors import CommandError, ConfigError
from rtvoiced.settings.reading import Given, nearest, read
from rtvoiced.settings.schema import Settings, known_keys, live_keys
from rtvoiced.settings.values import shown_values

BY_SET = "command set"


@dataclass(frozen=True, slots=True)
class SettingValue:
    """The value of a key, and who gave it."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class ReloadedKeys:
    """What a reload found: keys whose values changed, and those of them that need a restart."""

    changed: list[str]
    restart: list[str]


class RuntimeSettings:
    """What holds now; *load* reads the configuration again, or raises `ConfigError`."""

    def __init__(self, settings: Settings, load: Callable[[], Settings]) -> None:
        self.now = settings
        self._load = load
        self._loaded = settings
        """What the configuration said, without later commands; of keys that need a restart, at the start."""

    def shown(self, key: str) -> SettingValue:
        """Return the value in force as people may see it: what may be a key is masked.

        Raises `CommandError` ``bad_args`` for a key that does not exist.
        """
        _known(key)
        found = shown_values(self.now)[key]
        return SettingValue(key, found["value"], found["origin"])

    def parsed(self, key: str, given: object) -> Any:
        """Return *given* in the key's type.

        Raises `CommandError`: ``bad_args`` for an unknown key or a wrong value, ``not_allowed`` for a key
        that needs a restart.
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
        """Return the value in force of a known key."""
        section, _, name = key.partition(".")
        return SettingValue(key, getattr(getattr(self.now, section), name), self.now.origin(key))

    def put(self, value: SettingValue) -> None:
        """Let *value*, which is of the right type, be in force."""
        section, _, name = value.key.partition(".")
        part = replace(getattr(self.now, section), **{name: value.value})
        origins = {**self.now.origins, value.key: value.origin}
        self.now = replace(self.now, **{section: part}, origins=origins)

    def reload(self) -> ReloadedKeys:
        """Read the configuration again; what changed in it and is live is in force then.

        Raises `ConfigError`, and nothing has changed.
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
    if key not in known_keys():
        hint = nearest(key[:60], known_keys())
        raise CommandError("bad_args", f"unknown key {key:.60}{hint}", details={"arg": "key"})
