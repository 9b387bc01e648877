"""Builds what stands on nothing else, and what many parts stand on.

`Core` serves the making of the daemon alone: it is handed from one function of this
package to the next, and each part is given only what it needs of it.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from rtvoiced.app import status
from rtvoiced.app.build.launch import Launch, Parts
from rtvoiced.app.lifetime import Lifetime
from rtvoiced.app.mailbox import Mailbox
from rtvoiced.app.session_config import interruption_rules, session_config
from rtvoiced.app.stats import StatsRecorder
from rtvoiced.app.status import ShellStatus
from rtvoiced.app.transcript import Transcript
from rtvoiced.audio.capture.front_end import FrontEnd
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.conversation.inputs import Input
from rtvoiced.conversation.machine import Conversation
from rtvoiced.dsp.pcm import WIRE
from rtvoiced.host import logs, paths
from rtvoiced.host.notify import ServiceNotifier
from rtvoiced.ipc.contract.events import IpcEvent
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.ipc.server.sockets import Context
from rtvoiced.realtime.providers import Provider, choose
from rtvoiced.settings import reading
from rtvoiced.settings.runtime import RuntimeSettings
from rtvoiced.settings.schema import Settings

MOST_COLUMNS = 110
"""Characters of a line of the transcript: longer ones are hard to read, however wide the terminal."""


@dataclass(eq=False, repr=False)
class Core:
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
    """None where nobody watches the terminal."""

    def show(self, event: IpcEvent) -> None:
        """Show *event* to whoever watches the terminal."""
        if self.transcript is not None:
            self.transcript(event)


def build_core(launch: Launch, provider: Provider, context: Context, directory: Path, parts: Parts) -> Core:
    """Return the core of one daemon; the socket of the events is bound in *directory*."""
    config, environ = launch.settings, launch.environ

    def load() -> Settings:
        # What a restart would refuse is refused now.
        fresh = launch.load()
        choose(fresh, environ)
        return fresh

    playback = PlaybackQueue(WIRE.hz, config.interruption.fade_ms, config.audio.volume_percent)
    in_a_room = reading.has_devices(config)
    notify = ServiceNotifier(environ)
    return Core(
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
