"""The assistant's turn: its responses, from the server's first word to the last sample heard. Pure.

The server says when a response begins, sends its audio and words faster than
they sound, and says when it has sent all. The playback queue says when a part
was heard to its end, or what a cut left of it. Whether a response that begins
is wanted is decided here: the user may speak again, or may have interrupted it
before it had an id.

A cut comes as one input, `Cut`, after the effect `CutPlayback`, and is answered
here with everything that it means: the response is cancelled, its items are
truncated or deleted, and `interrupt` is published.
"""

from __future__ import annotations

from rtvoiced.audio.events import Drained
from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation.effects import (
    ClearTimer,
    Effect,
    FailLink,
    FinishPart,
    Publish,
    ReplyTo,
    SendEvent,
    SetTimer,
)
from rtvoiced.conversation.inputs import Cut
from rtvoiced.conversation.phases import Awaiting, Hearing, Listening, Speaking, Thinking
from rtvoiced.conversation.reports import CutLatency, interrupt_event, interrupt_reply, late, server_error
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.request import (
    RequestStage,
    ResponseRequest,
    SayRequest,
    TurnRequest,
    about,
)
from rtvoiced.conversation.timers import CANCELLED_S, DELTA_S, RESPONSE_S, Timer
from rtvoiced.dsp.pcm import FRAME_BYTES, Part
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events


class ResponseHandler:
    """Which response is wanted, what of it is played, and what a cut leaves of it."""

    def __init__(self, state: ConversationState) -> None:
        self._state = state

    # -------------------------------------------------------------------------- it begins

    def on_response_created(self, event: events.ResponseCreated, now: Monotonic) -> list[Effect]:
        """The server begins a response."""
        state = self._state
        if not state.session.up or not state.responses.is_new(event.response_id):
            return []
        request = state.requests.on_response_created(event)
        # A server that gives no metadata back hardly knows more of what is out of band.
        ephemeral = event.kind == events.SAY and event.conversation_id is None
        if not self._is_wanted(event, request):
            # Of a turn that is over: the user speaks again, or wants no answer.
            request_id = request.request_id if request is not None else event.request
            effects = state.responses.reject(event.response_id, request_id, ephemeral=ephemeral)
            if state.responses.active == event.response_id:
                effects.append(SetTimer(Timer.DELTA, later(now, CANCELLED_S)))
            return [*effects, *state.nothing_expected()]
        answered: list[ResponseRequest] = [request] if request is not None else []
        if request is None or isinstance(request, TurnRequest):
            answered += state.requests.take_absorbed()
        effects = state.responses.accept(
            event.response_id,
            _request_id(event, request, answered),
            tuple(each.key for each in answered),
            ephemeral=ephemeral,
            protected=isinstance(request, SayRequest) and request.protected,
        )
        if not isinstance(state.phase, Hearing):
            state.enter(Thinking(event.response_id))
        return [*state.nothing_expected(), SetTimer(Timer.DELTA, later(now, DELTA_S)), *effects]

    def _is_wanted(self, event: events.ResponseCreated, request: ResponseRequest | None) -> bool:
        """Return whether somebody wants this response now.

        The request that it comes too late for waits on.
        """
        state = self._state
        by_hand = state.push_to_talk.pressed
        spoken_over = isinstance(state.phase, Hearing) and (by_hand or state.policy != "manual")
        if request is not None:
            wanted = request.stage is not RequestStage.UNWANTED
            # Out of band, it would speak beside the response to the user's turn, or to a late one.
            beside = state.requests.overtaken or state.responses.accepting is not None
            too_late = spoken_over or (isinstance(request, SayRequest) and beside)
            if wanted and too_late:
                state.requests.put_off(request)
            return wanted and not too_late
        if event.kind == events.SAY:
            # Somebody was told already that nothing came of it.
            return False
        wanted = event.request is not None or not state.requests.take_rejection()
        if not wanted or spoken_over:
            return False
        if state.responses.protected and state.responses.accepting is not None:
            # The server's own answer to what was said over a protected `say`, of which more is to come.
            self._answer_later()
            return False
        return True

    def _answer_later(self) -> None:
        """Have the user's turn answered once nothing sounds any more."""
        self._state.requests.enqueue_turn()
        if self._state.requests.asking is None:
            self._state.stop_awaiting()

    def _begin_unannounced(self, response_id: str, now: Monotonic) -> list[Effect]:
        """Begin a response of a server that sends no ``response.created``."""
        if not response_id or not self._state.responses.is_new(response_id):
            return []
        return self.on_response_created(events.ResponseCreated(response_id, None), now)

    # ---------------------------------------------------------------------------- it comes

    def on_output_item_added(self, event: events.OutputItemAdded, now: Monotonic) -> list[Effect]:
        """A response announces an item."""
        begun = self._begin_unannounced(event.response_id, now)
        return begun + self._go_on(self._state.responses.on_output_item_added(event), now)

    def on_audio_delta(self, event: events.AudioDelta, now: Monotonic) -> list[Effect]:
        """Audio of a response came."""
        state = self._state
        begun = self._begin_unannounced(event.part.response_id, now)
        effects = state.responses.on_audio_delta(event, state.session.output_hz)
        queued = effects and len(event.pcm) >= FRAME_BYTES
        if queued and isinstance(state.phase, Thinking | Speaking):
            state.enter(Speaking(event.part.response_id))
        return begun + self._go_on(effects, now)

    def on_audio_done(self, part: Part) -> list[Effect]:
        """All audio of a part came."""
        return [FinishPart(part)]

    def on_text_delta(self, event: events.TextDelta, now: Monotonic) -> list[Effect]:
        """Words of a response came."""
        begun = self._begin_unannounced(event.response_id, now)
        return begun + self._go_on(self._state.responses.on_text_delta(event), now)

    def on_text_done(self, event: events.TextDone) -> list[Effect]:
        """All words of an item came."""
        return self._state.responses.on_text_done(event)

    def _go_on(self, effects: list[Effect], now: Monotonic) -> list[Effect]:
        """Give the active response a while again until its next event is due, if this was one of it."""
        if effects and self._state.responses.accepting is not None:
            return [*effects, SetTimer(Timer.DELTA, later(now, DELTA_S))]
        return effects

    # ---------------------------------------------------------------------------- it ends

    def on_response_done(self, event: events.ResponseDone, now: Monotonic) -> list[Effect]:
        """The server has sent all of a response, or will send no more."""
        state = self._state
        effects = self._begin_unannounced(event.response_id, now)
        if event.status == "failed":
            error = server_error(event.error_code, event.error_message or "the answer failed", {})
            state.pending_replies.fail(state.responses.keys(event.response_id), error)
        effects += [*state.responses.on_response_done(event), *state.usage.on_response_done(event)]
        if event.reason == "turn_detected":
            effects += state.session.configuration.on_interrupted_by_itself()
        if event.error_code in events.FATAL_CODES:
            effects.append(FailLink(f"{event.error_code}: {event.error_message}"))
        if state.responses.active is None:
            effects.append(ClearTimer(Timer.DELTA))
        return effects + state.settle(now)

    def on_drained(self, event: Drained, now: Monotonic) -> list[Effect]:
        """A part was heard to its end."""
        played = Publish(ipc.Playback(event.part.item_id, "drained", event.played_ms))
        return [played, *self._state.responses.on_drained(event), *self._state.settle(now)]

    def on_cut(self, cut: Cut, latency: CutLatency, now: Monotonic) -> list[Effect]:
        """Playback is silent: say what was heard, to the server, the subscribers and who asked."""
        state = self._state
        generating, awaited = state.responses.accepting, isinstance(state.phase, Awaiting)
        effects: list[Effect] = []
        if generating is not None:
            # With server VAD the server cancels its own response, unless the session leaves that to us.
            by_itself = cut.cause == "server_vad" and not state.session.client_managed_turns
            if not by_itself or state.responses.is_ephemeral(generating):
                effects.append(SendEvent(events.CancelResponse(generating)))
            effects.append(SetTimer(Timer.DELTA, later(now, CANCELLED_S)))
        effects += state.responses.on_cut(cut)
        if cut.heard.parts:
            effects.append(Publish(interrupt_event(cut, latency)))
        if cut.cause == "command" and awaited:
            # The response is on its way: it is cancelled as soon as it has an id.
            state.requests.interrupt()
            state.enter(Listening())
        if cut.ticket is not None:
            cancelled = generating is not None or awaited
            effects.append(ReplyTo(cut.ticket, interrupt_reply(cut, cancelled=cancelled)))
        return effects + state.settle(now)

    # ------------------------------------------------------------------- what does not come

    def on_nothing_created(self, now: Monotonic) -> list[Effect]:
        """No response began in time."""
        state = self._state
        asked, awaited = state.requests.give_up(), isinstance(state.phase, Awaiting)
        state.requests.want_unasked()
        effects: list[Effect] = []
        if asked is not None or awaited:
            state.stop_awaiting()
            error = late(f"the server began no answer within {RESPONSE_S:.0f} s", about(asked))
            if asked is not None:
                state.pending_replies.fail([asked.key], error)
            effects.append(Publish(error))
        return effects + state.settle(now)

    def on_stalled(self, now: Monotonic) -> list[Effect]:
        """The active response says nothing more."""
        state = self._state
        keys, request_id = state.responses.keys(state.responses.active), state.responses.request_id
        expected, effects = state.responses.give_up()
        if effects and not expected:
            details = {"request": request_id} if request_id else {}
            error = late(f"the server's answer stood still for {DELTA_S:.0f} s", details)
            state.pending_replies.fail(keys, error)
            effects = [Publish(error), *effects]
        return effects + state.settle(now)


def _request_id(
    event: events.ResponseCreated, request: ResponseRequest | None, answered: list[ResponseRequest]
) -> str | None:
    """Return the id of the command that a response answers: the first of those that it answers too."""
    own = request.request_id if request is not None else event.request
    if own is not None:
        return own
    return next((each.request_id for each in answered if each.request_id), None)
