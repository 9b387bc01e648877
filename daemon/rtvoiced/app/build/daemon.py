"""Builds the daemon out of its parts.

What is imported here loads numpy, ZeroMQ and websockets, which takes most of the time
of a start: `process` imports this module only when the directory of the sockets is
its own, so that a second daemon leaves at once.
"""

from __future__ import annotations

import time
from pathlib import Path

from rtvoiced.app import status
from rtvoiced.app.audio_reports import AudioStall
from rtvoiced.app.build.commands import build_commands
from rtvoiced.app.build.core import Core, build_core
from rtvoiced.app.build.launch import Launch, Parts
from rtvoiced.app.build.sound import SoundParts, build_sound
from rtvoiced.app.commands.service import CommandService
from rtvoiced.app.daemon import Daemon
from rtvoiced.app.effect_runner import EffectRunner
from rtvoiced.app.embedded_server import EmbeddedServer
from rtvoiced.app.event_fan_out import EventFanOut
from rtvoiced.app.mute_file import MuteFile
from rtvoiced.app.session_config import session_config
from rtvoiced.app.settings_applier import SettingsApplier
from rtvoiced.app.shells import Shells
from rtvoiced.app.signals import SignalHandlers
from rtvoiced.app.timers import Timers
from rtvoiced.audio.thread.duplex import Duplex
from rtvoiced.conversation.inputs import TimerFired
from rtvoiced.host import paths
from rtvoiced.host.heartbeat import HeartbeatLoop
from rtvoiced.host.terminal import Terminal
from rtvoiced.ipc.server.sockets import Context
from rtvoiced.realtime.backoff import Backoff
from rtvoiced.realtime.endpoint import Endpoint
from rtvoiced.realtime.link import Link
from rtvoiced.realtime.providers import Provider


def build(launch: Launch, provider: Provider, directory: Path, context: Context, parts: Parts) -> Daemon:
    """Return the daemon, complete and not yet running; to be called in its loop.

    Its sockets are bound in *directory* already. Its first input waits in the
    mailbox: how the last run left the microphone.
    """
    core = build_core(launch, provider, context, directory, parts)
    embedded_server = EmbeddedServer(core.config.log.level)
    link = _link(core, embedded_server)
    sound = build_sound(core, link)
    applier = SettingsApplier(
        runtime_settings=core.runtime_settings,
        playback=core.playback,
        front_end=core.front_end,
        uplink=sound.uplink,
        inputs=core.inputs,
        session_config=lambda settings: session_config(settings, provider),
    )
    commands = build_commands(core, sound, link, applier, context, directory)
    events = EventFanOut(core.publisher, core.stats, core.shell_status, core.show)
    heartbeat = _heartbeat(core, sound.audio, events)
    effects = _effects(core, sound, link, commands.service, events, paths.state_dir(launch.environ))
    shells = Shells(
        timers=effects.timers,
        control=commands.control,
        publisher=core.publisher,
        link=link,
        audio=sound.audio,
        embedded_server=embedded_server,
        commands=commands.service,
        heartbeat=heartbeat,
        device_watch=sound.device_watch,
        device_list=sound.device_list,
    )
    signals = SignalHandlers(core.inputs, Terminal(), heartbeat, applier, events)
    core.inputs.post(effects.mute_file.read(core.config.audio.start_muted, time.time()))
    return Daemon(
        core.inputs,
        core.conversation,
        effects,
        sound.uplink,
        shells,
        signals,
        core.lifetime,
    )


def _link(core: Core, embedded_server: EmbeddedServer) -> Link:
    async def where() -> Endpoint:
        return core.provider.endpoint or await embedded_server.endpoint()

    link = core.config.link
    return Link(where, core.inputs.post, Backoff(link.retry_first_s, link.retry_max_s), link.ping_s)


def _effects(
    core: Core,
    sound: SoundParts,
    link: Link,
    replies: CommandService,
    events: EventFanOut,
    state_dir: Path,
) -> EffectRunner:
    return EffectRunner(
        link=link,
        playback=core.playback,
        uplink=sound.uplink,
        timers=Timers(lambda timer: core.inputs.post(TimerFired(timer))),
        events=events,
        replies=replies,
        mute_file=MuteFile(state_dir / "mute.json"),
        stats=core.stats,
        lifetime=core.lifetime,
    )


def _heartbeat(core: Core, audio: Duplex, events: EventFanOut) -> HeartbeatLoop:
    stalled = AudioStall(core.shell_status, core.inputs, events, core.lifetime)
    conversation, publisher = core.conversation, core.publisher

    def line() -> str:
        return status.line(conversation.state_event(), conversation.session.reason, publisher.subscribers)

    return HeartbeatLoop(
        publisher.heartbeat, line, lambda: audio.beat, stalled, core.notify, core.parts.stall_s
    )
