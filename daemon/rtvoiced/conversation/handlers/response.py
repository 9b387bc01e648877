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

    def __init__(self, talk: ConversationState) -> None:
        self._talk = talk

    def created(self, event: events.ResponseCreated, now: Monotonic) -> list[Effect]:
        """The server begins a response."""
        talk = self._talk
        if not talk.session.up or not talk.answers.is_new(event.response_id):
            return []
        question = talk.questions.answered(event, turn_first=talk.unwanted)
        request = question.request if question is not None else event.request
        # A server that gives no metadata back hardly knows more of what is out of band.
        ephemeral = event.kind == events.SAY and event.conversation_id is None
        if not self._may_begin(event, question):
            # Of a turn that is over: the user speaks again, or wants no answer.
            told = talk.answers.rejected(event.response_id, request, ephemeral=ephemeral)
            if talk.answers.active == event.response_id:
                told.append(effects.SetTimer(Timer.DELTA, later(now, CANCELLED_S)))
            return [*told, *talk.nothing_expected()]
        answered = [question] if question is not None else []
        if question is None or question.turn:
            answered += talk.questions.taken_up()
        if request is None:
            request = next((each.request for each in answered if each.request), None)
        keys = tuple(each.item_id for each in answered)
        protected = question is not None and question.protected
        told = talk.answers.created(
            event.response_id, request, keys, ephemeral=ephemeral, protected=protected
        )
        if not isinstance(talk.state, Hearing):
            talk.state = Thinking(event.response_id)
        return [*talk.nothing_expected(), effects.SetTimer(Timer.DELTA, later(now, DELTA_S)), *told]

    def _may_begin(self, event: events.ResponseCreated, question: ResponseRequest | None) -> bool:
        """Return whether somebody wants this answer now; a question that it comes too late for waits on."""
        talk = self._talk
        by_hand = talk.pressed_at is not None
        spoken_over = isinstance(talk.state, Hearing) and (by_hand or talk.policy != "manual")
        if question is not None:
            # Out of band, it would speak beside the answer to the user's turn, or to a late one.
            beside = question.overtaken or talk.answers.accepting is not None
            late = spoken_over or (question.say and beside)
            if question.wanted and late:
                talk.questions.put_off(question)
            return question.wanted and not late
        if event.kind == events.SAY:
            # Somebody was told already that nothing came of it.
            return False
        wanted = True
        if event.request is None:
            wanted, talk.unwanted = not talk.unwanted, False
        if wanted and not spoken_over and talk.answers.protected and talk.answers.accepting is not None:
            # The server's own answer to what was said over a protected `say`, of which more is to come.
            self._answer_later()
            return False
        return wanted and not spoken_over

    def _answer_later(self) -> None:
        """Have the user's turn answered once nothing sounds any more."""
        talk = self._talk
        talk.questions.append_turn()
        if isinstance(talk.state, Awaiting) and talk.questions.asking is None:
            talk.state = talk.at_rest()

    def _unannounced(self, response_id: str, now: Monotonic) -> list[Effect]:
        """Begin an answer of a server that sends no ``response.created``."""
        if not response_id or not self._talk.answers.is_new(response_id):
            return []
        return self.created(events.ResponseCreated(response_id, None), now)

    def announced(self, event: events.OutputItemAdded, now: Monotonic) -> list[Effect]:
        """A response announces an item."""
        begun = self._unannounced(event.response_id, now)
        return begun + self._alive(self._talk.answers.announced(event), now)

    def audio(self, event: events.AudioDelta, now: Monotonic) -> list[Effect]:
        """Audio of a response came."""
        talk = self._talk
        begun = self._unannounced(event.part.response_id, now)
        told = talk.answers.audio(event, talk.session.output_hz)
        if told and len(event.pcm) >= FRAME_BYTES:
            talk.sounding = event.part
            if isinstance(talk.state, Thinking | Speaking):
                talk.state = Speaking(event.part.response_id)
        return begun + self._alive(told, now)

    def text(self, event: events.TextDelta, now: Monotonic) -> list[Effect]:
        """Words of a response came."""
        begun = self._unannounced(event.response_id, now)
        return begun + self._alive(self._talk.answers.text(event), now)

    def _alive(self, told: list[Effect], now: Monotonic) -> list[Effect]:
        """The active response goes on: it has a while again until its next event is due."""
        if told and self._talk.answers.accepting is not None:
            told.append(effects.SetTimer(Timer.DELTA, later(now, DELTA_S)))
        return told

    def done(self, event: events.ResponseDone, now: Monotonic) -> list[Effect]:
        """The server has sent all of a response, or will send no more."""
        talk = self._talk
        told = self._unannounced(event.response_id, now)
        if event.status == "failed":
            error = server_error(event.error_code, event.error_message or "the answer failed", {})
            talk.waits.fail(talk.answers.keys(event.response_id), error)
        told += [*talk.answers.done(event), *talk.usage.spent(event)]
        if event.reason == "turn_detected":
            told += talk.session.interrupts()
        if event.error_code in events.FATAL_CODES:
            told.append(effects.FailLink(f"{event.error_code}: {event.error_message}"))
        if talk.answers.active is None:
            told.append(effects.ClearTimer(Timer.DELTA))
        return told + talk.settle(now)

    def drained(self, event: Drained, now: Monotonic) -> list[Effect]:
        """A part was heard to its end."""
        talk = self._talk
        told: list[Effect] = [Publish(ipc.Playback(event.part.item_id, "drained", event.played_ms))]
        told += talk.answers.drained(event)
        if event.part == talk.sounding:
            talk.sounding = None
        return told + talk.settle(now)

    def cut(self, cut: inputs.Cut, latency: CutLatency, now: Monotonic) -> list[Effect]:
        """Playback is silent: say what was heard, to the server, the subscribers and who asked."""
        talk = self._talk
        generating, awaited = talk.answers.accepting, isinstance(talk.state, Awaiting)
        told: list[Effect] = []
        if generating is not None:
            by_itself = cut.cause == "server_vad" and not talk.session.client_managed_turns
            if not by_itself or talk.answers.is_ephemeral(generating):
                told.append(SendEvent(events.CancelResponse(generating)))
            told.append(effects.SetTimer(Timer.DELTA, later(now, CANCELLED_S)))
        told += talk.answers.cut(cut)
        talk.sounding = None
        if cut.heard.parts:
            told.append(Publish(interrupt_event(cut, latency)))
        if cut.cause == "command" and awaited:
            # The answer is on its way: it is cancelled as soon as it has an id.
            talk.questions.interrupt()
            talk.unwanted = talk.questions.asking is None
            talk.state = Listening()
        if cut.ticket is not None:
            cancelled = generating is not None or awaited
            told.append(effects.ReplyTo(cut.ticket, interrupt_reply(cut, cancelled=cancelled)))
        return told + talk.settle(now)

    # ------------------------------------------------------------------- what does not come

    def not_begun(self) -> list[Effect]:
        """No response came in time."""
        talk = self._talk
        asked, talk.unwanted = talk.questions.given_up(), False
        if asked is None and not isinstance(talk.state, Awaiting):
            return []
        if isinstance(talk.state, Awaiting):
            talk.state = talk.at_rest()
        error = late(f"the server began no answer within {RESPONSE_S:.0f} s", about(asked))
        if asked is not None:
            talk.waits.fail([asked.item_id], error)
        return [Publish(error)]

    def stalled(self) -> list[Effect]:
        """The active response says nothing more."""
        talk = self._talk
        keys, request = talk.answers.keys(talk.answers.active), talk.answers.request
        expected, told = talk.answers.give_up()
        if expected or not told:
            return told
        details = {"request": request} if request else {}
        error = late(f"the server's answer stood still for {DELTA_S:.0f} s", details)
        talk.waits.fail(keys, error)
        return [Publish(error), *told]
