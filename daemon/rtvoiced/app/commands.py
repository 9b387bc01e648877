"""Where the commands are taken: passed on where the conversation decides, else answered here."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any

from rtvoiced.app import status
from rtvoiced.app.session_config import interruption_rules
from rtvoiced.app.stats import StatsRecorder
from rtvoiced.app.uplink import Uplink
from rtvoiced.audio.cards.device_list import DeviceList
from rtvoiced.audio.cards.portaudio import FoundDevice, chosen
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.audio.thread.duplex import Duplex, Reopen
from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation import inputs
from rtvoiced.conversation.effects import ConversationReply
from rtvoiced.conversation.inputs import Input, SettingRequest
from rtvoiced.conversation.machine import Conversation
from rtvoiced.dsp.pcm import Pcm
from rtvoiced.errors import AudioError, CommandError, ConfigError
from rtvoiced.host import logs
from rtvoiced.ipc.contract import commands, replies
from rtvoiced.ipc.contract.protocol import Request
from rtvoiced.ipc.contract.replies import Reply
from rtvoiced.ipc.server.control import Control
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.realtime.events import SessionConfig
from rtvoiced.realtime.link import Link
from rtvoiced.settings import reading
from rtvoiced.settings.runtime import BY_SET, RuntimeSettings, SettingValue
from rtvoiced.settings.schema import Settings, live_keys
from rtvoiced.vocabulary import Direction

BY_VOLUME, BY_DEVICE = "command volume", "command set-device"
SESSION_KEYS = frozenset(
    key for key in live_keys() if key.startswith(("session.", "turn.", "interruption."))
) - {"interruption.fade_ms"}
"""Keys that the conversation, and mostly the server, has to be told of."""
MOST_NAME = 200
"""Characters of a device's name: to find what a megabyte is most like would take seconds."""


@dataclass(slots=True)
class CommandService:
    """Answers each ticket once; what takes a while is answered later, and others meanwhile."""

    control: Control
    publisher: Publisher
    conversation: Conversation
    playback: PlaybackQueue
    microphone: Uplink
    audio: Duplex
    link: Link
    live: RuntimeSettings
    session_of: Callable[[Settings], SessionConfig]
    devices: DeviceList
    look_for: Callable[[str, str], None]
    """Tells whoever looks for missing devices the names of those that are wanted now."""
    tally: StatsRecorder
    facts: status.DaemonFacts
    endpoints: dict[str, str]
    dispatch: Callable[[Input], None]
    failed: Callable[[BaseException], None]
    """Told of a bug."""
    _later: set[asyncio.Task[None]] = field(default_factory=set)
    _asked: dict[int, tuple[SettingValue, SettingValue]] = field(default_factory=dict)
    """By ticket: the value before a `set` that the server has to take, and the new one."""

    def serve(self, ticket: int, request: Request) -> None:
        """Take a command; a `CommandError` is its reply."""
        match request.command:
            case commands.Hello():
                self.control.reply(ticket, status.hello(self.endpoints, self.publisher.run))
            case commands.Status() | commands.Snapshot():
                self.control.reply(ticket, self._status())
            case commands.Replay(run, since, names):
                self.control.reply(ticket, self.publisher.replay(run, since, names))
            case commands.Volume(percent, relative):
                self.control.reply(ticket, self._volume(percent, relative))
            case commands.Set(key, given):
                self._set(ticket, key, given)
            case commands.Get(key):
                self.control.reply(ticket, self._get(key))
            case commands.Reload():
                self.control.reply(ticket, self._reload())
            case commands.Stats():
                self.control.reply(ticket, self._stats())
            case commands.Devices():
                self._answer_later(ticket, self._devices())
            case commands.SetDevice(direction, name):
                self._answer_later(ticket, self._set_device(direction, name[:MOST_NAME], request.expires))
            case commands.History(last):
                self.control.reply(ticket, self.conversation.history.newest(last))
            case _:
                self._pass_on(ticket, request, request.command)

    def reply(self, ticket: int, data: ConversationReply) -> None:
        """Answer for the conversation: it was carried out."""
        if values := self._asked.pop(ticket, None):
            self.live.put(values[1])
        self.control.reply(ticket, data)

    def refuse(self, ticket: int, error: CommandError) -> None:
        """Answer for the conversation: it was not carried out."""
        if values := self._asked.pop(ticket, None):
            self.live.put(values[0])
        self.control.refuse(ticket, error)

    def reload(self) -> replies.ReloadReply:
        """Read the configuration again and apply what is live; raises `ConfigError`."""
        found = self.live.reload()
        self._apply(frozenset(found.changed) & live_keys())
        return replies.ReloadReply(found.changed, found.restart)

    async def close(self) -> None:
        """End what still looks for an answer."""
        for task in self._later:
            task.cancel()
        await self.devices.close()

    def _pass_on(self, ticket: int, request: Request, command: commands.ForConversation) -> None:
        for_s = command.for_s if isinstance(command, commands.Mute) else None
        until = WallClock(round(time.time() + for_s, 3)) if for_s is not None else None
        expires = Monotonic(request.expires) if request.expires is not None else None
        self.dispatch(inputs.Commanded(ticket, request.id, command, until=until, expires=expires))

    def _status(self) -> replies.StatusReply:
        self.facts.echo = self.audio.front.echo
        return status.status(
            self.conversation,
            self.facts,
            self.playback.progress(),
            self.live.now.audio.volume_percent,
            self.publisher.subscribers,
            time.monotonic(),
            run=self.publisher.run,
            seq=self.publisher.seq,
        )

    # --------------------------------------------------------------------------- settings

    def _volume(self, percent: int | None, relative: int | None) -> replies.VolumeReply:
        before = self.live.now.audio.volume_percent
        wanted = percent if percent is not None else min(100, max(0, before + (relative or 0)))
        if (percent, relative) != (None, None):
            self._change(SettingValue("audio.volume_percent", wanted, BY_VOLUME))
        return replies.VolumeReply(wanted)

    def _set(self, ticket: int, key: str, given: object) -> None:
        value = self.live.parsed(key, given)
        if key in SESSION_KEYS:
            self._asked[ticket] = (self.live.value(key), SettingValue(key, value, BY_SET))
            self.live.put(SettingValue(key, value, BY_SET))
            self._apply({key}, SettingRequest(ticket, key, value))
        else:
            self._change(SettingValue(key, value, BY_SET))
            self.control.reply(ticket, replies.SetReply(key, value, "now"))

    def _get(self, key: str) -> replies.GetReply:
        found = self.live.shown(key)
        return replies.GetReply(found.key, found.value, found.origin)

    def _change(self, value: SettingValue) -> None:
        self.live.put(value)
        self._apply({value.key})

    def _reload(self) -> replies.ReloadReply:
        try:
            return self.reload()
        except ConfigError as error:
            raise CommandError("bad_args", str(error)) from None

    def _apply(self, keys: Collection[str], setting: SettingRequest | None = None) -> None:
        """Let the values in force of these *keys* work; the conversation answers the *setting*."""
        now = self.live.now
        if "audio.volume_percent" in keys:
            self.playback.set_volume(now.audio.volume_percent)
        if "interruption.fade_ms" in keys:
            self.playback.set_fade(now.interruption.fade_ms)
        if "echo.mode" in keys:
            # Here, not in the audio thread, which would keep an open card waiting.
            self.audio.front.prepare(now.echo.mode)
            self.audio.front.mode = now.echo.mode
        if "log.level" in keys:
            logs.configure(now.log.level, now.log.format)
        if "turn.prefix_ms" in keys:
            self.microphone.preroll_ms = now.turn.prefix_ms
        if not SESSION_KEYS.isdisjoint(keys):
            self.dispatch(inputs.Configure(self.session_of(now), setting, interruption_rules(now)))

    # ---------------------------------------------------------------------------- devices

    def _answer_later(self, ticket: int, work: Coroutine[Any, Any, Reply]) -> None:
        async def answer() -> None:
            try:
                self.control.reply(ticket, await work)
            except CommandError as error:
                self.control.refuse(ticket, error)

        task = asyncio.create_task(answer())
        self._later.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._later.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.failed(error)

    async def _devices(self) -> replies.DevicesReply:
        listed = [
            replies.ListedDevice(
                each.name, each.has("input"), each.has("output"), each.default_input, each.default_output
            )
            for each in await self._found()
        ]
        wanted = self.live.now.audio
        return replies.DevicesReply(listed, wanted.input or "", wanted.output or "")

    async def _found(self) -> tuple[FoundDevice, ...]:
        try:
            return await self.devices.now()
        except TimeoutError:
            message = "the sound system did not list its devices within 2 s"
            raise CommandError("timeout", message, retryable=True) from None
        except AudioError as error:
            raise CommandError("audio_unavailable", str(error), retryable=True) from None

    async def _set_device(
        self, direction: Direction, name: str, expires: float | None
    ) -> replies.SetDeviceReply:
        if reading.card(self.live.now)[0] not in ("auto", "portaudio"):
            card = self.live.now.audio.card
            raise CommandError("not_allowed", f"audio.card is {card!r}: there are no devices to choose from")
        found = await self._found()
        if expires is not None and time.monotonic() >= expires:
            # Whoever asked has given up meanwhile.
            raise CommandError("expired", "the list of devices came too late", retryable=True)
        try:
            device = chosen(found, direction, name)
        except AudioError as error:
            near = _nearest(found, direction, name)
            raise CommandError("device_not_found", str(error), details={"nearest": near}) from None
        self.live.put(SettingValue(f"audio.{direction}", name or None, BY_DEVICE))
        wanted = self.live.now.audio
        self.look_for(wanted.input or "", wanted.output or "")
        is_open = self.facts.devices[direction]
        if (is_open.status, is_open.name) != ("open", device.name):
            self.audio.reopen(Reopen.AT_ONCE if direction == "output" else Reopen.WHEN_QUIET)
        return replies.SetDeviceReply(direction, device.name)

    # ------------------------------------------------------------------------------ stats

    def _stats(self) -> replies.StatsReply:
        audio, counters = self.audio.stats(), self.control.counters
        dropped_ms = Pcm(self.conversation.session.input_hz).ms_of_frames(self.link.dropped_frames)
        return replies.StatsReply(
            since=self.facts.since,
            **self.tally.counters(),
            **asdict(self.conversation.interruption.counts),
            latency_ms=self.tally.latencies(self.link.mic_to_wire.summary()),
            audio=replies.AudioStats(
                audio.underruns,
                audio.overruns,
                audio.late_rounds,
                audio.dropped_input_ms,
                audio.target_fill_ms,
            ),
            link=replies.LinkStats(max(0, self.link.sessions - 1), dropped_ms),
            ipc=replies.IpcStats(
                counters.commands,
                counters.bad_requests,
                counters.expired,
                self.publisher.seq,
                self.publisher.subscribers_peak,
            ),
        )


def _nearest(found: tuple[FoundDevice, ...], direction: Direction, name: str) -> list[str]:
    """Return the names most like *name*, the nearest first; of few, all."""
    names = list(dict.fromkeys(each.name for each in found if each.has(direction)))
    return difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3]
