"""The commands that concern the conversation. Pure."""

from __future__ import annotations

from typing import assert_never

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
        self, talk: ConversationState, turns: UserTurnHandler, push_to_talk: PushToTalkHandler
    ) -> None:
        self._talk = talk
        self._turns = turns
        self._push_to_talk = push_to_talk

    def commanded(self, asked: inputs.Commanded, now: float) -> list[Effect]:
        """Carry out a command."""
        talk = self._talk
        match asked.command:
            case commands.Mute(mode, for_s):
                on = not talk.mute.on if mode == "toggle" else mode == "on"
                until = asked.until if on else None
                changed = (on, until) != (talk.mute.on, talk.mute.until)
                told = self.mute(on, for_s if on else None, until, now)
                reply = replies.MuteReply(talk.mute.on, talk.mute.until, changed)
                return [*told, effects.ReplyTo(asked.ticket, reply)]
            case commands.Interrupt():
                return [effects.CutPlayback("command", asked.ticket, asked.request)]
            case commands.Ask(text, wait):
                return self._ask(asked, talk.questions.new(asked.request, text), wait, now)
            case commands.Say(text, wait, interruptible):
                question = talk.questions.new_say(asked.request, text, protected=not interruptible)
                return self._ask(asked, question, wait, now)
            case commands.Talk(action):
                return self._push_to_talk.asked(asked, action, now)
            case commands.Reconnect(fresh, wait):
                return self._reconnect(asked, fresh, wait)
            case commands.SetVoice(voice):
                return talk.session.set_voice(asked.ticket, voice, now)
            case commands.Stop():
                return [effects.ReplyTo(asked.ticket, replies.AcceptedReply(True)), *self.shutdown("stop")]
            case _:
                assert_never(asked.command)

    def _ask(
        self, asked: inputs.Commanded, question: ResponseRequest, wait: bool, now: float
    ) -> list[Effect]:
        talk = self._talk
        if not talk.session.up:
            return [not_connected(asked.ticket, talk.session.status, talk.session.reason)]
        if talk.questions.full:
            message = f"{MOST_WAITING} questions wait already"
            return [effects.Refuse(asked.ticket, "busy", message, retryable=True)]
        if wait and talk.waits.full:
            return [too_many_wait(asked.ticket)]
        if isinstance(talk.state, Hearing) and not question.say:
            # The answer to what the user is saying will answer this too.
            told, queued = talk.questions.absorb(question), 0
        else:
            talk.questions.append(question)
            told = talk.next_question(now)
            queued = len(talk.questions)
        if wait:
            return [*told, *talk.waits.add(asked.ticket, question.item_id, asked.expires)]
        return [*told, effects.ReplyTo(asked.ticket, replies.QueuedReply(True, queued))]

    def _reconnect(self, asked: inputs.Commanded, fresh: bool, wait: bool) -> list[Effect]:
        talk = self._talk
        if wait and talk.waits.full:
            return [too_many_wait(asked.ticket)]
        if fresh:
            talk.fresh = True
            talk.memory.forget()
        talk.session.request = asked.request
        if wait:
            return [*talk.waits.add(asked.ticket, None, asked.expires), effects.ReconnectLink()]
        return [effects.ReplyTo(asked.ticket, replies.AcceptedReply(True)), effects.ReconnectLink()]

    def mute(self, on: bool, for_s: float | None, until: float | None, now: float) -> list[Effect]:
        """Switch the microphone off or on."""
        talk = self._talk
        told = talk.mute.set(on, for_s, until, now)
        if on:
            told += self._push_to_talk.end("mute", now)
        told.append(talk.microphone())
        if on:
            told += self._turns.discard("mute")
            told += talk.settle(now)
        return told

    def shutdown(self, reason: str) -> list[Effect]:
        """End the daemon."""
        talk = self._talk
        told: list[Effect] = []
        talk.questions.forget()
        if talk.sounding is not None:
            told.append(effects.CutPlayback("shutdown"))
        if isinstance(talk.state, Hearing):
            told.append(stopped(talk.state.item_id, None, "cancel"))
            talk.state, talk.pressed_at = Listening(), None
        return [*told, effects.Quit(reason)]
