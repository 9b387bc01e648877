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

    def __init__(self, talk: ConversationState) -> None:
        self._talk = talk

    def speech_started(self, event: events.SpeechStarted, now: Monotonic) -> list[Effect]:
        """The server hears the user."""
        talk = self._talk
        if not talk.session.up:
            return []
        if talk.mute.on:
            # Said before the mute and only now heard by the server.
            talk.utterances.discarded = event.item_id
            # With it the server ended its response, so that answer is over all the same; not so a `say`.
            audible = talk.sounding.response_id if talk.sounding is not None else None
            over = talk.yields and not talk.session.client_managed_turns
            over = over and not talk.answers.is_ephemeral(talk.answers.accepting or audible)
            cut: list[Effect] = [effects.CutPlayback("server_vad")] if over else []
            return [*cut, SendEvent(events.ClearAudio())]
        if talk.pressed_at is not None:
            # The server does not know yet that its turn detection is off.
            talk.utterances.discarded = event.item_id
            return []
        if talk.state == Hearing(event.item_id):
            return []
        return self.hear(event, "server_vad" if talk.yields else None, now)

    def hear(self, event: events.SpeechStarted, cause: Cause | None, now: Monotonic) -> list[Effect]:
        """The user's turn begins, and what is said over is cut; with no *cause* it goes on."""
        talk = self._talk
        ended: list[Effect] = []
        if isinstance(talk.state, Hearing):
            ended.append(stopped(talk.state.item_id, event.audio_start_ms, "silence"))
        talk.state = Hearing(event.item_id)
        talk.utterances.discarded, talk.commits_due = None, 0
        cut: list[Effect] = []
        if cause is not None:
            talk.questions.overtake()
            talk.unwanted = False
            cut.append(effects.CutPlayback(cause))
        return [
            *cut,
            *ended,
            *talk.nothing_expected(),
            effects.SetTimer(Timer.HEARING, later(now, HEARING_S)),
            Publish(ipc.SpeechStarted(event.item_id, event.audio_start_ms, "server")),
        ]

    def speech_stopped(self, item_id: str, end_ms: int | None, now: Monotonic) -> list[Effect]:
        """The server has heard enough silence."""
        talk = self._talk
        if not isinstance(talk.state, Hearing) or item_id == talk.utterances.discarded:
            return []
        if talk.pressed_at is not None:
            # Of what was said before; push-to-talk ends by hand.
            return []
        begun, talk.state = talk.state.item_id, Awaiting()
        told: list[Effect] = [effects.ClearTimer(Timer.HEARING)]
        if talk.questions.asking is None:
            if talk.session.client_managed_turns and (talk.answers.accepting or talk.sounding):
                # It was not interrupted, and the turn waits for its end.
                talk.state = talk.at_rest()
            else:
                told.append(effects.SetTimer(Timer.RESPONSE_CREATED, later(now, RESPONSE_S)))
        return [*told, stopped(begun, end_ms, "silence")]

    def committed(self, item_id: str, previous: str | None, now: Monotonic) -> list[Effect]:
        """The utterance stands in the conversation."""
        talk = self._talk
        if item_id == talk.utterances.discarded:
            delete = SendEvent(events.DeleteItem(item_id))
            if talk.session.client_managed_turns:
                return [delete]
            talk.unwanted = True
            return [delete, effects.SetTimer(Timer.RESPONSE_CREATED, later(now, RESPONSE_S))]
        talk.memory.add(item_id, "user", previous)
        if talk.commits_due:
            # Of push-to-talk: its answer is asked for already.
            talk.commits_due -= 1
            return []
        # Not every server tells where an utterance ends.
        told = self.speech_stopped(item_id, None, now) if talk.state == Hearing(item_id) else []
        return [*told, *self.answer(now)] if talk.session.client_managed_turns else told

    def answer(self, now: Monotonic) -> list[Effect]:
        """Ask for the answer to what the server has committed, as soon as nothing is in its way."""
        talk = self._talk
        if talk.unwanted:
            # Interrupted before it was asked for.
            talk.unwanted = False
            return [*talk.nothing_expected(), *talk.settle(now)]
        return self.ask(now)

    def ask(self, now: Monotonic) -> list[Effect]:
        """Let what the user said be answered next."""
        talk = self._talk
        talk.questions.append_turn()
        if isinstance(talk.state, Awaiting) and talk.questions.asking is None:
            talk.state = talk.at_rest()
        return [*talk.nothing_expected(), *talk.next_question(now)]

    def discard(self, reason: SpeechEnd) -> list[Effect]:
        """End the open utterance and have nothing made of it."""
        talk = self._talk
        if not isinstance(talk.state, Hearing) or talk.state.item_id is None:
            return []
        item_id, talk.state = talk.state.item_id, talk.at_rest()
        return [effects.ClearTimer(Timer.HEARING), *talk.utterances.discard(item_id, reason)]

    def too_long(self) -> list[Effect]:
        """Nobody speaks for so long: the VAD is stuck."""
        told = self.discard("timeout")
        return [Publish(late(f"the server heard speech for {HEARING_S:.0f} s")), *told] if told else []
