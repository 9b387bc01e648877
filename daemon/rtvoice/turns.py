"""The user's turns, as the server hears them. Pure."""

from __future__ import annotations

from rtvoice import effects
from rtvoice.effects import Effect, Publish, Send
from rtvoice.ipc import events as ipc
from rtvoice.realtime import events
from rtvoice.reports import late
from rtvoice.states import Awaiting, Hearing, Listening
from rtvoice.talk import HEARING_S, HEARING_TIMER, RESPONSE_S, RESPONSE_TIMER, Talk
from rtvoice.utterances import stopped


class Turns:
    """When the user begins and ends to speak, and what follows for the assistant."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def speech_started(self, event: events.SpeechStarted, now: float) -> list[Effect]:
        """The server hears the user."""
        talk = self._talk
        if not talk.session.up:
            return []
        if talk.mute.on:
            # Said before the mute and only now heard by the server.
            talk.utterances.discarded = event.item_id
            # With it the server ended its response, so that answer is over all the same; not so a `say`.
            audible = talk.sounding.response_id if talk.sounding is not None else None
            goes_on = talk.answers.is_ephemeral(talk.answers.accepting or audible)
            cut: list[Effect] = [] if goes_on else [effects.CutPlayback("server_vad")]
            return [*cut, Send(events.ClearAudio())]
        if talk.state == Hearing(event.item_id):
            return []
        ended: list[Effect] = []
        if isinstance(talk.state, Hearing):
            ended.append(stopped(talk.state.item_id, event.audio_start_ms, "silence"))
        talk.state = Hearing(event.item_id)
        talk.questions.overtake()
        talk.utterances.discarded, talk.unwanted = None, False
        return [
            effects.CutPlayback("server_vad"),
            *ended,
            *talk.nothing_expected(),
            effects.SetTimer(HEARING_TIMER, now + HEARING_S),
            Publish(ipc.SpeechStarted(event.item_id, event.audio_start_ms, "server")),
        ]

    def speech_stopped(self, item_id: str, end_ms: int | None, now: float) -> list[Effect]:
        """The server has heard enough silence."""
        talk = self._talk
        if not isinstance(talk.state, Hearing) or item_id == talk.utterances.discarded:
            return []
        begun, talk.state = talk.state.item_id, Awaiting()
        return [
            effects.ClearTimer(HEARING_TIMER),
            effects.SetTimer(RESPONSE_TIMER, now + RESPONSE_S),
            stopped(begun, end_ms, "silence"),
        ]

    def committed(self, item_id: str, previous: str | None, now: float) -> list[Effect]:
        """The utterance stands in the conversation."""
        talk = self._talk
        if item_id == talk.utterances.discarded:
            talk.unwanted = True
            return [Send(events.DeleteItem(item_id)), effects.SetTimer(RESPONSE_TIMER, now + RESPONSE_S)]
        talk.memory.add(item_id, "user", previous)
        # Not every server tells where an utterance ends.
        return self.speech_stopped(item_id, None, now) if talk.state == Hearing(item_id) else []

    def discard(self, reason: str) -> list[Effect]:
        """End the open utterance and have nothing made of it."""
        talk = self._talk
        if not isinstance(talk.state, Hearing):
            return []
        item_id, talk.state = talk.state.item_id, Listening()
        return [effects.ClearTimer(HEARING_TIMER), *talk.utterances.discard(item_id, reason)]

    def too_long(self) -> list[Effect]:
        """Nobody speaks for so long: the VAD is stuck."""
        told = self.discard("timeout")
        return [Publish(late(f"the server heard speech for {HEARING_S:.0f} s")), *told] if told else []
