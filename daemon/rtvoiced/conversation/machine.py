"""The conversation: one synchronous function from what happens to what has to be done. Pure.

A state holds exactly what is true in it; the facts beside it stand in `talk`.
Here is only who is told of what: the user's turns are in `turns` and
`push_to_talk`, the assistant's in `responses`, who may interrupt whom in
`interruption`, the session in `connection`, commands in `orders`.

* Two clocks: the server sends faster than real time, so an answer ends at
  *drained after done*, and whether there is something to interrupt is asked
  of the ledger (the effect `CutPlayback` and its input `Cut`), never of a state.
* With server VAD the server itself cancels the response that it is generating
  when the user starts to speak, unless the session leaves that to us; in
  every other cut we cancel, by id.
"""

from __future__ import annotations

from typing import assert_never

from rtvoiced.audio.events import (
    DeviceChanged,
    Drained,
    EchoChanged,
    Held,
    Resumed,
    Started,
    VoiceStarted,
    VoiceStopped,
)
from rtvoiced.clocks import Monotonic
from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect, Publish
from rtvoiced.conversation.handlers.command import CommandHandler
from rtvoiced.conversation.handlers.connection import ConnectionHandler
from rtvoiced.conversation.handlers.interruption import InterruptionHandler
from rtvoiced.conversation.handlers.push_to_talk import PushToTalkHandler
from rtvoiced.conversation.handlers.response import ResponseHandler
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.inputs import Input
from rtvoiced.conversation.phases import Phase
from rtvoiced.conversation.policy import DEFAULT, InterruptionRules
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.conversation.stores.mute import MuteStore
from rtvoiced.conversation.stores.session import Session
from rtvoiced.conversation.stores.utterances import not_transcribed
from rtvoiced.conversation.timers import ReplyTimer, Timer, TimerKey
from rtvoiced.dsp.pcm import Part
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed, LinkLost


class Conversation:
    """The state machine of design: `handle(input, now)` returns the effects, in order."""

    def __init__(
        self, config: events.SessionConfig, provider: str, model: str, rules: InterruptionRules = DEFAULT
    ) -> None:
        self.state = ConversationState(config, provider, model, rules)
        self._turns = UserTurnHandler(self.state)
        self.interruption = InterruptionHandler(self.state, self._turns)
        self._push_to_talk = PushToTalkHandler(self.state, self._turns)
        self._responses = ResponseHandler(self.state)
        self._connection = ConnectionHandler(self.state, self._turns, self._push_to_talk)
        self._commands = CommandHandler(self.state, self._turns, self._push_to_talk)
        self._published: ipc.State | None = None

    def handle(self, happened: Input, now: Monotonic) -> list[Effect]:
        """Return what has to be done about *happened*, in order; *now* is CLOCK_MONOTONIC seconds."""
        told = self._handle(happened, now)
        told += self.interruption.reconsider(now)
        requests, responses = self.state.requests, self.state.responses
        told += self.state.pending_replies.over(lambda key: requests.holds(key) or responses.holds(key))
        state_event = self.state.state_event()
        if state_event != self._published:
            self._published = state_event
            told.append(Publish(state_event))
        return told

    @property
    def phase(self) -> Phase:
        """Who speaks, or is about to."""
        return self.state.phase

    @property
    def sounding(self) -> Part | None:
        """The part last queued, while anything is queued or in the card."""
        return self.state.sounding

    @property
    def session(self) -> Session:
        """The session with the server."""
        return self.state.session

    @property
    def mute(self) -> MuteStore:
        """Whether the microphone is off."""
        return self.state.mute

    @property
    def history(self) -> HistoryStore:
        """What was said."""
        return self.state.history

    def state_event(self) -> ipc.State:
        """Return the daemon in one word each."""
        return self.state.state_event()

    def _handle(self, happened: Input, now: Monotonic) -> list[Effect]:  # noqa: C901
        match happened:
            case events.AudioDelta():
                return self._responses.audio(happened, now)
            case events.TextDelta():
                return self._responses.text(happened, now)
            case events.AudioDone(part):
                return [effects.FinishPart(part)]
            case events.TextDone():
                return self.state.responses.text_done(happened)
            case events.SpeechStarted():
                return self.interruption.speech_started(happened, now)
            case events.SpeechStopped(item_id, end_ms):
                return self.interruption.speech_stopped(item_id, end_ms, now)
            case events.Committed():
                return self.interruption.committed(happened, now)
            case events.ItemAdded(item_id, role, previous):
                self.state.utterances.added(item_id, role, previous)
                return []
            case events.UserTranscriptDelta(item_id, text):
                return self.interruption.transcribed(item_id, text, final=False)
            case events.UserTranscriptDone(item_id, text):
                return self.interruption.transcribed(item_id, text, final=True)
            case events.UserTranscriptFailed(item_id, message):
                return [not_transcribed(item_id, message)]
            case events.ResponseCreated():
                return self._responses.created(happened, now)
            case events.OutputItemAdded():
                return self._responses.announced(happened, now)
            case events.ResponseDone():
                return self._responses.done(happened, now)
            case Started(part):
                return [Publish(ipc.Playback(part.item_id, "started", 0))]
            case Drained():
                return self._responses.drained(happened, now)
            case inputs.Cut():
                latency, told = self.interruption.cut(happened, now)
                return [*told, *self._responses.cut(happened, latency, now)]
            case Held():
                return self.interruption.held(happened)
            case Resumed():
                return self.interruption.resumed(happened)
            case inputs.Commanded():
                return self._commands.commanded(happened, now)
            case inputs.Configure():
                return self.state.session.configure(happened, now)
            case events.SessionCreated():
                return self._connection.created(happened, now)
            case events.SessionUpdated():
                return self._connection.updated(happened, now)
            case events.ServerError():
                return self._connection.complained(happened, now)
            case LinkConnecting():
                return self._connection.connecting(happened)
            case LinkLost():
                return self._connection.lost(happened)
            case LinkFailed():
                return self._connection.failed(happened)
            case DeviceChanged():
                return self._device(happened)
            case VoiceStarted():
                return self.interruption.voice_started(happened, now)
            case VoiceStopped():
                return self.interruption.voice_stopped(happened, now)
            case EchoChanged():
                return self.interruption.echo_changed(happened)
            case inputs.TimerFired(timer):
                return self._on_timer(timer, now)
            case inputs.Begun():
                return [*self.state.mute.begin(happened, now), self.state.microphone()]
            case inputs.ShutdownAsked(reason):
                return self._commands.shutdown(reason)
            case events.Ignored():
                return []
            case _:
                assert_never(happened)

    def _on_timer(self, timer: TimerKey, now: Monotonic) -> list[Effect]:
        match timer:
            case ReplyTimer(ticket):
                key, told = self.state.pending_replies.expired(ticket)
                # What somebody saw time out does not happen later.
                self.state.requests.withdraw(key or "")
                return told
            case Timer.CONFIGURE:
                return self.state.session.not_configured()
            case Timer.CHANGE:
                return self.state.session.not_changed(now)
            case Timer.UNMUTE:
                return self._commands.mute(False, None, None, now)
            case Timer.HOLD:
                return self.interruption.hold_over(now)
            case Timer.SPEECH:
                return self.interruption.enough(now)
            case Timer.PROTECTED:
                self.state.responses.unprotect()
                return []
            case Timer.RESPONSE_CREATED:
                return [*self._responses.not_begun(), *self.state.settle(now)]
            case Timer.DELTA:
                return [*self._responses.stalled(), *self.state.settle(now)]
            case Timer.HEARING:
                ended = self._push_to_talk.too_long(now) or self._turns.too_long()
                return [*ended, *self.state.settle(now)]
            case Timer.ASK:
                return self.state.settle(now)
            case _:
                assert_never(timer)

    def _device(self, changed: DeviceChanged) -> list[Effect]:
        self.state.devices[changed.direction] = changed.status
        told: list[Effect] = []
        if changed.direction == "output" and changed.status == "lost" and self.state.sounding is not None:
            told.append(effects.CutPlayback("device", lost_frames=changed.lost_frames))
        told.append(
            Publish(
                ipc.Device(
                    changed.direction, changed.name, changed.status, changed.rate_hz, changed.latency_ms
                )
            )
        )
        return told
