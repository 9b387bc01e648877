"""Makes `Settings` of flags, environment variables and the file.

Flags win over the environment, that over the file, that over the defaults. All
of them are checked, also a value that another one covers: a mistake is told where
it is made, as a `ConfigError` that names the key, where the value came from, and
the nearest valid name. The daemon calls `load` when it starts and at every
reload; `read` also checks the value of the command `set`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from rtvoiced.errors import ConfigError
from rtvoiced.settings.declaration import Setting
from rtvoiced.settings.schema import Settings, known_keys
from rtvoiced.vocabulary import CardKind, words

PREFIX = "RTVOICE_"
"""What the name of every variable of the configuration begins with: ``RTVOICE_SECTION_KEY``."""
RESERVED = frozenset({"RTVOICE_CONFIG", "RTVOICE_RUNTIME_DIR"})
"""Variables with that prefix that are no settings: `host.paths` reads them."""
DEVICE_CARDS: frozenset[CardKind] = frozenset({"auto", "portaudio"})
"""The kinds of `audio.card` that mean devices of the system."""
KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
"""What a value must be, in words, by its type."""


@dataclass(frozen=True, slots=True)
class Given:
    """One value as somebody gave it: text from a flag or the environment, typed from the file."""

    key: str
    value: object
    origin: str
    """Who gave it, for people: ``flag --set``, ``environment RTVOICE_…``, the path of the file."""
    typed: bool = False
    """True for the file, where a text is a text and never read as a number."""


def load(
    flags: Iterable[tuple[str, str, str]],
    environ: Mapping[str, str],
    file: Path | None,
    *,
    must_exist: bool = True,
) -> Settings:
    """Return the settings; of *flags*, (section.key, text, flag as written), the last of a key wins.

    Raises `ConfigError` that names the key, where it came from, and the nearest valid one.
    """
    given = [
        *from_file(file, must_exist),
        *from_environment(environ),
        *(Given(key, text, f"flag {flag}") for key, text, flag in flags),
    ]
    sections: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    known = known_keys()
    for each in given:
        if each.key not in known:
            raise ConfigError(f"unknown key {each.key} ({each.origin}){nearest(each.key, known)}")
        setting = known[each.key]
        sections.setdefault(setting.section, {})[setting.name] = read(each, setting)
        origins[each.key] = each.origin
    kinds = get_type_hints(Settings)
    made = {section: kinds[section](**values) for section, values in sections.items()}
    settings = Settings(**made, origins=origins)
    card(settings)
    return settings


def card(settings: Settings) -> tuple[CardKind, str]:
    """Return `audio.card` as (kind, rest): ``wav`` with ``IN,OUT``, any other kind with nothing.

    Raises `ConfigError` where it has neither form.
    """
    kind, _, rest = settings.audio.card.partition(":")
    if kind == "wav" and rest.count(",") == 1 and rest != ",":
        return "wav", rest
    for known in words(CardKind):
        if known == kind != "wav" and not rest:
            return known, ""
    raise ConfigError(
        f"audio.card ({settings.origin('audio.card')}): {settings.audio.card!r} is none of"
        " auto, portaudio, none, wav:IN,OUT"
    )


def has_devices(settings: Settings) -> bool:
    """Tell whether `audio.card` means devices of the system.

    Among these one can choose, a missing one may come later, and microphone and speaker
    are in one room; none of this is true of files, or where no card is wanted.
    """
    return card(settings)[0] in DEVICE_CARDS


def from_file(file: Path | None, must_exist: bool = True) -> Iterator[Given]:
    """Yield what a TOML file of sections gives; None is no file. Raises `ConfigError`."""
    if file is None:
        return
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not must_exist:
            return
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: no valid TOML: {error}") from None
    sections = {setting.section for setting in known_keys().values()}
    for section, values in raw.items():
        if not isinstance(values, dict):
            raise ConfigError(f"{file}: {section} stands outside a section{nearest(section, known_keys())}")
        if section not in sections:
            raise ConfigError(f"unknown section {section} ({file}){nearest(section, sections)}")
        for name, value in values.items():
            yield Given(f"{section}.{name}", value, str(file), typed=True)


def from_environment(environ: Mapping[str, str]) -> Iterator[Given]:
    """Yield what the variables RTVOICE_SECTION_KEY give. Raises `ConfigError` for an unknown one."""
    names = {PREFIX + key.replace(".", "_").upper(): key for key in known_keys()}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        if variable not in names:
            raise ConfigError(f"unknown environment variable {variable}{nearest(variable, names)}")
        yield Given(names[variable], text, f"environment {variable}")


def read(given: Given, setting: Setting) -> Any:
    """Return the given value in the setting's type. Raises `ConfigError` where it is none."""
    if setting.kind is dict:
        return _table(given)
    value: Any = given.value
    if setting.optional and value == "":
        return None
    kind = setting.kind
    if isinstance(value, str):
        value = _from_text(given, value, kind)
    whole_for_float = kind is float and isinstance(value, int)
    if not (isinstance(value, kind) or whole_for_float) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(given, f"must be {KINDS[kind]}")
    if setting.words and value not in setting.words:
        raise _wrong(given, f"must be one of {', '.join(setting.words)}")
    if setting.span is not None and not setting.span.holds(value):
        raise _wrong(given, f"must be {setting.span}")
    return float(value) if whole_for_float else value


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the valid name most like *name*, or where to find the list."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; rtvoiced --check prints all that there are"


def _from_text(given: Given, text: str, kind: type) -> Any:
    if kind is bool and not given.typed:
        if text not in ("true", "false"):
            raise _wrong(given, "must be true or false")
        return text == "true"
    if kind is str:
        return text
    if not given.typed:
        try:
            return kind(text)
        except ValueError:
            raise _wrong(given, f"must be {KINDS[kind]}") from None
    raise _wrong(given, f"must be {KINDS[kind]}, without quotation marks")


def _table(given: Given) -> Mapping[str, str]:
    # The value is not repeated: headers hold keys.
    if not isinstance(given.value, dict):
        raise ConfigError(f"{given.key} ({given.origin}): is a table, which only the file can give")
    for name, value in given.value.items():
        if not isinstance(value, str) or not name.isprintable() or not value.isprintable():
            raise ConfigError(f"{given.key}.{name} ({given.origin}): must be a text of one line")
    return given.value


def _wrong(given: Given, problem: str) -> ConfigError:
    return ConfigError(f"{given.key} ({given.origin}): {problem}, not {given.value!r:.60}")
