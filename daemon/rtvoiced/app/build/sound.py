"""Builds what hears and plays: the audio thread, its card, the uplink, and the watch for missing devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtvoiced.app.audio_reports import AudioReports
from rtvoiced.app.build.base import Base
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
class Sound:
    """The parts that have to do with the sound system."""

    audio: Duplex
    uplink: Uplink
    device_watch: DeviceWatch
    device_list: DeviceList
    """For the commands; the watch has one of its own, of a lower priority."""


def build_sound(base: Base, link: Link) -> Sound:
    """Return the parts, complete; the audio thread is not started yet."""
    parts = base.parts
    uplink = Uplink(link.send, base.config.turn.prefix_ms)
    device_watch = _device_watch(base.config)
    audio = _audio(base, _audio_reports(base, uplink, device_watch).post)
    return Sound(audio, uplink, device_watch, DeviceList(parts.list_devices, parts.list_s))


def _audio_reports(base: Base, uplink: Uplink, device_watch: DeviceWatch) -> AudioReports:
    conversation = base.conversation
    return AudioReports(
        uplink=uplink,
        playback=base.playback,
        front_end=base.front_end,
        levels=LevelFeed(base.publisher, base.playback, base.front_end, lambda: conversation.mute.on),
        device_watch=device_watch,
        stats=base.stats,
        inputs=base.inputs,
        lifetime=base.lifetime,
    )


def _audio(base: Base, post: Callable[[Report], None]) -> Duplex:
    """Return the audio thread with the card of the configuration, not yet started."""
    kind, rest = reading.card(base.config)
    settings = base.runtime_settings

    def open_devices() -> Card:
        # Each time anew: set-device changes the names.
        wanted = settings.now.audio
        return base.parts.open_card(wanted.input or "", wanted.output or "")

    if kind == "none":
        return Duplex(base.parts.no_card, base.playback, post, base.front_end)
    opened = _wav_card(base, rest) if kind == "wav" else open_devices
    return Duplex(opened, base.playback, post, base.front_end, chimes=base.config.echo.chime)


def _wav_card(base: Base, spec: str) -> Callable[[], Card]:
    """Return what opens the WAV card of *spec*, ``IN,OUT``; a bad file or script is told now."""
    from rtvoiced.audio.cards.script_voice import speak
    from rtvoiced.audio.cards.wav import WavCard, parse_spec

    named = parse_spec(f"wav:{spec}")
    playback, conversation = base.playback, base.conversation
    card = WavCard(named, lambda: playback.sounding, speak, ready=lambda: conversation.session.up)
    if base.transcript and named.output:
        base.transcript.note(f"what a listener hears goes to {named.output}")
    return lambda: card


def _device_watch(config: Settings) -> DeviceWatch:
    """Return the watch for missing devices; without a real card it has nothing to look for."""
    wanted: dict[Direction, str] = {}
    if reading.has_devices(config):
        wanted = {"input": config.audio.input or "", "output": config.audio.output or ""}
    return DeviceWatch(DeviceList(BACKGROUND, LOOK_S), wanted)
