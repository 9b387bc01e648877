"""Builds what hears and plays: the audio thread, its card, the uplink, and the watch for missing devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtvoiced.app.audio_reports import AudioReports
from rtvoiced.app.build.core import Core
from rtvoiced.app.levels import LevelFeed
from rtvoiced.app.uplink import Uplink
from rtvoiced.audio.cards.device_list import BACKGROUND, DeviceList
from rtvoiced.audio.cards.device_watch import LOOK_S, DeviceWatch
from rtvoiced.audio.thread.duplex import Duplex, Report
from rtvoiced.dsp.pcm import Card
from rtvoiced.realtime.link import Link
from rtvoiced.settings import reading
from rtvoiced.settings.schema import Settings
from rtvoiced.vocabulary import Direction


@dataclass(eq=False, repr=False)
class SoundParts:
    """The parts that have to do with the sound system."""

    audio: Duplex
    uplink: Uplink
    device_watch: DeviceWatch
    device_list: DeviceList
    """For the commands; the watch has one of its own, of a lower priority."""


def build_sound(core: Core, link: Link) -> SoundParts:
    """Return the parts, complete; the audio thread is not started yet."""
    parts = core.parts
    uplink = Uplink(link.send, core.config.turn.prefix_ms)
    device_watch = _device_watch(core.config)
    audio = _audio(core, _audio_reports(core, uplink, device_watch).post)
    return SoundParts(audio, uplink, device_watch, DeviceList(parts.list_devices, parts.list_s))


def _audio_reports(core: Core, uplink: Uplink, device_watch: DeviceWatch) -> AudioReports:
    conversation = core.conversation
    return AudioReports(
        uplink=uplink,
        playback=core.playback,
        front_end=core.front_end,
        levels=LevelFeed(core.publisher, core.playback, core.front_end, lambda: conversation.mute.on),
        device_watch=device_watch,
        stats=core.stats,
        inputs=core.inputs,
        lifetime=core.lifetime,
    )


def _audio(core: Core, post: Callable[[Report], None]) -> Duplex:
    """Return the audio thread with the card of the configuration, not yet started."""
    kind, rest = reading.card(core.config)
    settings = core.runtime_settings

    def open_devices() -> Card:
        # Each time anew: set-device changes the names.
        wanted = settings.now.audio
        return core.parts.open_card(wanted.input or "", wanted.output or "")

    if kind == "none":
        return Duplex(core.parts.no_card, core.playback, post, core.front_end)
    opened = _wav_card(core, rest) if kind == "wav" else open_devices
    return Duplex(opened, core.playback, post, core.front_end, chimes=core.config.echo.chime)


def _wav_card(core: Core, spec: str) -> Callable[[], Card]:
    """Return what opens the WAV card of *spec*, ``IN,OUT``; a bad file or script is told now."""
    from rtvoiced.audio.cards.script_voice import speak
    from rtvoiced.audio.cards.wav import WavCard, parse_spec

    named = parse_spec(f"wav:{spec}")
    playback, conversation = core.playback, core.conversation
    card = WavCard(named, lambda: playback.sounding, speak, ready=lambda: conversation.session.up)
    if core.transcript and named.output:
        core.transcript.note(f"what a listener hears goes to {named.output}")
    return lambda: card


def _device_watch(config: Settings) -> DeviceWatch:
    """Return the watch for missing devices; without a real card it has nothing to look for."""
    wanted: dict[Direction, str] = {}
    if reading.has_devices(config):
        wanted = {"input": config.audio.input or "", "output": config.audio.output or ""}
    return DeviceWatch(DeviceList(BACKGROUND, LOOK_S), wanted)
