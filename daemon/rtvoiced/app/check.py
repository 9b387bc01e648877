"""``rtvoiced --check``: what would be used, where each value came from, and what was found.

It reads the configuration as the daemon would, chooses the server, and opens the
sound devices for a moment. It talks to no server: that is the doctor's work. The
report is made once (`CheckReport`) and printed for people or, with ``--json``, for
programs; `rtctl service install` reads the latter. A configuration that can't be used
is a `Refusal` there, and one line for people otherwise.

Nothing of the sound system is imported where no device is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rtvoiced import errors
from rtvoiced.dsp.pcm import OpenDevice
from rtvoiced.errors import AudioError, MissingKeyError, RtvoiceError
from rtvoiced.host import paths
from rtvoiced.host.masking import shown_url
from rtvoiced.host.terminal import print_report
from rtvoiced.realtime.providers import Provider, choose
from rtvoiced.settings import reading
from rtvoiced.settings.schema import Settings
from rtvoiced.settings.values import shown_values
from rtvoiced.vocabulary import Direction

NAME = 12
"""Columns of the names."""
WORDS: dict[Direction, str] = {"input": "microphone", "output": "speaker"}


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """The server that would be talked to; secrets in the URL are masked."""

    name: str
    chosen_by: str
    model: str
    voice: str
    url: str | None
    """None for the embedded server, which has none before it is started."""
    key_from: str | None
    """Where the key was found; None where none is needed."""


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """A device that was opened."""

    name: str
    rate_hz: int
    latency_ms: float


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device that there is."""

    name: str
    input: bool
    output: bool


@dataclass(frozen=True, slots=True)
class AudioReport:
    """What opening the configured card gives."""

    card: str
    input: DeviceReport | None = None
    output: DeviceReport | None = None
    problems: Mapping[Direction, str] = field(default_factory=dict)
    """Why a direction can't be had, by ``input`` and ``output``."""
    devices: list[DeviceEntry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that was found; its fields are those of ``--check --json``."""

    ok: bool
    file: str
    provider: ProviderReport
    audio: AudioReport
    state_dir: str
    settings: dict[str, dict[str, Any]]
    """Value and origin by key, as `shown_values` returns them."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why rtvoiced could not start; its fields are those of ``--check --json`` then."""

    ok: bool
    file: str
    error: str
    missing_key: str | None
    """The provider that has no key, where that is the reason."""


def run(config: Settings, environ: Mapping[str, str], file: Path, *, as_json: bool, quick: bool) -> int:
    """Print the report; *file* is the configuration, *quick* means without a look at the devices.

    Raises `ConfigError` where rtvoiced could not start with this configuration.
    """
    provider = choose(config, environ)
    report = CheckReport(
        ok=True,
        file=str(file),
        provider=_provider(provider),
        audio=audio(config, quick=quick),
        state_dir=str(paths.state_dir(environ)),
        settings=shown_values(config),
    )
    print_report(json.dumps(asdict(report), indent=2) if as_json else for_people(report))
    return errors.OK


def print_refusal(error: RtvoiceError, file: Path) -> None:
    """Print as JSON why rtvoiced could not start."""
    missing = error.provider if isinstance(error, MissingKeyError) else None
    print_report(json.dumps(asdict(Refusal(ok=False, file=str(file), error=str(error), missing_key=missing))))


def audio(config: Settings, *, quick: bool = False) -> AudioReport:
    """Return what opening the configured card gives: each direction's device, or why there is none.

    No device is opened *quick*, and none where the card is none or a file.
    """
    kind, rest = reading.card(config)
    if quick or kind in ("none", "wav"):
        return AudioReport(f"wav:{rest}" if kind == "wav" else kind)
    from rtvoiced.audio.cards import portaudio

    # ALSA's own complaints would stand between the lines.
    portaudio.quiet_stderr()
    listed: list[DeviceEntry] = []
    try:
        listed += [
            DeviceEntry(each.name, each.has("input"), each.has("output")) for each in portaudio.devices()
        ]
        card = portaudio.open_card(config.audio.input or "", config.audio.output or "")
    except AudioError as error:
        reason = str(error)
        problems: dict[Direction, str] = {"input": reason, "output": reason, **error.problems}
        return AudioReport(kind, problems=problems, devices=listed)
    try:
        return AudioReport(kind, _device(card.input), _device(card.output), dict(card.problems), listed)
    finally:
        card.close()


def for_people(report: CheckReport) -> str:
    """Return the report as lines."""
    provider, card = report.provider, report.audio
    lines = [
        _line("provider", f"{provider.name} ({provider.chosen_by})"),
        _line("server", provider.url or "the embedded one, started when needed"),
        _line("model", provider.model),
        _line("voice", provider.voice),
        _line("key", f"from {provider.key_from}" if provider.key_from else "none needed"),
        _line("audio", card.card),
    ]
    if card.input or card.output or card.problems:
        opened: dict[Direction, DeviceReport | None] = {"input": card.input, "output": card.output}
        for direction, device in opened.items():
            text = f"{device.name} at {device.rate_hz} Hz" if device else card.problems[direction]
            lines.append(_line(WORDS[direction], text))
        for each in card.devices:
            ways = " and ".join(way for way, has in (("input", each.input), ("output", each.output)) if has)
            lines.append(_line("", f"{each.name} ({ways or 'unusable'})"))
    lines.append("")
    for key, setting in report.settings.items():
        shown = "–" if setting["value"] in (None, {}, "") else setting["value"]
        if isinstance(shown, bool):
            # As it is written in the file.
            shown = "true" if shown else "false"
        lines.append(f"{key:<24}{shown}  [{setting['origin']}]")
    return "\n".join(lines)


def _provider(provider: Provider) -> ProviderReport:
    return ProviderReport(
        name=provider.name,
        chosen_by=provider.chosen_by,
        model=provider.model,
        voice=provider.voice,
        url=shown_url(provider.endpoint.url) if provider.endpoint else None,
        key_from=provider.key_from,
    )


def _device(device: OpenDevice | None) -> DeviceReport | None:
    return None if device is None else DeviceReport(device.name, device.hz, device.latency_ms)


def _line(name: str, text: str) -> str:
    return f"{name:<{NAME}}{text}"
