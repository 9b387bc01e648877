"""The user's turns, as the server hears them. Pure.

A turn begins with ``speech_started``, ends with ``speech_stopped``, and stands
in the conversation with ``committed``. `InterruptionHandler` gets these first
and passes on what is a turn; push-to-talk commits turns of its own.

Who has the turn answered is told by the session's flags: where the server's VAD
creates responses, the response is awaited; where it leaves that to us
(`client_managed_turns`), a `TurnRequest` is put in the queue.
"""

from __future__ import annotations

from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation.effects import ClearTimer, CutPlayback, Effect, Publish, SendEvent, SetTimer
from rtvoiced.conversation.phases import Awaiting, Hearing
from rtvoiced.conversation.reports import late
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.utterances import stopped
from rtvoiced.conversation.timers import HEARING_S, RESPONSE_S, Timer
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.vocabulary import Cause, SpeechEnd


class UserTurnHandler:
    """When the user begins and ends to speak, and what follows for the assistant."""

    def __init__(self, state: ConversationState) -> None:
        self._state = state

    def on_speech_started(self, event: events.SpeechStarted, now: Monotonic) -> list[Effect]:
        """The server hears the user."""
        state = self._state
        if not state.session.up:
            return []
        if state.mute.on:
            return self._on_speech_while_muted(event)
        if state.push_to_talk.pressed:
            # The server does not know yet that its turn detection is off.
            state.utterances.discard(event.item_id)
            return []
        if state.phase == Hearing(event.item_id):
            return []
        return self.begin(event, "server_vad" if state.yields else None, now)

    def _on_speech_while_muted(self, event: events.SpeechStarted) -> list[Effect]:
        """Drop what was said before the mute and is only now heard by the server."""
        state = self._state
        state.utterances.discard(event.item_id)
        # With it the server ended its response, so that is over all the same; not so a `say`.
        audible = state.sounding.response_id if state.sounding is not None else None
        over = state.yields and not state.session.client_managed_turns
        over = over and not state.responses.is_ephemeral(state.responses.accepting or audible)
        cut: list[Effect] = [CutPlayback("server_vad")] if over else []
        return [*cut, SendEvent(events.ClearAudio())]

    def begin(self, event: events.SpeechStarted, cause: Cause | None, now: Monotonic) -> list[Effect]:
        """Begin the user's turn, and cut what is said over; with no *cause* that goes on."""
        state = self._state
        ended: list[Effect] = []
        if isinstance(state.phase, Hearing):
            ended.append(stopped(state.phase.item_id, event.audio_start_ms, "silence"))
        state.enter(Hearing(event.item_id))
        state.utterances.on_turn()
        state.push_to_talk.on_turn()
        cut: list[Effect] = []
        if cause is not None:
            state.requests.overtake()
            state.requests.want_unasked()
            cut.append(CutPlayback(cause))
        return [
            *cut,
            *ended,
            *state.nothing_expected(),
            SetTimer(Timer.HEARING, later(now, HEARING_S)),
            Publish(ipc.SpeechStarted(event.item_id, event.audio_start_ms, "server")),
        ]

    def on_speech_stopped(self, item_id: str, end_ms: int | None, now: Monotonic) -> list[Effect]:
        """The server has heard enough silence: the turn is over."""
        state = self._state
        if not isinstance(state.phase, Hearing) or state.utterances.is_discarded(item_id):
            return []
        if state.push_to_talk.pressed:
            # Of what was said before; push-to-talk ends by hand.
            return []
        heard_id = state.phase.item_id
        effects: list[Effect] = [ClearTimer(Timer.HEARING)]
        said_over = state.session.client_managed_turns and (state.responses.accepting or state.sounding)
        if said_over and state.requests.asking is None:
            # What is said was not interrupted, and the turn waits for its end.
            state.rest()
        else:
            state.enter(Awaiting())
            if state.requests.asking is None:
                effects.append(SetTimer(Timer.RESPONSE_CREATED, later(now, RESPONSE_S)))
        return [*effects, stopped(heard_id, end_ms, "silence")]

    def on_committed(self, item_id: str, previous: str | None, now: Monotonic) -> list[Effect]:
        """The utterance stands in the conversation."""
        state = self._state
        if state.utterances.is_discarded(item_id):
            delete = SendEvent(events.DeleteItem(item_id))
            if state.session.client_managed_turns:
                return [delete]
            state.requests.reject_unasked()
            return [delete, SetTimer(Timer.RESPONSE_CREATED, later(now, RESPONSE_S))]
        state.history.add(item_id, "user", previous)
        if state.push_to_talk.commit_acknowledged():
            # Its response is asked for already.
            return []
        # Not every server tells where an utterance ends.
        effects = self.on_speech_stopped(item_id, None, now) if state.phase == Hearing(item_id) else []
        return [*effects, *self._answer(now)] if state.session.client_managed_turns else effects

    def _answer(self, now: Monotonic) -> list[Effect]:
        """Have answered what the server has committed, unless that was interrupted already."""
        state = self._state
        if state.requests.take_rejection():
            return [*state.nothing_expected(), *state.settle(now)]
        return self.request_answer(now)

    def request_answer(self, now: Monotonic) -> list[Effect]:
        """Let what the user said be answered next, as soon as nothing is in its way."""
        state = self._state
        state.requests.enqueue_turn()
        if state.requests.asking is None:
            state.stop_awaiting()
        return [*state.nothing_expected(), *state.ask_next(now)]

    def discard(self, reason: SpeechEnd) -> list[Effect]:
        """End the utterance that the server hears, and have nothing made of it."""
        state = self._state
        if not isinstance(state.phase, Hearing) or state.phase.item_id is None:
            return []
        item_id = state.phase.item_id
        state.rest()
        return [ClearTimer(Timer.HEARING), *state.utterances.end_discarded(item_id, reason)]

    def on_heard_too_long(self) -> list[Effect]:
        """Nobody speaks for so long: the server's VAD is stuck."""
        effects = self.discard("timeout")
        if not effects:
            return []
        return [Publish(late(f"the server heard speech for {HEARING_S:.0f} s")), *effects]
