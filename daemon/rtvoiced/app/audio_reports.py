"""Takes what the audio thread tells, and makes inputs of it.

`post` is called in the audio thread and only hands the report over; everything
else runs in the loop. What the microphone heard goes to the uplink at once. That
the playback moved is looked up in the playback queue, in the loop's own time. Only
what the conversation has to know becomes an input.

    audio thread ── post(report) ──► loop: uplink, levels, canceller
                                     └──► inputs: DeviceChanged, Started, Drained, VoiceStarted, …

After the end of the daemon reports are dropped: the audio thread stops a block later.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import assert_never

import structlog

from rtvoiced import errors
from rtvoiced.app.event_fan_out import EventFanOut
from rtvoiced.app.levels import LevelFeed
from rtvoiced.app.lifetime import Lifetime
from rtvoiced.app.mailbox import Mailbox
from rtvoiced.app.stats import StatsRecorder
from rtvoiced.app.status import ShellStatus
from rtvoiced.app.uplink import Uplink
from rtvoiced.audio.capture.echo import EchoProbe
from rtvoiced.audio.capture.front_end import FrontEnd
from rtvoiced.audio.cards.device_watch import DeviceWatch
from rtvoiced.audio.events import (
    AudioCrashed,
    DeviceChanged,
    Drained,
    EchoChanged,
    MicrophoneBlock,
    PlaybackMoved,
    Started,
    VoiceStarted,
    VoiceStopped,
)
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.audio.thread.duplex import Report
from rtvoiced.conversation.inputs import Input
from rtvoiced.ipc.contract import events as ipc

log = structlog.get_logger()


@dataclass(eq=False, repr=False)
class AudioReports:
    """The receiver of the audio thread's reports; made in the running loop."""

    uplink: Uplink
    playback: PlaybackQueue
    front_end: FrontEnd
    levels: LevelFeed
    device_watch: DeviceWatch
    stats: StatsRecorder
    inputs: Mailbox[Input]
    lifetime: Lifetime
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def post(self, report: Report) -> None:
        """Hand *report* to the loop; called in the audio thread, and never waits."""
        try:
            self._loop.call_soon_threadsafe(self._take, report)
        except RuntimeError:
            # The loop is closed: the audio thread outlived a shutdown by a block.
            return

    def _take(self, report: Report) -> None:
        if self.lifetime.over:
            return
        match report:
            case MicrophoneBlock(pcm, hz, at, echoes, before):
                self.uplink.block(pcm, hz, at, echoes=echoes, before=before)
                self.levels.block(pcm, time.monotonic())
            case PlaybackMoved():
                for moved in self.playback.reports():
                    if isinstance(moved, Started):
                        self.stats.started(moved.part, time.monotonic())
                    self.inputs.post(self._up_to_date(moved))
            case DeviceChanged():
                _log_device(report)
                self.device_watch.on_device_changed(report)
                self.inputs.post(report)
            case EchoProbe():
                self.front_end.on_echo_probe(report)
            case EchoChanged(mode, state):
                log.info("echo", mode=mode, state=state, lag_ms=report.lag_ms, reason=report.reason)
                self.inputs.post(report)
            case VoiceStarted() | VoiceStopped():
                self.inputs.post(report)
            case AudioCrashed(error):
                self.lifetime.crash("audio", error)
            case _:
                assert_never(report)

    def _up_to_date(self, moved: Started | Drained) -> Started | Drained:
        """Return *moved* as it is true now: the thread's `idle` may be older than what was queued since."""
        if isinstance(moved, Drained) and moved.idle and self.playback.sounding:
            return replace(moved, idle=False)
        return moved


@dataclass(eq=False, repr=False)
class AudioStall:
    """Gives the audio thread up, which hangs in a call of the sound system; called by the heartbeat.

    Nothing in this process can end such a call: subscribers are told that the
    devices are lost, and the process ends with status 70, to be started anew.
    """

    shell_status: ShellStatus
    inputs: Mailbox[Input]
    events: EventFanOut
    lifetime: Lifetime

    def __call__(self) -> None:
        """End the daemon."""
        for direction, name in self.shell_status.open_devices().items():
            self.inputs.post(DeviceChanged(direction, "lost", name))
        self.events.publish(ipc.Error("audio_unavailable", "the sound system stands still"))
        log.critical("audio.stalled")
        self.lifetime.end(errors.INTERNAL, "audio stalled")


def _log_device(changed: DeviceChanged) -> None:
    if changed.status == "open":
        log.info("audio.open", direction=changed.direction, name=changed.name, rate_hz=changed.rate_hz)
    else:
        log.warning(
            "audio.down",
            direction=changed.direction,
            name=changed.name or "",
            status=changed.status,
            reason=changed.reason,
        )
