"""`rtvoiced --check`: what would be used, where each value came from, and what was found."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtvoiced import errors
from rtvoiced.dsp.pcm import OpenDevice
from rtvoiced.errors import AudioError, MissingKeyError, RtvoiceError
from rtvoiced.host import paths
from rtvoiced.host.masking import shown_url
from rtvoiced.realtime.providers import choose
from rtvoiced.settings import reading
from rtvoiced.settings.schema import Settings
from rtvoiced.settings.values import shown_values

NAME = 12
"""Columns of the names."""


def report(config: Settings, environ: Mapping[str, str], file: Path, *, as_json: bool, quick: bool) -> int:
    """Print the report; *file* is the configuration, *quick* means without a look at the devices.

    Raises `ConfigError` where rtvoiced could not start with this configuration.
    """
    provider = choose(config, environ)
    found = {
        "ok": True,
        "file": str(file),
        "provider": {
            "name": provider.name,
            "chosen_by": provider.chosen_by,
            "model": provider.model,
            "voice": provider.voice,
            "url": shown_url(provider.endpoint.url) if provider.endpoint else None,
            "key_from": provider.key_from,
        },
        "audio": audio(config, quick=quick),
        "state_dir": str(paths.state_dir(environ)),
        "settings": shown_values(config),
    }
    tell(json.dumps(found, indent=2) if as_json else for_people(found))
    return errors.OK


def refusal(error: RtvoiceError, file: Path) -> dict[str, Any]:
    """Return why rtvoiced could not start, for programs: ``missing_key`` is the provider that has none."""
    missing = error.provider if isinstance(error, MissingKeyError) else None
    return {"ok": False, "file": str(file), "error": str(error), "missing_key": missing}


def tell(text: str) -> None:
    """Print *text*; a reader that has seen enough (head, a pager) is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python tries again at exit, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def audio(config: Settings, *, quick: bool = False) -> dict[str, Any]:
    """Return what opening the configured card gives: each direction's device, or why there is none.

    No device is opened *quick*, and none where the card is none or a file.
    """
    kind, rest = reading.card(config)
    named = f"wav:{rest}" if kind == "wav" else kind
    result: dict[str, Any] = {"card": named, "input": None, "output": None, "problems": {}, "devices": []}
    if quick or kind in ("none", "wav"):
        return result
    from rtvoiced.audio.cards import portaudio

    # ALSA's own complaints would stand between the lines.
    portaudio.quiet_stderr()
    try:
        result["devices"] = [
            {"name": each.name, "input": each.has("input"), "output": each.has("output")}
            for each in portaudio.devices()
        ]
        card = portaudio.open_card(config.audio.input or "", config.audio.output or "")
    except AudioError as error:
        result["problems"] = {"input": str(error), "output": str(error), **error.problems}
        return result
    try:
        result["input"], result["output"] = _device(card.input), _device(card.output)
        result["problems"] = card.problems
    finally:
        card.close()
    return result


def _device(device: OpenDevice | None) -> dict[str, Any] | None:
    if device is None:
        return None
    return {"name": device.name, "rate_hz": device.hz, "latency_ms": device.latency_ms}


def for_people(found: dict[str, Any]) -> str:
    """Return the report as lines."""
    provider, card = found["provider"], found["audio"]
    lines = [
        _line("provider", f"{provider['name']} ({provider['chosen_by']})"),
        _line("server", provider["url"] or "the embedded one, started when needed"),
        _line("model", provider["model"]),
        _line("voice", provider["voice"]),
        _line("key", f"from {provider['key_from']}" if provider["key_from"] else "none needed"),
        _line("audio", card["card"]),
    ]
    if card["input"] or card["output"] or card["problems"]:
        for direction, word in (("input", "microphone"), ("output", "speaker")):
            device = card[direction]
            text = f"{device['name']} at {device['rate_hz']} Hz" if device else card["problems"][direction]
            lines.append(_line(word, text))
        for each in card["devices"]:
            ways = " and ".join(word for word in ("input", "output") if each[word])
            lines.append(_line("", f"{each['name']} ({ways or 'unusable'})"))
    lines.append("")
    for key, each in found["settings"].items():
        shown = "–" if each["value"] in (None, {}, "") else each["value"]
        if isinstance(shown, bool):
            # As it is written in the file.
            shown = "true" if shown else "false"
        lines.append(f"{key:<24}{shown}  [{each['origin']}]")
    return "\n".join(lines)


def _line(name: str, text: str) -> str:
    return f"{name:<{NAME}}{text}"
