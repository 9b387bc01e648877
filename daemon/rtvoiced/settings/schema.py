"""Every setting of the daemon, declared once.

A section of the configuration is a dataclass, a setting is one of its fields. A
field says all that there is to say: its name (with its unit: ``_ms``, ``_s``,
``_percent``, ``_db``), its type, its range (`Range`), whether it changes while
the daemon runs (`LIVE`), its default, and what it does: the text below it, of
which the manual page is made (daemon/generate).

The settings are frozen: a change makes new ones (`settings.runtime`). Nothing here
reads a file or opens a device; `settings.reading` makes `Settings` of flags, the
environment and the file.

To add a setting, declare it here and use it; see CONTRIBUTING.md for the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated

from rtvoiced.settings.declaration import LIVE, Range, Setting, declarations
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
)


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The session with the server."""

    provider: ProviderName | None = None
    """The server to use. Unset: chosen by what is there."""
    model: str | None = None
    """The model, or Azure's name for it. Unset: the provider's default."""
    voice: str | None = None
    """The assistant's voice. Unset: the provider's default."""
    instructions: Annotated[str, LIVE] = (
        "You are a helpful voice assistant. Answer briefly, in the language you are spoken to."
    )
    """What the model is told it is."""
    language: str | None = None
    """ISO 639-1 code of what the user speaks; a hint for the transcription. Unset: no hint."""
    speed: Annotated[float, Range(0.25, 1.5), LIVE] = 1.0
    """How fast the assistant speaks; 1 is the voice's own speed."""
    transcription: str = "gpt-realtime-whisper"
    """The model that writes down the user's words. Empty: nothing is written down."""
    url: str | None = field(default=None, repr=False)
    """WebSocket URL of a custom server, taken verbatim. It may hold a key, and is shown masked."""
    auth: Auth = "none"
    """How a custom server is given the key: not at all, as a bearer token, or in the header api-key."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """A table of further HTTP headers for a custom server. Only the file can give it."""
    key_file: str | None = None
    """The file that holds the key. It is refused when others may read it."""


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """Azure OpenAI."""

    endpoint: str | None = None
    """The address of the resource: https://NAME.openai.azure.com."""
    deployment: str | None = None
    """The name of the deployment."""
    api_version: str | None = None
    """A dated preview, which speaks the beta protocol. Unset: the current protocol, on the path /v1."""


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """When the user's turn is over."""

    detection: Annotated[Detection, LIVE] = "server_vad"
    """How the server finds the user's turns: by silence, by what is said, or not at all, for push-to-talk."""
    eagerness: Annotated[Eagerness, LIVE] = "auto"
    """How soon semantic_vad takes a turn to be over."""
    threshold: Annotated[float, Range(0.0, 1.0), LIVE] = 0.5
    """The probability of speech from which server_vad hears the user."""
    silence_ms: Annotated[int, Range(100, 10_000), LIVE] = 500
    """So much silence ends the user's turn."""
    prefix_ms: Annotated[int, Range(0, 5_000), LIVE] = 300
    """So much of what was heard before the speech belongs to the turn."""


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """Microphone and speaker."""

    input: str | None = None
    """Part of the microphone's name; the whole name wins. Unset: the system's default."""
    output: str | None = None
    """Part of the speaker's name; the whole name wins. Unset: the system's default."""
    card: str = "auto"
    """What is heard and spoken through: auto, portaudio, none, or the files wav:IN,OUT."""
    volume_percent: Annotated[int, Range(0, 100), LIVE] = 100
    """How loud the assistant is."""
    start_muted: bool = False
    """Begin with the microphone off."""


@dataclass(frozen=True, slots=True)
class InterruptionSettings:
    """What happens when the user speaks over the assistant."""

    policy: Annotated[PolicySetting, LIVE] = "auto"
    """Who may interrupt. auto is hold where the daemon cancels the echo itself, and server elsewhere."""
    fade_ms: Annotated[float, Range(0.0, 100.0), LIVE] = 5.0
    """How long a cut answer takes to fade."""
    hold_ms: Annotated[int, Range(100, 5_000), LIVE] = 800
    """So long an answer is held for the server to say that it hears speech."""
    hold_max_ms: Annotated[int, Range(100, 10_000), LIVE] = 2000
    """So long it is held at most, where the voice does not end."""
    speech_ms: Annotated[int, Range(50, 2_000), LIVE] = 300
    """Under the policy managed, so much voice after the answer fell silent is speech."""


@dataclass(frozen=True, slots=True)
class EchoSettings:
    """What becomes of the assistant's own voice in the microphone."""

    mode: Annotated[EchoMode, LIVE] = "auto"
    """What takes the assistant's own voice out of the microphone.
    auto: an echo canceller, where there are a microphone and a speaker. on: the same, also between files.
    system: the operating system cancels. half_duplex: the microphone is not sent while an answer sounds."""
    chime: bool = False
    """Play three soft tones when microphone and speaker were opened.
    The echo canceller learns the room from them."""
    fallback: EchoFallback = "half_duplex"
    """What stands in where the canceller can't run. With server, the server hears the echo."""


@dataclass(frozen=True, slots=True)
class VadSettings:
    """The daemon's own voice activity detection, on the microphone without the echo."""

    threshold: Annotated[float, Range(0.1, 0.95)] = 0.5
    """The probability of speech from which the daemon itself takes a sound for a voice."""
    onset_ms: Annotated[int, Range(32, 1000)] = 64
    """So much voice is somebody who speaks; it is measured in windows of 32 ms."""
    gate_db: Annotated[float, Range(0.0, 40.0)] = 6.0
    """What is less than so much louder than the noise is not even looked at."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """The connection to the server."""

    retry_first_s: Annotated[float, Range(0.01, 60.0)] = 0.1
    """The longest wait before the second attempt to connect again. The first follows at once."""
    retry_max_s: Annotated[float, Range(0.01, 3600.0)] = 30.0
    """The longest wait between two attempts."""
    ping_s: Annotated[float, Range(1.0, 3600.0)] = 20.0
    """The server is sent a ping every so many seconds."""


@dataclass(frozen=True, slots=True)
class IpcSettings:
    """The sockets for programs."""

    replay_events: Annotated[int, Range(0, 1_000_000)] = 5000
    """How many events are kept for subscribers that missed some. They take 16 MiB at most."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log, on the standard error."""

    level: Annotated[LogLevel, LIVE] = "info"
    """The least grave of what is logged."""
    format: LogFormat = "auto"
    """Lines for people, or JSON. auto: for people on a terminal."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections."""

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
    """By key: where each value that is no default came from, for people."""

    def origin(self, key: str) -> str:
        """Return where the value of *key* came from, for people."""
        return self.origins.get(key, "default")


@cache
def known_keys() -> Mapping[str, Setting]:
    """Return every setting by its ``section.key``, in the order in which they stand above."""
    return declarations(Settings())


@cache
def live_keys() -> frozenset[str]:
    """Return the keys that can change while the daemon runs; all others need a restart."""
    return frozenset(key for key, setting in known_keys().items() if setting.live)
