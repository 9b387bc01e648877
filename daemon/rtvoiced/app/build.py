"""Builds the daemon: every object of the process is made here, and nowhere else.

`run` is what `rtvoiced` does when it is asked for nothing else: it chooses the
server, claims the directory of the sockets, and runs the daemon in a loop of its
own. `build` makes the objects in the order in which they need each other, and hands
each to those that stand on it:

    settings ─ conversation ─ playback ─ publisher        nobody's, needed by many
    link ─ uplink ─ audio thread                          the shells
    control ─ handlers ─ command service                  the commands
    events ─ effects ─ signals ─ daemon                   what joins them

Where two parts need each other, a `Mailbox` stands between them. The modules that
are imported here load numpy, PyAudio, ZeroMQ and websockets: `__main__` imports
this one only when the daemon is to run.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from rtvoiced.app import status
from rtvoiced.app.audio_reports import AudioReports, AudioStall
from rtvoiced.app.commands import conversation as conversation_commands
from rtvoiced.app.commands.calls import CommandCall, Handlers, call_of
from rtvoiced.app.commands.devices import DeviceCommands
from rtvoiced.app.commands.history import HistoryCommands
from rtvoiced.app.commands.service import CommandService
from rtvoiced.app.commands.settings import SettingsCommands
from rtvoiced.app.commands.stats import StatsCommands
from rtvoiced.app.commands.status import StatusCommands
from rtvoiced.app.daemon import Daemon
from rtvoiced.app.effect_runner import EffectRunner
from rtvoiced.app.embedded_server import EmbeddedServer
from rtvoiced.app.event_fan_out import EventFanOut
from rtvoiced.app.launch import REAL, Launch, Parts
from rtvoiced.app.levels import LevelFeed
from rtvoiced.app.lifetime import Lifetime
from rtvoiced.app.mailbox import Mailbox
from rtvoiced.app.mute_file import MuteFile
from rtvoiced.app.session_config import interruption_rules, session_config
from rtvoiced.app.settings_applier import SettingsApplier
from rtvoiced.app.shells import Shells
from rtvoiced.app.signals import SignalHandlers
from rtvoiced.app.stats import StatsRecorder
from rtvoiced.app.status import ShellStatus
from rtvoiced.app.timers import Timers
from rtvoiced.app.transcript import Transcript
from rtvoiced.app.uplink import Uplink
from rtvoiced.audio.capture.front_end import FrontEnd
from rtvoiced.audio.cards.device_list import BACKGROUND, DeviceList
from rtvoiced.audio.cards.device_watch import LOOK_S, DeviceWatch
from rtvoiced.audio.cards.portaudio import quiet_stderr
from rtvoiced.audio.cards.wav import WavCard, parse_spec
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.audio.thread.duplex import Duplex, Report
from rtvoiced.conversation.inputs import Input, TimerFired
from rtvoiced.conversation.machine import Conversation
from rtvoiced.dsp.pcm import WIRE, Card
from rtvoiced.host import logs, paths
from rtvoiced.host.heartbeat import HeartbeatLoop
from rtvoiced.host.notify import ServiceNotifier
from rtvoiced.host.terminal import Terminal
from rtvoiced.ipc.server.control import Control
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.ipc.server.runtime import claim
from rtvoiced.ipc.server.sockets import Context
from rtvoiced.realtime.endpoint import Endpoint
from rtvoiced.realtime.link import Backoff, Link
from rtvoiced.realtime.providers import Provider, choose
from rtvoiced.settings import reading
from rtvoiced.settings.runtime import RuntimeSettings
from rtvoiced.settings.schema import Settings
from rtvoiced.vocabulary import Direction

MOST_COLUMNS = 110
"""Characters of a line of the transcript: longer ones are hard to read, however wide the terminal."""


def run(launch: Launch, parts: Parts = REAL) -> int:
    """Run one daemon until it is asked to stop; return its exit status.

    Raises `RtvoiceError` where it can't begin: `ConfigError` for the configuration,
    and an error with status 75 where another daemon has the directory.
    """
    provider = choose(launch.settings, launch.environ)
    directory = paths.runtime_dir(launch.runtime_dir, launch.environ, daemon=True, system=launch.system)
    lock = claim(directory, for_group=launch.system)
    try:
        quiet_stderr()
        logs.configure(launch.settings.log.level, launch.settings.log.format)
        return asyncio.run(_live(launch, provider, directory, parts))
    finally:
        lock.release()


async def _live(launch: Launch, provider: Provider, directory: Path, parts: Parts) -> int:
    context: Context = zmq.Context()
    daemon = build(launch, provider, directory, context, parts)
    try:
        return await daemon.run()
    finally:
        context.term()


@dataclass(frozen=True, slots=True)
class _Base:
    """What stands on nothing else, and many stand on."""

    config: Settings
    """The settings at the start."""
    provider: Provider
    parts: Parts
    runtime_settings: RuntimeSettings
    conversation: Conversation
    playback: PlaybackQueue
    front_end: FrontEnd
    publisher: Publisher
    stats: StatsRecorder
    shell_status: ShellStatus
    inputs: Mailbox[Input]
    notify: ServiceNotifier
    lifetime: Lifetime
    transcript: Transcript | None


def build(launch: Launch, provider: Provider, directory: Path, context: Context, parts: Parts) -> Daemon:
    """Return the daemon, complete and not yet running; to be called in its loop.

    Its sockets are bound in *directory* already. Its first input waits in the
    mailbox: how the last run left the microphone.
    """
    config = launch.settings
    base = _base(launch, provider, context, directory, parts)
    embedded_server = EmbeddedServer(config.log.level)
    link = _link(base, embedded_server)
    uplink = Uplink(link.send, config.turn.prefix_ms)
    device_watch = _device_watch(config)
    device_list = DeviceList(parts.list_devices, parts.list_s)
    audio = _audio(base, _audio_reports(base, uplink, device_watch).post)
    applier = SettingsApplier(
        runtime_settings=base.runtime_settings,
        playback=base.playback,
        front_end=base.front_end,
        uplink=uplink,
        inputs=base.inputs,
        session_config=lambda settings: session_config(settings, provider),
    )
    calls: Mailbox[CommandCall[Any]] = Mailbox()
    control = Control(
        context,
        paths.control_socket(directory),
        lambda ticket, request: calls.post(call_of(ticket, request)),
        lambda: (base.publisher.run, base.publisher.seq),
    )
    handlers: Handlers = {
        **conversation_commands.handlers(),
        **HistoryCommands(base.conversation, base.publisher).handlers(),
        **SettingsCommands(base.runtime_settings, applier).handlers(),
        **DeviceCommands(
            device_list, device_watch, audio, base.runtime_settings, base.shell_status
        ).handlers(),
        **_status_handlers(base, directory, audio, link, control),
    }
    commands = CommandService(calls, control, handlers, base.inputs, base.lifetime)
    events = EventFanOut(
        base.publisher, base.stats, base.shell_status, base.transcript or (lambda _event: None)
    )
    mute_file = MuteFile(paths.state_dir(launch.environ) / "mute.json")
    timers = Timers(lambda name: base.inputs.post(TimerFired(name)))
    heartbeat = _heartbeat(base, audio, AudioStall(base.shell_status, base.inputs, events, base.lifetime))
    base.inputs.post(mute_file.read(config.audio.start_muted, time.time()))
    return Daemon(
        inputs=base.inputs,
        conversation=base.conversation,
        effects=EffectRunner(
            link=link,
            playback=base.playback,
            uplink=uplink,
            timers=timers,
            events=events,
            replies=commands,
            mute_file=mute_file,
            stats=base.stats,
            lifetime=base.lifetime,
        ),
        uplink=uplink,
        shells=Shells(
            timers=timers,
            control=control,
            publisher=base.publisher,
            link=link,
            audio=audio,
            embedded_server=embedded_server,
            commands=commands,
            heartbeat=heartbeat,
            device_watch=device_watch,
            device_list=device_list,
        ),
        signals=SignalHandlers(base.inputs, Terminal(), heartbeat, applier, events),
        lifetime=base.lifetime,
    )


def _base(launch: Launch, provider: Provider, context: Context, directory: Path, parts: Parts) -> _Base:
    config, environ = launch.settings, launch.environ

    def load() -> Settings:
        # What a restart would refuse is refused now.
        fresh = launch.load()
        choose(fresh, environ)
        return fresh

    playback = PlaybackQueue(WIRE.hz, config.interruption.fade_ms, config.audio.volume_percent)
    in_a_room = reading.card(config)[0] not in ("none", "wav")
    notify = ServiceNotifier(environ)
    return _Base(
        config=config,
        provider=provider,
        parts=parts,
        runtime_settings=RuntimeSettings(config, load),
        conversation=Conversation(
            session_config(config, provider), provider.name, provider.model, interruption_rules(config)
        ),
        playback=playback,
        front_end=FrontEnd(config.echo, config.vad, lambda: playback.audible, room=in_a_room),
        publisher=Publisher(
            context,
            paths.events_socket(directory),
            # A run is known by 8 hex digits.
            uuid.uuid4().hex[:8],
            replay_events=config.ipc.replay_events,
        ),
        stats=StatsRecorder(),
        shell_status=ShellStatus(
            time.monotonic(), time.time(), status.supervisor(environ, launch.supervisor)
        ),
        inputs=Mailbox(),
        notify=notify,
        lifetime=Lifetime(notify),
        transcript=_transcript(config),
    )


def _link(base: _Base, embedded_server: EmbeddedServer) -> Link:
    async def where() -> Endpoint:
        return base.provider.endpoint or await embedded_server.endpoint()

    link = base.config.link
    return Link(where, base.inputs.post, Backoff(link.retry_first_s, link.retry_max_s), link.ping_s)


def _audio_reports(base: _Base, uplink: Uplink, device_watch: DeviceWatch) -> AudioReports:
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


def _audio(base: _Base, post: Callable[[Report], None]) -> Duplex:
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


def _wav_card(base: _Base, spec: str) -> Callable[[], Card]:
    """Return what opens the WAV card of *spec*, ``IN,OUT``; a bad file or script is told now."""
    # The one thing of the embedded server's package that runs here: a script's voice.
    from rtvoiced_server.speech.voices import speak

    named = parse_spec(f"wav:{spec}")
    playback, session = base.playback, base.conversation.session
    card = WavCard(named, lambda: playback.sounding, speak, ready=lambda: session.up)
    if base.transcript and named.output:
        base.transcript.note(f"what a listener hears goes to {named.output}")
    return lambda: card


def _device_watch(config: Settings) -> DeviceWatch:
    """Return the watch for missing devices; without a real card it has nothing to look for."""
    wanted: dict[Direction, str] = {}
    if reading.card(config)[0] not in ("none", "wav"):
        wanted = {"input": config.audio.input or "", "output": config.audio.output or ""}
    return DeviceWatch(DeviceList(BACKGROUND, LOOK_S), wanted)


def _status_handlers(base: _Base, directory: Path, audio: Duplex, link: Link, control: Control) -> Handlers:
    """Return the handlers of the commands that tell what is true, and what was counted."""
    endpoints = {
        "control": str(paths.control_socket(directory)),
        "events": str(paths.events_socket(directory)),
    }
    current = StatusCommands(
        conversation=base.conversation,
        shell_status=base.shell_status,
        playback=base.playback,
        front_end=base.front_end,
        runtime_settings=base.runtime_settings,
        publisher=base.publisher,
        endpoints=endpoints,
    )
    counted = StatsCommands(
        stats_recorder=base.stats,
        conversation=base.conversation,
        audio=audio,
        link=link,
        control=control,
        publisher=base.publisher,
        shell_status=base.shell_status,
    )
    return {**current.handlers(), **counted.handlers()}


def _heartbeat(base: _Base, audio: Duplex, stalled: Callable[[], None]) -> HeartbeatLoop:
    conversation, publisher = base.conversation, base.publisher

    def line() -> str:
        return status.line(conversation.words(), conversation.session.reason, publisher.subscribers)

    return HeartbeatLoop(
        publisher.heartbeat, line, lambda: audio.beat, stalled, base.notify, base.parts.stall_s
    )


def _transcript(config: Settings) -> Transcript | None:
    """Return what shows the conversation to whoever watches the terminal; None with a JSON log."""
    if not logs.is_console(config.log.format):
        return None

    def show(line: str) -> None:
        # A terminal that went away, or has no such letters, is no reason to end.
        with contextlib.suppress(OSError, UnicodeEncodeError):
            print(line, flush=True)

    columns = shutil.get_terminal_size((MOST_COLUMNS, 24)).columns
    return Transcript(show, color=sys.stdout.isatty(), columns=min(columns, MOST_COLUMNS))
