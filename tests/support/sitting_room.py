"""A whole conversation in a simulated room: canceller, VAD, policies and a server, in simulated time.

Everything of the daemon that decides or touches sound is the real thing; the
room, the people in it, the server and the clock are simulated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rtvoiced.app.uplink import Uplink
from rtvoiced.audio.events import (
    DeviceChanged,
    Drained,
    EchoChanged,
    MicrophoneBlock,
    PlaybackMoved,
    VoiceStarted,
    VoiceStopped,
)
from rtvoiced.audio.thread.duplex import Report
from rtvoiced.clocks import Monotonic
from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect
from rtvoiced.conversation.inputs import Input
from rtvoiced.conversation.machine import Conversation
from rtvoiced.conversation.phases import Listening
from rtvoiced.conversation.policy import CLIENT_MANAGED, InterruptionRules
from rtvoiced.conversation.timers import TimerKey
from rtvoiced.dsp.pcm import WIRE, Part
from rtvoiced.dsp.resample import Resampler
from rtvoiced.dsp.vad import VAD_HZ, Onset, VoiceDetector
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.realtime.events import ClientEvent, LinkConnecting, ServerEvent
from rtvoiced.vocabulary import PolicySetting
from support.histories import CONFIG
from support.room import DESK, Acoustics
from support.scene import Scene

NETWORK_S = 0.03
"""One way to the server."""
DELTA_MS = 200


@dataclass
class Server:
    """A Realtime server: its own VAD on what it gets, answers made of *texts*, faster than they sound."""

    clock: Callable[[float, Callable[[], object]], None]
    """Does something so many seconds from now."""
    tell: Callable[[ServerEvent], None]
    answers: Iterator[NDArray[np.int16]]
    deaf: bool = False
    """Takes nothing for speech: as servers do that know a cough."""
    client_managed_turns: bool = False
    speaking: str | None = None
    vad: VoiceDetector = field(default_factory=lambda: VoiceDetector(silence_ms=500))
    responses: int = 0
    heard_ms: float = 0.0
    _resampler: Resampler = field(default_factory=lambda: Resampler(WIRE.hz, VAD_HZ))
    _items: int = 0

    def take(self, event: ClientEvent) -> None:
        match event:
            case events.UpdateSession(config):
                self.client_managed_turns = config.client_managed_turns
                self._say(
                    events.SessionUpdated("s1", None, "v", "m", 24_000, 24_000, self.client_managed_turns)
                )
            case events.AppendAudio(pcm):
                self._hear(np.frombuffer(pcm, "<i2"))
            case events.ClearAudio():
                self.vad.reset()
                self.speaking = None
            case events.CreateItem(item_id, role, _, previous):
                self._say(events.ItemAdded(item_id, role, previous))
            case events.CreateResponse(_, request, kind):
                self._respond(request, kind)
            case _:
                pass

    def _say(self, *told: ServerEvent) -> None:
        for event in told:
            self.clock(NETWORK_S, lambda event=event: self.tell(event))  # type: ignore[misc]

    def _hear(self, samples: NDArray[np.int16]) -> None:
        self.heard_ms += len(samples) * 1000 / WIRE.hz
        if self.deaf:
            return
        for decision in self.vad.process(self._resampler.process(samples)):
            at_ms = decision.frame * 1000 // VAD_HZ
            if isinstance(decision, Onset):
                self._items += 1
                self.speaking = f"u{self._items}"
                self._say(events.SpeechStarted(self.speaking, max(0, at_ms - CONFIG.prefix_ms)))
            elif self.speaking is not None:
                item_id, self.speaking = self.speaking, None
                self._say(
                    events.SpeechStopped(item_id, at_ms),
                    events.Committed(item_id, None),
                    events.ItemAdded(item_id, "user", None),
                )
                if not self.client_managed_turns:
                    self._respond(None, None)

    def _respond(self, request: str | None, kind: str | None) -> None:
        self.responses += 1
        part = Part(f"r{self.responses}", f"a{self.responses}")
        sound = next(self.answers)
        self._say(
            events.ResponseCreated(part.response_id, request, kind),
            events.OutputItemAdded(part.response_id, part.item_id, "message"),
            events.TextDelta(part.response_id, part.item_id, "an answer", False),
        )
        step = WIRE.frames(DELTA_MS)
        for at in range(0, len(sound), step):
            self._say(events.AudioDelta(part, sound[at : at + step].tobytes()))
        self._say(events.AudioDone(part), events.ResponseDone(part.response_id, "completed", request=request))


@dataclass(frozen=True)
class Told:
    """Something that the subscribers were told, and when."""

    at: float
    event: ipc.IpcEvent


class SittingRoom(Scene):
    """The daemon in a room, talking with a server."""

    def __init__(
        self,
        answers: Iterator[NDArray[np.int16]],
        policy: PolicySetting = "auto",
        acoustics: Acoustics = DESK,
        *,
        bypass: bool = False,
        deaf: bool = False,
    ) -> None:
        super().__init__(acoustics, bypass=bypass)
        self.told: list[Told] = []
        self.decisions: list[float] = []
        """When playback was told to be silent."""
        self.server = Server(self._later, self._from_server, answers, deaf)
        config = replace(CONFIG, client_managed_turns=policy in CLIENT_MANAGED)
        self.conversation = Conversation(config, "local", "m", InterruptionRules(policy))
        self.path = Uplink(self.server.take, 300)
        self._timers: dict[TimerKey, float] = {}
        self._tickets = 0
        for happened in (inputs.Begun(), LinkConnecting(0), events.SessionCreated("s1", None, "ga")):
            self.dispatch(happened)

    # The daemon's loop

    def _take(self, report: Report) -> None:
        match report:
            case MicrophoneBlock(pcm, hz, at, echoes, before):
                self.path.block(pcm, hz, at, echoes=echoes, before=before)
            case PlaybackMoved():
                for moved in self.playback.reports():
                    more = isinstance(moved, Drained) and moved.idle and self.playback.sounding
                    self.dispatch(Drained(moved.part, moved.played_ms, False) if more else moved)  # type: ignore[union-attr]
            case DeviceChanged():
                pass
            case EchoChanged() | VoiceStarted() | VoiceStopped():
                super()._take(report)
                self.dispatch(report)
            case _:
                super()._take(report)

    def dispatch(self, happened: Input) -> None:
        waiting = deque([happened])
        while waiting:
            for effect in self.conversation.handle(waiting.popleft(), Monotonic(self.clock.now)):
                self._apply(effect, waiting)

    def _apply(self, effect: Effect, waiting: deque[Input]) -> None:
        match effect:
            case effects.SendEvent(event):
                told = event
                self._later(NETWORK_S, lambda: self.server.take(told))
            case effects.Play(part, pcm, hz):
                self.playback.push(part, pcm, hz)
            case effects.FinishPart(part):
                self.playback.finish(part)
            case effects.FinishResponse(response_id):
                self.playback.finish_response(response_id)
            case effects.CutPlayback(cause, ticket, request, lost_frames):
                heard = self.playback.cut(lost_frames)
                self.decisions += [self.clock.now] if heard.parts else []
                waiting.append(inputs.Cut(heard, cause, ticket, request))
            case effects.HoldPlayback():
                self.decisions.append(self.clock.now)
                waiting.append(self.playback.hold())
            case effects.ResumePlayback():
                waiting.append(self.playback.resume())
            case effects.SetMicrophone(gate, hz):
                self.path.set(gate, hz)
            case effects.SetTimer(timer, at):
                self._timers[timer] = at
                self.clock.at(at, lambda: self._fire(timer, at))
            case effects.ClearTimer(timer):
                self._timers.pop(timer, None)
            case effects.Publish(ipc.AudioArrived()):
                pass
            case effects.Publish(event):
                self.told.append(Told(self.clock.now, event))
            case _:
                pass

    def _fire(self, timer: TimerKey, at: float) -> None:
        if self._timers.get(timer) == at:
            del self._timers[timer]
            self.dispatch(inputs.TimerFired(timer))

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        self.clock.at(self.clock.now + seconds, action)

    def _from_server(self, event: ServerEvent) -> None:
        if isinstance(event, events.SpeechStarted):
            voice_ms = event.audio_start_ms + CONFIG.prefix_ms
            event = replace(event, heard_at=self.path.read_at(voice_ms))
        self.dispatch(event)

    # What happens in it

    def ask(self, at: float) -> None:
        """Let a program ask something, so that the assistant answers."""
        self._tickets += 1
        asked = inputs.Commanded(self._tickets, f"q{self._tickets}", commands.Ask("go on"))
        self.clock.at(at, lambda: self.dispatch(asked))

    def run_to_rest(self, least: float) -> None:
        """Run so long at least, and until every question was answered to the end."""
        state = self.conversation.state
        self.duplex.run(
            lambda: self.clock.now >= least and isinstance(state.phase, Listening) and not state.requests
        )

    # What came of it

    def events(self, kind: type[ipc.IpcEvent], begin: float = 0.0, end: float = float("inf")) -> list[Told]:
        return [told for told in self.told if isinstance(told.event, kind) and begin <= told.at < end]

    def playback_told(self, status: str) -> list[Told]:
        told = self.events(ipc.Playback)
        return [each for each in told if isinstance(each.event, ipc.Playback) and each.event.status == status]

    @property
    def cuts(self) -> list[Told]:
        return self.events(ipc.Interrupt)

    @property
    def holds(self) -> list[Told]:
        return self.playback_told("held")
