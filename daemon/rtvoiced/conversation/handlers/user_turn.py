"""The user's turns, as the server hears them. Pure."""

from __future__ import annotations

from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation import effects
from rtvoiced.conversation.effects import Effect, Publish, SendEvent
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

    def speech_started(self, event: events.SpeechStarted, now: Monotonic) -> list[Effect]:
        """The server hears the user."""
        state = self._state
        if not state.session.up:
            return []
        if state.mute.on:
            # Said before the mute and only now heard by the server.
            state.utterances.discarded = event.item_id
            # With it the server ended its response, so that answer is over all the same; not so a `say`.
            audible = state.sounding.response_id if state.sounding is not None else None
            over = state.yields and not state.session.client_managed_turns
            over = over and not state.responses.is_ephemeral(state.responses.accepting or audible)
            cut: list[Effect] = [effects.CutPlayback("server_vad")] if over else []
            return [*cut, SendEvent(events.ClearAudio())]
        if state.pressed_at is not None:
            # The server does not know yet that its turn detection is off.
            state.utterances.discarded = event.item_id
            return []
        if state.phase == Hearing(event.item_id):
            return []
        return self.hear(event, "server_vad" if state.yields else None, now)

    def hear(self, event: events.SpeechStarted, cause: Cause | None, now: Monotonic) -> list[Effect]:
        """The user's turn begins, and what is said over is cut; with no *cause* it goes on."""
        state = self._state
        ended: list[Effect] = []
        if isinstance(state.phase, Hearing):
            ended.append(stopped(state.phase.item_id, event.audio_start_ms, "silence"))
        state.phase = Hearing(event.item_id)
        state.utterances.discarded, state.commits_due = None, 0
        cut: list[Effect] = []
        if cause is not None:
            state.requests.overtake()
            state.unwanted = False
            cut.append(effects.CutPlayback(cause))
        return [
            *cut,
            *ended,
            *state.nothing_expected(),
            effects.SetTimer(Timer.HEARING, later(now, HEARING_S)),
            Publish(ipc.SpeechStarted(event.item_id, event.audio_start_ms, "server")),
        ]

    def speech_stopped(self, item_id: str, end_ms: int | None, now: Monotonic) -> list[Effect]:
        """The server has heard enough silence."""
        state = self._state
        if not isinstance(state.phase, Hearing) or item_id == state.utterances.discarded:
            return []
        if state.pressed_at is not None:
            # Of what was said before; push-to-talk ends by hand.
            return []
        begun, state.phase = state.phase.item_id, Awaiting()
        told: list[Effect] = [effects.ClearTimer(Timer.HEARING)]
        if state.requests.asking is None:
            if state.session.client_managed_turns and (state.responses.accepting or state.sounding):
                # It was not interrupted, and the turn waits for its end.
                state.phase = state.at_rest()
            else:
                told.append(effects.SetTimer(Timer.RESPONSE_CREATED, later(now, RESPONSE_S)))
        return [*told, stopped(begun, end_ms, "silence")]

    def committed(self, item_id: str, previous: str | None, now: Monotonic) -> list[Effect]:
        """The utterance stands in the conversation."""
        state = self._state
        if item_id == state.utterances.discarded:
            delete = SendEvent(events.DeleteItem(item_id))
            if state.session.client_managed_turns:
                return [delete]
            state.unwanted = True
            return [delete, effects.SetTimer(Timer.RESPONSE_CREATED, later(now, RESPONSE_S))]
        state.history.add(item_id, "user", previous)
        if state.commits_due:
            # Of push-to-talk: its answer is asked for already.
            state.commits_due -= 1
            return []
        # Not every server tells where an utterance ends.
        told = self.speech_stopped(item_id, None, now) if state.phase == Hearing(item_id) else []
        return [*told, *self.answer(now)] if state.session.client_managed_turns else told

    def answer(self, now: Monotonic) -> list[Effect]:
        """Ask for the answer to what the server has committed, as soon as nothing is in its way."""
        state = self._state
        if state.unwanted:
            # Interrupted before it was asked for.
            state.unwanted = False
            return [*state.nothing_expected(), *state.settle(now)]
        return self.ask(now)

    def ask(self, now: Monotonic) -> list[Effect]:
        """Let what the user said be answered next."""
        state = self._state
        state.requests.append_turn()
        if isinstance(state.phase, Awaiting) and state.requests.asking is None:
            state.phase = state.at_rest()
        return [*state.nothing_expected(), *state.next_question(now)]

    def discard(self, reason: SpeechEnd) -> list[Effect]:
        """End the open utterance and have nothing made of it."""
        state = self._state
        if not isinstance(state.phase, Hearing) or state.phase.item_id is None:
            return []
        item_id, state.phase = state.phase.item_id, state.at_rest()
        return [effects.ClearTimer(Timer.HEARING), *state.utterances.discard(item_id, reason)]

    def too_long(self) -> list[Effect]:
        """Nobody speaks for so long: the VAD is stuck."""
        told = self.discard("timeout")
        return [Publish(late(f"the server heard speech for {HEARING_S:.0f} s")), *told] if told else []
