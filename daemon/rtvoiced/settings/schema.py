"""The configuration: every key with its default and unit, and where each value came from.

Flags win over the environment, that over the file, that over the defaults.
Nothing here opens a device or a socket.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from rtvoiced.errors import ConfigError
from rtvoiced.vocabulary import (
    Auth,
    Detection,
    Eagerness,
    EchoFallback,
    EchoMode,
    LogFormat,
    LogLevel,
    PolicySetting,
    ProviderName,
    words,
)

PREFIX = "RTVOICE_"
RESERVED = frozenset({"RTVOICE_CONFIG", "RTVOICE_RUNTIME_DIR"})


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The session with the server."""

    provider: ProviderName | None = None
    """``openai``, ``azure``, ``custom``, ``local``; None: chosen by what is there."""
    model: str | None = None
    """A free string; None: the provider's default."""
    voice: str | None = None
    """A free string; None: the provider's default."""
    instructions: str = (
        "You are a helpful voice assistant. Answer briefly, in the language you are spoken to."
    )
    language: str | None = None
    """ISO-639-1 code of what the user speaks; a hint for transcription."""
    speed: float = 1.0
    """0.25 to 1.5."""
    transcription: str = "gpt-realtime-whisper"
    """Model that writes down the user's words; empty: off."""
    url: str | None = field(default=None, repr=False)
    """WebSocket URL of a custom server, taken verbatim; may hold a password or a key."""
    auth: Auth = "none"
    """For a custom server: ``none``, ``bearer``, ``api-key``."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further HTTP headers for a custom server; in the file only."""
    key_file: str | None = None
    """File that holds the key; refused when group or others may read it."""


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """Azure OpenAI."""

    endpoint: str | None = None
    """``https://NAME.openai.azure.com``."""
    deployment: str | None = None
    api_version: str | None = None
    """A dated preview (beta protocol); None: the v1 path."""


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """When the user's turn is over."""

    detection: Detection = "server_vad"
    """``server_vad``; ``semantic_vad``: by what is said; ``none``: push-to-talk only."""
    eagerness: Eagerness = "auto"
    """For ``semantic_vad``: ``low``, ``medium``, ``high``, ``auto``."""
    threshold: float = 0.5
    """Probability of speech, 0 to 1."""
    silence_ms: int = 500
    prefix_ms: int = 300


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """Microphone and speaker."""

    input: str | None = None
    """Part of the device's name, exact wins; None: the system's default."""
    output: str | None = None
    card: str = "auto"
    """``auto``, ``portaudio``, ``none``, ``wav:IN,OUT``."""
    volume_percent: int = 100
    """0 to 100."""
    start_muted: bool = False


@dataclass(frozen=True, slots=True)
class InterruptionSettings:
    """What happens when the user speaks over the assistant."""

    policy: PolicySetting = "auto"
    """``server``, ``hold``, ``managed``, ``manual``; ``auto``: hold where our own echo is cancelled."""
    fade_ms: float = 5.0
    """0 to 100."""
    hold_ms: int = 800
    """So long an answer is held for the server to say that it hears speech; 100 to 5000."""
    hold_max_ms: int = 2000
    """So long at most, if the voice does not end; 100 to 10000."""
    speech_ms: int = 300
    """For ``managed``: so much voice after the answer fell silent is speech; 50 to 2000."""


@dataclass(frozen=True, slots=True)
class EchoSettings:
    """What becomes of the assistant's own voice in the microphone."""

    mode: EchoMode = "auto"
    """``auto``, ``on``, ``off``, ``half_duplex``, ``system``: the operating system cancels it."""
    chime: bool = False
    """Three tones when a card was opened, which the canceller learns from."""
    fallback: EchoFallback = "half_duplex"
    """Where the canceller can't run: ``half_duplex``, or ``server``, which hears the echo then."""


@dataclass(frozen=True, slots=True)
class VadSettings:
    """The daemon's own voice activity detection, on the cleaned microphone."""

    threshold: float = 0.5
    """Probability of speech, 0.1 to 0.95."""
    onset_ms: int = 64
    """So much voice is an onset; 32 to 1000, in windows of 32 ms."""
    gate_db: float = 6.0
    """What is less than that above the noise is not even looked at; 0 to 40."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """The connection to the server; the very first retry is immediate."""

    retry_first_s: float = 0.1
    retry_max_s: float = 30.0
    ping_s: float = 20.0


@dataclass(frozen=True, slots=True)
class IpcSettings:
    """The sockets."""

    replay_events: int = 5000
    """Events kept for subscribers that missed some; 0 to 1,000,000, and 16 MiB at most."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log, on stderr."""

    level: LogLevel = "info"
    format: LogFormat = "auto"
    """``console``, ``json``, ``auto``: console on a terminal, else JSON."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections; *origins* says where each value that is no default came from."""

    session: SessionSettings = SessionSettings()
    azure: AzureSettings = AzureSettings()
    turn: TurnSettings = TurnSettings()
    audio: AudioSettings = AudioSettings()
    interruption: InterruptionSettings = InterruptionSettings()
    echo: EchoSettings = EchoSettings()
    vad: VadSettings = VadSettings()
    link: LinkSettings = LinkSettings()
    ipc: IpcSettings = IpcSettings()
    log: LogSettings = LogSettings()
    origins: Mapping[str, str] = field(default_factory=dict)

    def origin(self, key: str) -> str:
        """Return where the value of *key* came from, for people."""
        return self.origins.get(key, "default")


RANGES = {
    "session.speed": (0.25, 1.5),
    "turn.threshold": (0.0, 1.0),
    "turn.silence_ms": (100, 10_000),
    "turn.prefix_ms": (0, 5_000),
    "audio.volume_percent": (0, 100),
    "interruption.fade_ms": (0.0, 100.0),
    "interruption.hold_ms": (100, 5_000),
    "interruption.hold_max_ms": (100, 10_000),
    "interruption.speech_ms": (50, 2_000),
    "vad.threshold": (0.1, 0.95),
    "vad.onset_ms": (32, 1000),
    "vad.gate_db": (0.0, 40.0),
    "link.retry_first_s": (0.01, 60.0),
    "link.retry_max_s": (0.01, 3600.0),
    "link.ping_s": (1.0, 3600.0),
    "ipc.replay_events": (0, 1_000_000),
}
LIVE = frozenset(
    {
        "audio.volume_percent",
        "echo.mode",
        "interruption.fade_ms",
        "interruption.hold_max_ms",
        "interruption.hold_ms",
        "interruption.policy",
        "interruption.speech_ms",
        "log.level",
        "session.instructions",
        "session.speed",
        "turn.detection",
        "turn.eagerness",
        "turn.prefix_ms",
        "turn.silence_ms",
        "turn.threshold",
    }
)
"""Keys that can change while the daemon runs; all others need a restart."""


@dataclass(frozen=True, slots=True)
class Given:
    """One value as somebody gave it: text from a flag or the environment, typed from the file."""

    key: str
    value: object
    origin: str
    typed: bool = False
    """True in the file, where a text is a text and no number."""


def load(
    flags: Iterable[tuple[str, str, str]],
    environ: Mapping[str, str],
    file: Path | None,
    *,
    must_exist: bool = True,
) -> Settings:
    """Return the settings; *flags* are (section.key, text, flag as written), the last of a key wins.

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
        section, _, name = each.key.partition(".")
        sections.setdefault(section, {})[name] = read(each, known[each.key])
        origins[each.key] = each.origin
    kinds = get_type_hints(Settings)
    made = {section: kinds[section](**values) for section, values in sections.items()}
    settings = Settings(**made, origins=origins)
    card(settings)
    return settings


def card(settings: Settings) -> tuple[str, str]:
    """Return `audio.card` as (kind, rest): ``wav`` with ``IN,OUT``, else the word with nothing."""
    kind, _, rest = settings.audio.card.partition(":")
    if kind == "wav" and rest.count(",") == 1 and rest != ",":
        return kind, rest
    if kind in ("auto", "portaudio", "none") and not rest:
        return kind, ""
    raise ConfigError(
        f"audio.card ({settings.origin('audio.card')}): {settings.audio.card!r} is none of"
        " auto, portaudio, none, wav:IN,OUT"
    )


def known_keys() -> dict[str, Any]:
    """Return every ``section.key`` with its type."""
    kinds = get_type_hints(Settings)
    return {
        f"{section.name}.{name}": kind
        for section in fields(Settings)
        if section.name != "origins"
        for name, kind in get_type_hints(kinds[section.name]).items()
    }


def vocabulary(kind: Any) -> tuple[str, ...]:
    """Return the words that a key of this type can have; empty: any text, or none at all."""
    parts = get_args(kind) if isinstance(kind, UnionType) or get_origin(kind) is Union else (kind,)
    return next((words(part) for part in parts if get_origin(part) is Literal), ())


def from_file(file: Path | None, must_exist: bool = True) -> Iterator[Given]:
    """Read a TOML file of sections; None is no file."""
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
    sections = {key.partition(".")[0] for key in known_keys()}
    for section, values in raw.items():
        if not isinstance(values, dict):
            raise ConfigError(f"{file}: {section} stands outside a section{nearest(section, known_keys())}")
        if section not in sections:
            raise ConfigError(f"unknown section {section} ({file}){nearest(section, sections)}")
        for name, value in values.items():
            yield Given(f"{section}.{name}", value, str(file), typed=True)


def from_environment(environ: Mapping[str, str]) -> Iterator[Given]:
    """Read the variables RTVOICE_SECTION_KEY; an unknown one is an error."""
    names = {PREFIX + key.replace(".", "_").upper(): key for key in known_keys()}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        if variable not in names:
            raise ConfigError(f"unknown environment variable {variable}{nearest(variable, names)}")
        yield Given(names[variable], text, f"environment {variable}")


def read(given: Given, kind: Any) -> Any:
    """Return a given value in the key's type, or raise `ConfigError`."""
    if kind == Mapping[str, str]:
        return _table(given)
    known = vocabulary(kind)
    optional = NoneType in get_args(kind)
    plain = str if known or optional else kind
    value: Any = given.value
    if optional and value == "":
        return None
    if isinstance(value, str):
        value = _from_text(given, value, plain)
    whole_for_float = plain is float and isinstance(value, int)
    if not (isinstance(value, plain) or whole_for_float) or (isinstance(value, bool) and plain is not bool):
        raise _wrong(given, f"must be {KINDS[plain]}")
    span = RANGES.get(given.key)
    if known and value not in known:
        raise _wrong(given, f"must be one of {', '.join(known)}")
    if span is not None and not span[0] <= value <= span[1]:
        raise _wrong(given, f"must be from {span[0]:g} to {span[1]:g}")
    return float(value) if whole_for_float else value


KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


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


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the valid name most like *name*, or where to find the list."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; rtvoiced --check prints all that there are"
