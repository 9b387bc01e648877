"""The loop: inputs → `Conversation` → effects; timers, signals, shutdown.

Everything happens in the loop's thread. `dispatch` is synchronous and never
waits; an input that comes of an effect is handled in the same turn.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, assert_never

import structlog

from rtvoiced import errors
from rtvoiced.app import status
from rtvoiced.app.commands import CommandService
from rtvoiced.app.levels import LevelMeter
from rtvoiced.app.mute_file import MuteFile
from rtvoiced.app.stats import StatsRecorder
from rtvoiced.app.timers import Timers
from rtvoiced.app.uplink import Uplink
from rtvoiced.audio.capture.echo import EchoProbe
from rtvoiced.audio.cards.device_list import DeviceList
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
from rtvoiced.audio.thread import duplex
from rtvoiced.clocks import Monotonic
from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect
from rtvoiced.conversation.inputs import Input
from rtvoiced.conversation.machine import Conversation
from rtvoiced.conversation.timers import TimerKey
from rtvoiced.errors import CommandError, ConfigError, RtvoiceError
from rtvoiced.host.heartbeat import STALL_S, HeartbeatLoop
from rtvoiced.host.notify import ServiceNotifier
from rtvoiced.host.terminal import Terminal
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.events import IpcEvent
from rtvoiced.ipc.contract.protocol import Request
from rtvoiced.ipc.contract.replies import LastError
from rtvoiced.ipc.server.control import Control
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.realtime.events import SessionConfig, SpeechStarted
from rtvoiced.realtime.link import Link
from rtvoiced.settings.runtime import RuntimeSettings
from rtvoiced.settings.schema import Settings

FLUSH_S = 0.2
"""How long the last words to the server may take."""
CLOSE_S = 1.5
"""How long everything may take to close; with the flushing of `bye` it stays below 2 s."""

log = structlog.get_logger()


class Server(Protocol):
    """The embedded server, or nothing in its place."""

    async def stop(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, slots=True)
class Shells:
    """How to make what talks to the outside, given whom to tell."""

    control: Callable[[Callable[[int, Request], None]], Control]
    link: Callable[[Callable[[Input], None]], Link]
    audio: Callable[[Callable[[duplex.Report], None]], duplex.Duplex]


class Daemon:
    """One daemon; the constructor opens the command socket, `run` starts the rest."""

    def __init__(
        self,
        conversation: Conversation,
        playback: PlaybackQueue,
        publisher: Publisher,
        shells: Shells,
        server: Server,
        mute_file: MuteFile,
        facts: status.DaemonFacts,
        endpoints: dict[str, str],
        live: RuntimeSettings,
        session_of: Callable[[Settings], SessionConfig],
        watch: DeviceWatch,
        onlooker: Callable[[IpcEvent], None],
        notify: ServiceNotifier,
        stall_s: float = STALL_S,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._conversation = conversation
        self._playback = playback
        self._publisher = publisher
        self._server = server
        self._mute_file = mute_file
        self._facts = facts
        self._watch = watch
        self._onlooker = onlooker
        self._notify = notify
        self._inputs: deque[Input] = deque()
        self._busy = False
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._reason = "stop"
        self._timers: Timers[TimerKey] = Timers(lambda timer: self.dispatch(inputs.TimerFired(timer)))
        self._link = shells.link(self._told)
        self._microphone = Uplink(self._link.send, live.now.turn.prefix_ms)
        self._audio = shells.audio(self._post_audio)
        self._tally, self._levels, self._terminal = StatsRecorder(), LevelMeter(), Terminal()
        self._control = shells.control(self._serve)
        self._desk = CommandService(
            control=self._control,
            publisher=publisher,
            conversation=conversation,
            playback=playback,
            microphone=self._microphone,
            audio=self._audio,
            link=self._link,
            live=live,
            session_of=session_of,
            devices=DeviceList(),
            look_for=watch.look_for,
            tally=self._tally,
            facts=facts,
            endpoints=endpoints,
            dispatch=self.dispatch,
            failed=partial(self._crashed, "command"),
        )
        self._heartbeat = HeartbeatLoop(
            publisher.heartbeat, self._line, lambda: self._audio.beat, self._audio_stalled, notify, stall_s
        )

    async def run(self, begun: inputs.Begun) -> int:
        """Hold the conversation until it is asked to stop; return the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._signalled, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        self._loop.set_exception_handler(self._loop_failed)
        self.dispatch(begun)
        self._audio.start()
        link = asyncio.create_task(self._link.run())
        link.add_done_callback(partial(self._task_ended, "link"))
        heartbeat = asyncio.create_task(self._heartbeat.run())
        heartbeat.add_done_callback(partial(self._task_ended, "heartbeat"))
        watch = asyncio.create_task(self._watch.run(self._audio.available))
        watch.add_done_callback(partial(self._task_ended, "devices"))
        try:
            return await self._ended
        finally:
            heartbeat.cancel()
            await self._close(link, watch)

    def _told(self, happened: Input) -> None:
        """The link tells what the server said, or what became of it."""
        if isinstance(happened, SpeechStarted):
            # Where in the microphone's stream that is, only we know.
            voice_ms = happened.audio_start_ms + self._conversation.session.config.prefix_ms
            happened = replace(happened, heard_at=self._microphone.read_at(voice_ms))
        self.dispatch(happened)

    def dispatch(self, happened: Input) -> None:
        """Handle an input and all that comes of it; a bug ends the daemon."""
        self._inputs.append(happened)
        if self._busy or self._ended.done():
            return
        self._busy = True
        try:
            while self._inputs:
                for effect in self._conversation.handle(self._inputs.popleft(), Monotonic(time.monotonic())):
                    self._apply(effect)
        except Exception as error:
            self._crashed("dispatch", error)
            raise
        finally:
            self._busy = False

    # ---------------------------------------------------------------------------- effects

    def _apply(self, effect: Effect) -> None:  # noqa: C901
        match effect:
            case effects.SendEvent(event):
                self._tally.sent(event)
                self._link.send(event)
            case effects.Play(part, pcm, hz):
                self._tally.arrived(part, time.monotonic(), silent=not self._playback.sounding)
                self._playback.push(part, pcm, hz)
            case effects.FinishPart(part):
                self._playback.finish(part)
            case effects.FinishResponse(response_id):
                self._playback.finish_response(response_id)
            case effects.CutPlayback(cause, ticket, request, lost_frames):
                heard = self._playback.cut(lost_frames)
                self._inputs.append(inputs.Cut(heard, cause, ticket, request))
            case effects.HoldPlayback():
                self._inputs.append(self._playback.hold())
            case effects.ResumePlayback():
                self._inputs.append(self._playback.resume())
            case effects.Publish(event):
                self._publish(event)
            case effects.SetMicrophone(gate, hz):
                self._microphone.set(gate, hz)
            case effects.SetTimer(timer, at):
                self._timers.set(timer, at)
            case effects.ClearTimer(timer):
                self._timers.clear(timer)
            case effects.ReplyTo(ticket, data):
                self._desk.reply(ticket, data)
            case effects.Refuse(ticket, code, message, retryable, details):
                self._desk.refuse(ticket, CommandError(code, message, retryable=retryable, details=details))
            case effects.ReconnectLink():
                self._link.reconnect()
            case effects.DropLink(reason):
                self._link.drop(reason)
            case effects.FailLink(reason):
                self._link.fail(reason)
            case effects.SaveMute(muted, until):
                self._mute_file.write(muted, until)
            case effects.Quit(reason):
                self._end(errors.OK, reason)
            case _:
                assert_never(effect)

    def _publish(self, event: IpcEvent) -> None:
        match event:
            case ipc.Connection():
                self._facts.connection_since = time.time()
            case ipc.Error(code, message):
                self._facts.last_error = LastError(code, message, round(time.time(), 3))
                log.warning("error", code=code, message=message)
            case _:
                pass
        self._tally.published(event, time.monotonic())
        self._publisher.publish(event)
        self._onlooker(event)

    def _serve(self, ticket: int, request: Request) -> None:
        # The desk answers through the control, so that was made first.
        self._desk.serve(ticket, request)

    # ------------------------------------------------------------------------------ audio

    def _post_audio(self, report: duplex.Report) -> None:
        """Called in the audio thread."""
        try:
            self._loop.call_soon_threadsafe(self._heard, report)
        except RuntimeError:
            # The loop is closed: the audio thread outlived a shutdown by a block.
            return

    def _heard(self, report: duplex.Report) -> None:
        if self._ended.done():
            return
        match report:
            case MicrophoneBlock(pcm, hz, at, echoes, before):
                self._microphone.block(pcm, hz, at, echoes=echoes, before=before)
                if self._publisher.subscribed(ipc.Level.event):
                    self._tell_level(pcm)
            case PlaybackMoved():
                for moved in self._playback.reports():
                    if isinstance(moved, Started):
                        self._tally.started(moved.part, time.monotonic())
                    self.dispatch(self._up_to_date(moved))
            case DeviceChanged(direction, "open", name, rate_hz):
                log.info("audio.open", direction=direction, name=name, rate_hz=rate_hz)
                self._device(report)
            case DeviceChanged(direction, lost_or_unavailable, name):
                log.warning(
                    "audio.down",
                    direction=direction,
                    name=name or "",
                    status=lost_or_unavailable,
                    reason=report.reason,
                )
                self._device(report)
            case EchoProbe():
                self._audio.front.measured(report)
            case EchoChanged(mode, state):
                log.info("echo", mode=mode, state=state, lag_ms=report.lag_ms, reason=report.reason)
                self.dispatch(report)
            case VoiceStarted() | VoiceStopped():
                self.dispatch(report)
            case AudioCrashed(error):
                self._crashed("audio", error)
            case _:
                assert_never(report)

    def _tell_level(self, pcm: bytes) -> None:
        # A microphone that is switched off tells nothing, not even how loud it is.
        muted = self._conversation.mute.on
        heard, vad = (b"", None) if muted else (pcm, self._audio.front.probability)
        if level := self._levels.measured(heard, self._playback.latest, vad, time.monotonic()):
            self._publisher.publish(level)

    def _up_to_date(self, moved: Started | Drained) -> Started | Drained:
        """The audio thread's `idle` may be older than what was queued since."""
        if isinstance(moved, Drained) and moved.idle and self._playback.sounding:
            return replace(moved, idle=False)
        return moved

    def _device(self, changed: DeviceChanged) -> None:
        self._facts.devices[changed.direction] = changed
        self._watch.on_device_changed(changed)
        self.dispatch(changed)

    # ---------------------------------------------------------------------------- the end

    def _signalled(self, number: signal.Signals) -> None:
        self.dispatch(inputs.ShutdownAsked(number.name))

    def _hung_up(self) -> None:
        """SIGHUP: read the configuration again, unless it is our terminal that went away."""
        if self._terminal.hung_up():
            self.dispatch(inputs.ShutdownAsked(signal.SIGHUP.name))
            return
        self._heartbeat.reload(self._reload)

    def _reload(self) -> None:
        try:
            told = self._desk.reload()
        except ConfigError as error:
            self._publish(ipc.Error("bad_args", str(error)))
        else:
            log.info("reloaded", changed=told.changed, restart=told.restart)

    def _end(self, exit_status: int, reason: str) -> None:
        if not self._ended.done():
            self._reason = reason
            self._notify.stopping(reason)
            self._ended.set_result(exit_status)

    def _crashed(self, where: str, error: BaseException) -> None:
        """A bug: end the process, and let the service manager start a new one."""
        if isinstance(error, RtvoiceError):
            # Expected after all: a script's voice is missing, say.
            log.critical("failed", where=where, reason=str(error))
            self._end(error.status, str(error))
            return
        log.critical("bug", where=where, exc_info=error)
        self._end(errors.INTERNAL, "bug")

    def _loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None:
            log.warning("loop", message=context.get("message"))
        elif not self._ended.done():
            self._crashed("loop", error)

    def _task_ended(self, name: str, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._ended.done():
            self._crashed(name, error)

    def _audio_stalled(self) -> None:
        for direction, device in self._facts.devices.items():
            if device.status == "open":
                self._device(DeviceChanged(direction, "lost", device.name))
        self._publish(ipc.Error("audio_unavailable", "the sound system stands still"))
        log.critical("audio.stalled")
        self._end(errors.INTERNAL, "audio stalled")

    def _line(self) -> str:
        session, subscribers = self._conversation.session, self._publisher.subscribers
        return status.line(self._conversation.state_event(), session.reason, subscribers)

    async def _close(self, link: asyncio.Task[None], watch: asyncio.Task[None]) -> None:
        """Close everything, `bye` first; what hangs is left behind after `CLOSE_S`."""
        log.info("stopping", reason=self._reason)
        self._timers.clear_all()
        self._control.close()
        self._publisher.close(self._reason)
        await self._link.flush(FLUSH_S)
        link.cancel()
        watch.cancel()
        try:
            async with asyncio.timeout(CLOSE_S):
                stopped = asyncio.to_thread(self._audio.stop)
                closing = (link, watch, stopped, self._server.stop(), self._desk.close())
                await asyncio.gather(*closing, return_exceptions=True)
        except TimeoutError:
            log.warning("stopping.left_behind")
