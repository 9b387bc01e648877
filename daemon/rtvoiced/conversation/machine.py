"""The conversation: one synchronous function from what happened to what has to be done. Pure.

How it works. Everything that happens is an *input*: a command, a server event,
a word of the audio side, a timer. Everything that is done about it is an
*effect*: a client event to send, audio to queue, an event to publish, a timer
to set. `Conversation.handle(input, now)` turns the first into the second. It
waits for nothing, reads no clock and does no I/O, so that a test can play any
history to it, and the daemon's loop need only apply the effects in order.

What is true stands in one `ConversationState`: the *phase*, which says in one
word where the conversation stands, and beside it the *stores*, one for each
kind of fact. What happens when is decided by the *handlers*, one for each kind
of input. Here is only who is told of what, and what is looked after behind
every input: interruptions that the facts no longer bear out, replies that
waited for what is over, and the published state.

* Two clocks. The server sends faster than real time, so a response ends at
  *drained after done*; whether there is something to interrupt is asked of the
  playback's ledger (the effect `CutPlayback`, and its input `Cut` in the same
  turn of the loop), never of a phase.
* Who cancels. With server VAD the server itself cancels the response that it is
  generating when the user starts to speak, unless the session leaves that to
  us; in every other cut we cancel, by id.
* Every wait has a timer (`timers`), so no phase lasts for ever because somebody
  else fell silent.

For example, the server's VAD hears the end of what the user said:

    handle(SpeechStopped("item_1", 900), now)
        -> [ClearTimer(HEARING), SetTimer(RESPONSE_CREATED, …), Publish(SpeechStopped(…)), Publish(State(…))]
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
from rtvoiced.conversation import inputs
from rtvoiced.conversation.effects import CutPlayback, Effect, Publish
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
    """The state machine."""

    def __init__(
        self, config: events.SessionConfig, provider: str, model: str, rules: InterruptionRules = DEFAULT
    ) -> None:
        self.state = ConversationState(config, provider, model, rules)
        turns = UserTurnHandler(self.state)
        self.interruption = InterruptionHandler(self.state, turns)
        self._push_to_talk = PushToTalkHandler(self.state, turns)
        self._turns = turns
        self._responses = ResponseHandler(self.state)
        self._connection = ConnectionHandler(self.state, turns, self._push_to_talk)
        self._commands = CommandHandler(self.state, turns, self._push_to_talk)
        self._published: ipc.State | None = None

    def handle(self, happened: Input, now: Monotonic) -> list[Effect]:
        """Return what has to be done about *happened*, in order.

        Raises `TransitionError` where that would lead from one phase to
        another that can't follow it: a bug.
        """
        effects = self._dispatch(happened, now)
        effects += self.interruption.reconsider(now)
        requests, responses = self.state.requests, self.state.responses
        effects += self.state.pending_replies.answer_what_is_over(
            lambda key: requests.holds(key) or responses.holds(key)
        )
        state_event = self.state_event()
        if state_event != self._published:
            self._published = state_event
            effects.append(Publish(state_event))
        return effects

    # -------------------------------------------------------------- what others may know of it

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
        """Return the whole state in one word each, as subscribers are told it."""
        return self.state.state_event()

    # ----------------------------------------------------------------------- who is told

    def _dispatch(self, happened: Input, now: Monotonic) -> list[Effect]:  # noqa: C901
        match happened:
            case events.AudioDelta():
                return self._responses.on_audio_delta(happened, now)
            case events.TextDelta():
                return self._responses.on_text_delta(happened, now)
            case events.AudioDone(part):
                return self._responses.on_audio_done(part)
            case events.TextDone():
                return self._responses.on_text_done(happened)
            case events.SpeechStarted():
                return self.interruption.on_speech_started(happened, now)
            case events.SpeechStopped():
                return self.interruption.on_speech_stopped(happened, now)
            case events.Committed():
                return self.interruption.on_committed(happened, now)
            case events.ItemAdded(item_id, role, previous):
                self.state.utterances.on_item_added(item_id, role, previous)
                return []
            case events.UserTranscriptDelta(item_id, text):
                return self.interruption.on_user_transcript(item_id, text, final=False)
            case events.UserTranscriptDone(item_id, text):
                return self.interruption.on_user_transcript(item_id, text, final=True)
            case events.UserTranscriptFailed(item_id, message):
                return [not_transcribed(item_id, message)]
            case events.ResponseCreated():
                return self._responses.on_response_created(happened, now)
            case events.OutputItemAdded():
                return self._responses.on_output_item_added(happened, now)
            case events.ResponseDone():
                return self._responses.on_response_done(happened, now)
            case Started(part):
                return [Publish(ipc.Playback(part.item_id, "started", 0))]
            case Drained():
                return self._responses.on_drained(happened, now)
            case inputs.Cut():
                return self._on_cut(happened, now)
            case Held():
                return self.interruption.on_held(happened)
            case Resumed():
                return self.interruption.on_resumed(happened)
            case inputs.Commanded():
                return self._commands.on_command(happened, now)
            case inputs.Configure():
                return self.state.session.configuration.configure(happened, now)
            case events.SessionCreated():
                return self._connection.on_session_created(happened, now)
            case events.SessionUpdated():
                return self._connection.on_session_updated(happened, now)
            case events.ServerError():
                return self._connection.on_server_error(happened, now)
            case LinkConnecting():
                return self._connection.on_link_connecting(happened)
            case LinkLost():
                return self._connection.on_link_lost(happened)
            case LinkFailed():
                return self._connection.on_link_failed(happened)
            case DeviceChanged():
                return self._on_device_changed(happened)
            case VoiceStarted():
                return self.interruption.on_voice_started(happened, now)
            case VoiceStopped():
                return self.interruption.on_voice_stopped(happened, now)
            case EchoChanged():
                return self.interruption.on_echo_changed(happened)
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
        """Something did not come in time, or is over."""
        match timer:
            case ReplyTimer(ticket):
                key, effects = self.state.pending_replies.on_expired(ticket)
                # What somebody saw time out does not happen later.
                self.state.requests.withdraw(key or "")
                return effects
            case Timer.CONFIGURE:
                return self.state.session.configuration.not_sent()
            case Timer.CHANGE:
                return self.state.session.configuration.not_changed(now)
            case Timer.UNMUTE:
                return self._commands.mute(False, None, None, now)
            case Timer.HOLD:
                return self.interruption.on_hold_over(now)
            case Timer.SPEECH:
                return self.interruption.on_spoken_enough(now)
            case Timer.PROTECTED:
                self.state.responses.unprotect()
                return []
            case Timer.RESPONSE_CREATED:
                return self._responses.on_nothing_created(now)
            case Timer.DELTA:
                return self._responses.on_stalled(now)
            case Timer.HEARING:
                ended = self._push_to_talk.on_pressed_too_long(now) or self._turns.on_heard_too_long()
                return [*ended, *self.state.settle(now)]
            case Timer.ASK:
                return self.state.settle(now)
            case _:
                assert_never(timer)

    def _on_cut(self, cut: inputs.Cut, now: Monotonic) -> list[Effect]:
        """Playback is silent: the hold is over, and so is the response."""
        latency, effects = self.interruption.on_cut(cut, now)
        return [*effects, *self._responses.on_cut(cut, latency, now)]

    def _on_device_changed(self, changed: DeviceChanged) -> list[Effect]:
        """A microphone or a speaker came or went; what a lost speaker held was not heard."""
        self.state.on_device_changed(changed)
        effects: list[Effect] = []
        if changed.direction == "output" and changed.status == "lost" and self.state.sounding is not None:
            effects.append(CutPlayback("device", lost_frames=changed.lost_frames))
        device = ipc.Device(
            changed.direction, changed.name, changed.status, changed.rate_hz, changed.latency_ms
        )
        return [*effects, Publish(device)]
