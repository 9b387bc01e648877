"""The assistant's turn: its responses, from the first word of the server's to the last sample heard. Pure."""

from __future__ import annotations

from rtvoiced.audio.events import Drained
from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.phases import Awaiting, Hearing, Listening, Speaking, Thinking
from rtvoiced.conversation.reports import CutLatency, interrupt_event, interrupt_reply, late, server_error
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.requests import ResponseRequest, about
from rtvoiced.conversation.timers import CANCELLED_S, DELTA_S, RESPONSE_S, Timer
from rtvoiced.dsp.pcm import FRAME_BYTES
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events


class ResponseHandler:
    """Which response is wanted, what of it is played, and what a cut leaves of it."""

    def __init__(self, state: ConversationState) -> None:
        self._state = state

    def created(self, event: events.ResponseCreated, now: Monotonic) -> list[Effect]:
        """The server begins a response."""
        state = self._state
        if not state.session.up or not state.responses.is_new(event.response_id):
            return []
        question = state.requests.answered(event, turn_first=state.unwanted)
        request = question.request if question is not None else event.request
        # A server that gives no metadata back hardly knows more of what is out of band.
        ephemeral = event.kind == events.SAY and event.conversation_id is None
        if not self._may_begin(event, question):
            # Of a turn that is over: the user speaks again, or wants no answer.
            told = state.responses.rejected(event.response_id, request, ephemeral=ephemeral)
            if state.responses.active == event.response_id:
                told.append(effects.SetTimer(Timer.DELTA, later(now, CANCELLED_S)))
            return [*told, *state.nothing_expected()]
        answered = [question] if question is not None else []
        if question is None or question.turn:
            answered += state.requests.taken_up()
        if request is None:
            request = next((each.request for each in answered if each.request), None)
        keys = tuple(each.item_id for each in answered)
        protected = question is not None and question.protected
        told = state.responses.created(
            event.response_id, request, keys, ephemeral=ephemeral, protected=protected
        )
        if not isinstance(state.phase, Hearing):
            state.phase = Thinking(event.response_id)
        return [*state.nothing_expected(), effects.SetTimer(Timer.DELTA, later(now, DELTA_S)), *told]

    def _may_begin(self, event: events.ResponseCreated, question: ResponseRequest | None) -> bool:
        """Return whether somebody wants this answer now; a question that it comes too late for waits on."""
        state = self._state
        by_hand = state.pressed_at is not None
        spoken_over = isinstance(state.phase, Hearing) and (by_hand or state.policy != "manual")
        if question is not None:
            # Out of band, it would speak beside the answer to the user's turn, or to a late one.
            beside = question.overtaken or state.responses.accepting is not None
            late = spoken_over or (question.say and beside)
            if question.wanted and late:
                state.requests.put_off(question)
            return question.wanted and not late
        if event.kind == events.SAY:
            # Somebody was told already that nothing came of it.
            return False
        wanted = True
        if event.request is None:
            wanted, state.unwanted = not state.unwanted, False
        if wanted and not spoken_over and state.responses.protected and state.responses.accepting is not None:
            # The server's own answer to what was said over a protected `say`, of which more is to come.
            self._answer_later()
            return False
        return wanted and not spoken_over

    def _answer_later(self) -> None:
        """Have the user's turn answered once nothing sounds any more."""
        state = self._state
        state.requests.append_turn()
        if isinstance(state.phase, Awaiting) and state.requests.asking is None:
            state.phase = state.at_rest()

    def _unannounced(self, response_id: str, now: Monotonic) -> list[Effect]:
        """Begin an answer of a server that sends no ``response.created``."""
        if not response_id or not self._state.responses.is_new(response_id):
            return []
        return self.created(events.ResponseCreated(response_id, None), now)

    def announced(self, event: events.OutputItemAdded, now: Monotonic) -> list[Effect]:
        """A response announces an item."""
        begun = self._unannounced(event.response_id, now)
        return begun + self._alive(self._state.responses.announced(event), now)

    def audio(self, event: events.AudioDelta, now: Monotonic) -> list[Effect]:
        """Audio of a response came."""
        state = self._state
        begun = self._unannounced(event.part.response_id, now)
        told = state.responses.audio(event, state.session.output_hz)
        if told and len(event.pcm) >= FRAME_BYTES:
            state.sounding = event.part
            if isinstance(state.phase, Thinking | Speaking):
                state.phase = Speaking(event.part.response_id)
        return begun + self._alive(told, now)

    def text(self, event: events.TextDelta, now: Monotonic) -> list[Effect]:
        """Words of a response came."""
        begun = self._unannounced(event.response_id, now)
        return begun + self._alive(self._state.responses.text(event), now)

    def _alive(self, told: list[Effect], now: Monotonic) -> list[Effect]:
        """The active response goes on: it has a while again until its next event is due."""
        if told and self._state.responses.accepting is not None:
            told.append(effects.SetTimer(Timer.DELTA, later(now, DELTA_S)))
        return told

    def done(self, event: events.ResponseDone, now: Monotonic) -> list[Effect]:
        """The server has sent all of a response, or will send no more."""
        state = self._state
        told = self._unannounced(event.response_id, now)
        if event.status == "failed":
            error = server_error(event.error_code, event.error_message or "the answer failed", {})
            state.pending_replies.fail(state.responses.keys(event.response_id), error)
        told += [*state.responses.done(event), *state.usage.spent(event)]
        if event.reason == "turn_detected":
            told += state.session.interrupts()
        if event.error_code in events.FATAL_CODES:
            told.append(effects.FailLink(f"{event.error_code}: {event.error_message}"))
        if state.responses.active is None:
            told.append(effects.ClearTimer(Timer.DELTA))
        return told + state.settle(now)

    def drained(self, event: Drained, now: Monotonic) -> list[Effect]:
        """A part was heard to its end."""
        state = self._state
        told: list[Effect] = [Publish(ipc.Playback(event.part.item_id, "drained", event.played_ms))]
        told += state.responses.drained(event)
        if event.part == state.sounding:
            state.sounding = None
        return told + state.settle(now)

    def cut(self, cut: inputs.Cut, latency: CutLatency, now: Monotonic) -> list[Effect]:
        """Playback is silent: say what was heard, to the server, the subscribers and who asked."""
        state = self._state
        generating, awaited = state.responses.accepting, isinstance(state.phase, Awaiting)
        told: list[Effect] = []
        if generating is not None:
            by_itself = cut.cause == "server_vad" and not state.session.client_managed_turns
            if not by_itself or state.responses.is_ephemeral(generating):
                told.append(SendEvent(events.CancelResponse(generating)))
            told.append(effects.SetTimer(Timer.DELTA, later(now, CANCELLED_S)))
        told += state.responses.cut(cut)
        state.sounding = None
        if cut.heard.parts:
            told.append(Publish(interrupt_event(cut, latency)))
        if cut.cause == "command" and awaited:
            # The answer is on its way: it is cancelled as soon as it has an id.
            state.requests.interrupt()
            state.unwanted = state.requests.asking is None
            state.phase = Listening()
        if cut.ticket is not None:
            cancelled = generating is not None or awaited
            told.append(effects.ReplyTo(cut.ticket, interrupt_reply(cut, cancelled=cancelled)))
        return told + state.settle(now)

    # ------------------------------------------------------------------- what does not come

    def not_begun(self) -> list[Effect]:
        """No response came in time."""
        state = self._state
        asked, state.unwanted = state.requests.given_up(), False
        if asked is None and not isinstance(state.phase, Awaiting):
            return []
        if isinstance(state.phase, Awaiting):
            state.phase = state.at_rest()
        error = late(f"the server began no answer within {RESPONSE_S:.0f} s", about(asked))
        if asked is not None:
            state.pending_replies.fail([asked.item_id], error)
        return [Publish(error)]

    def stalled(self) -> list[Effect]:
        """The active response says nothing more."""
        state = self._state
        keys, request = state.responses.keys(state.responses.active), state.responses.request
        expected, told = state.responses.give_up()
        if expected or not told:
            return told
        details = {"request": request} if request else {}
        error = late(f"the server's answer stood still for {DELTA_S:.0f} s", details)
        state.pending_replies.fail(keys, error)
        return [Publish(error), *told]
