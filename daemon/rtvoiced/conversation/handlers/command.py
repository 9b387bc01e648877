"""The commands that concern the conversation: `ask`, `say`, `interrupt`, `mute`, `talk` and others. Pure.

The daemon's shell answers all other commands itself. Each of these is answered
once, by `ReplyTo` or `Refuse` with its ticket: here at once, by `PendingReplies`
when it waits, or by who carries it out (`interrupt`, `set-voice`).
"""

from __future__ import annotations

from typing import assert_never

from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation import inputs
from rtvoiced.conversation.effects import CutPlayback, Effect, Quit, ReconnectLink, Refuse, ReplyTo
from rtvoiced.conversation.handlers.push_to_talk import PushToTalkHandler
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.phases import Hearing
from rtvoiced.conversation.reports import not_connected
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.pending_replies import too_many_wait
from rtvoiced.conversation.stores.request import AskRequest, SayRequest
from rtvoiced.conversation.stores.requests import MOST_WAITING
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

    def on_command(self, asked: inputs.Commanded, now: Monotonic) -> list[Effect]:
        """Carry out a command."""
        state = self._state
        match asked.command:
            case commands.Mute():
                return self._mute(asked, asked.command, now)
            case commands.Interrupt():
                return [CutPlayback("command", asked.ticket, asked.request)]
            case commands.Ask(text, wait):
                return self._request(asked, state.requests.new_ask(asked.request, text), wait, now)
            case commands.Say(text, wait, interruptible):
                request = state.requests.new_say(asked.request, text, protected=not interruptible)
                return self._request(asked, request, wait, now)
            case commands.Talk(action):
                return self._push_to_talk.on_talk(asked, action, now)
            case commands.Reconnect(fresh, wait):
                return self._reconnect(asked, fresh, wait)
            case commands.SetVoice(voice):
                return state.session.configuration.set_voice(asked.ticket, voice, now)
            case commands.Stop():
                return [ReplyTo(asked.ticket, replies.AcceptedReply(True)), *self.shutdown("stop")]
            case _:
                assert_never(asked.command)

    def _request(
        self, asked: inputs.Commanded, request: AskRequest | SayRequest, wait: bool, now: Monotonic
    ) -> list[Effect]:
        """Take up an ask or a say; with *wait* the reply comes when it is over."""
        state = self._state
        if not state.session.up:
            return [not_connected(asked.ticket, state.session.status, state.session.reason)]
        if state.requests.full:
            message = f"{MOST_WAITING} questions wait already"
            return [Refuse(asked.ticket, "busy", message, retryable=True)]
        if wait and state.pending_replies.full:
            return [too_many_wait(asked.ticket)]
        if isinstance(state.phase, Hearing) and isinstance(request, AskRequest):
            # The answer to what the user is saying will answer this too.
            effects, queued = state.requests.absorb(request), 0
        else:
            state.requests.enqueue(request)
            effects = state.ask_next(now)
            queued = len(state.requests)
        if wait:
            return [*effects, *state.pending_replies.add(asked.ticket, request.key, asked.expires)]
        return [*effects, ReplyTo(asked.ticket, replies.QueuedReply(True, queued))]

    def _reconnect(self, asked: inputs.Commanded, fresh: bool, wait: bool) -> list[Effect]:
        state = self._state
        if wait and state.pending_replies.full:
            return [too_many_wait(asked.ticket)]
        if fresh:
            state.history.start_fresh()
        state.session.on_reconnect(asked.request)
        if wait:
            return [*state.pending_replies.add(asked.ticket, None, asked.expires), ReconnectLink()]
        return [ReplyTo(asked.ticket, replies.AcceptedReply(True)), ReconnectLink()]

    def _mute(self, asked: inputs.Commanded, command: commands.Mute, now: Monotonic) -> list[Effect]:
        mute = self._state.mute
        on = not mute.on if command.mode == "toggle" else command.mode == "on"
        until = asked.until if on else None
        changed = (on, until) != (mute.on, mute.until)
        effects = self.mute(on, command.for_s if on else None, until, now)
        return [*effects, ReplyTo(asked.ticket, replies.MuteReply(mute.on, mute.until, changed))]

    def mute(self, on: bool, for_s: float | None, until: WallClock | None, now: Monotonic) -> list[Effect]:
        """Switch the microphone off or on; what it heard and is not over ends."""
        state = self._state
        effects = state.mute.set(on, for_s, until, now)
        if on:
            effects += self._push_to_talk.end("mute", now)
        effects.append(state.microphone())
        if on:
            effects += self._turns.discard("mute")
            effects += state.settle(now)
        return effects

    def shutdown(self, reason: str) -> list[Effect]:
        """End the daemon."""
        state = self._state
        effects: list[Effect] = []
        state.requests.forget()
        if state.sounding is not None:
            effects.append(CutPlayback("shutdown"))
        if isinstance(state.phase, Hearing):
            effects.append(stopped(state.phase.item_id, None, "cancel"))
            state.push_to_talk.on_shutdown()
            state.rest()
        return [*effects, Quit(reason)]
