"""The commands that concern the conversation. Pure."""

from __future__ import annotations

from typing import assert_never

from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect
from rtvoiced.conversation.handlers.push_to_talk import PushToTalkHandler
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.phases import Hearing, Listening
from rtvoiced.conversation.reports import not_connected
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.pending_replies import too_many_wait
from rtvoiced.conversation.stores.requests import MOST_WAITING, ResponseRequest
from rtvoiced.conversation.stores.utterances import stopped
from rtvoiced.ipc.contract import commands, replies


class CommandHandler:
    """What a client asks for, and what it is answered."""

    def __init__(
        self, state: ConversationState, turns: UserTurnHandler, push_to_talk: PushToTalkHandler
    ) -> None:
        self._state = state
        self._turns = turns
        self._push_to_talk = push_to_talk

    def commanded(self, asked: inputs.Commanded, now: Monotonic) -> list[Effect]:
        """Carry out a command."""
        state = self._state
        match asked.command:
            case commands.Mute(mode, for_s):
                on = not state.mute.on if mode == "toggle" else mode == "on"
                until = asked.until if on else None
                changed = (on, until) != (state.mute.on, state.mute.until)
                told = self.mute(on, for_s if on else None, until, now)
                reply = replies.MuteReply(state.mute.on, state.mute.until, changed)
                return [*told, effects.ReplyTo(asked.ticket, reply)]
            case commands.Interrupt():
                return [effects.CutPlayback("command", asked.ticket, asked.request)]
            case commands.Ask(text, wait):
                return self._ask(asked, state.requests.new(asked.request, text), wait, now)
            case commands.Say(text, wait, interruptible):
                question = state.requests.new_say(asked.request, text, protected=not interruptible)
                return self._ask(asked, question, wait, now)
            case commands.Talk(action):
                return self._push_to_talk.asked(asked, action, now)
            case commands.Reconnect(fresh, wait):
                return self._reconnect(asked, fresh, wait)
            case commands.SetVoice(voice):
                return state.session.set_voice(asked.ticket, voice, now)
            case commands.Stop():
                return [effects.ReplyTo(asked.ticket, replies.AcceptedReply(True)), *self.shutdown("stop")]
            case _:
                assert_never(asked.command)

    def _ask(
        self, asked: inputs.Commanded, question: ResponseRequest, wait: bool, now: Monotonic
    ) -> list[Effect]:
        state = self._state
        if not state.session.up:
            return [not_connected(asked.ticket, state.session.status, state.session.reason)]
        if state.requests.full:
            message = f"{MOST_WAITING} questions wait already"
            return [effects.Refuse(asked.ticket, "busy", message, retryable=True)]
        if wait and state.pending_replies.full:
            return [too_many_wait(asked.ticket)]
        if isinstance(state.phase, Hearing) and not question.say:
            # The answer to what the user is saying will answer this too.
            told, queued = state.requests.absorb(question), 0
        else:
            state.requests.append(question)
            told = state.next_question(now)
            queued = len(state.requests)
        if wait:
            return [*told, *state.pending_replies.add(asked.ticket, question.item_id, asked.expires)]
        return [*told, effects.ReplyTo(asked.ticket, replies.QueuedReply(True, queued))]

    def _reconnect(self, asked: inputs.Commanded, fresh: bool, wait: bool) -> list[Effect]:
        state = self._state
        if wait and state.pending_replies.full:
            return [too_many_wait(asked.ticket)]
        if fresh:
            state.fresh = True
            state.history.forget()
        state.session.request = asked.request
        if wait:
            return [*state.pending_replies.add(asked.ticket, None, asked.expires), effects.ReconnectLink()]
        return [effects.ReplyTo(asked.ticket, replies.AcceptedReply(True)), effects.ReconnectLink()]

    def mute(self, on: bool, for_s: float | None, until: WallClock | None, now: Monotonic) -> list[Effect]:
        """Switch the microphone off or on."""
        state = self._state
        told = state.mute.set(on, for_s, until, now)
        if on:
            told += self._push_to_talk.end("mute", now)
        told.append(state.microphone())
        if on:
            told += self._turns.discard("mute")
            told += state.settle(now)
        return told

    def shutdown(self, reason: str) -> list[Effect]:
        """End the daemon."""
        state = self._state
        told: list[Effect] = []
        state.requests.forget()
        if state.sounding is not None:
            told.append(effects.CutPlayback("shutdown"))
        if isinstance(state.phase, Hearing):
            told.append(stopped(state.phase.item_id, None, "cancel"))
            state.phase, state.pressed_at = Listening(), None
        return [*told, effects.Quit(reason)]
