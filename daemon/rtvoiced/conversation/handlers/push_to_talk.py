"""Push-to-talk: the user's turn by hand. Pure.

While the key is pressed the server's turn detection is off; a release commits
what was said and asks for an answer to it. What else ends a press (mute, a lost
link, a press of two minutes, the command ``cancel``) sends nothing, and says
why to whoever releases the key later.
"""

from __future__ import annotations

from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation import inputs
from rtvoiced.conversation.effects import (
    ClearTimer,
    CutPlayback,
    Effect,
    Publish,
    Refuse,
    ReplyTo,
    SendEvent,
    SetTimer,
)
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.phases import Awaiting, Hearing
from rtvoiced.conversation.reports import late, not_connected
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.utterances import stopped
from rtvoiced.conversation.timers import HEARING_S, Timer
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract import replies
from rtvoiced.realtime import events
from rtvoiced.vocabulary import SpeechEnd, TalkAction

SHORTEST_S = 0.1
"""A shorter press is a slip of the finger; and the protocol takes no turn under 100 ms."""


class PushToTalkHandler:
    """Presses and releases, and what else ends a press."""

    def __init__(self, state: ConversationState, turns: UserTurnHandler) -> None:
        self._state = state
        self._turns = turns

    def on_talk(self, asked: inputs.Commanded, action: TalkAction, now: Monotonic) -> list[Effect]:
        """Carry out the command `talk`."""
        match action:
            case "press":
                return self._press(asked, now)
            case "release":
                return self._release(asked, now)
            case _:
                held_ms = self._state.push_to_talk.held_ms(now)
                effects = self.end("cancel", now)
                return [*effects, _reply(asked, pressed=False, changed=bool(effects), held_ms=held_ms)]

    def _press(self, asked: inputs.Commanded, now: Monotonic) -> list[Effect]:
        state = self._state
        if state.push_to_talk.pressed:
            # A key that repeats itself.
            return [_reply(asked, pressed=True, changed=False, held_ms=state.push_to_talk.held_ms(now))]
        if not state.session.up:
            return [not_connected(asked.ticket, state.session.status, state.session.reason)]
        if state.mute.on:
            message = "the microphone is muted: unmute it first (rtctl unmute)"
            return [Refuse(asked.ticket, "not_allowed", message)]
        begun = isinstance(state.phase, Awaiting) and state.requests.asking is None
        if begun and not state.session.client_managed_turns:
            # Of what the server makes by itself of the turn before, nothing is wanted any more.
            state.requests.reject_unasked()
        cleared = self._turns.discard("cancel") or [SendEvent(events.ClearAudio())]
        state.enter(Hearing(None))
        state.push_to_talk.press(now)
        state.requests.overtake()
        return [
            CutPlayback("push_to_talk", request=asked.request),
            *cleared,
            *state.session.configuration.push_to_talk(True, now),
            state.microphone(),
            SetTimer(Timer.HEARING, later(now, HEARING_S)),
            Publish(ipc.SpeechStarted(None, None, "push_to_talk")),
            _reply(asked, pressed=True, changed=True, held_ms=0),
        ]

    def _release(self, asked: inputs.Commanded, now: Monotonic) -> list[Effect]:
        state, key = self._state, self._state.push_to_talk
        if not key.pressed:
            why = f": the press was ended before ({key.ended})" if key.ended else ""
            return [Refuse(asked.ticket, "not_allowed", f"push-to-talk is not pressed{why}")]
        held_ms = key.held_ms(now)
        if key.held_s(now) < SHORTEST_S:
            message = f"pressed for {held_ms} ms only, and 100 ms are the least: nothing was sent"
            refusal = Refuse(asked.ticket, "bad_args", message, details={"arg": "action"})
            return [*self.end("cancel", now), refusal]
        key.release()
        state.rest()
        return [
            ClearTimer(Timer.HEARING),
            SendEvent(events.CommitAudio()),
            stopped(None, None, "release"),
            *self._turns.request_answer(now),
            *state.session.configuration.push_to_talk(False, now),
            state.microphone(),
            _reply(asked, pressed=False, changed=True, held_ms=held_ms),
        ]

    def end(self, reason: SpeechEnd, now: Monotonic) -> list[Effect]:
        """End a press with nothing sent; without one nothing happens."""
        state = self._state
        if not state.push_to_talk.pressed:
            return []
        state.push_to_talk.end(reason)
        state.rest()
        effects: list[Effect] = [ClearTimer(Timer.HEARING), stopped(None, None, reason)]
        if not state.session.up:
            return effects
        return [
            *effects,
            SendEvent(events.ClearAudio()),
            *state.session.configuration.push_to_talk(False, now),
            state.microphone(),
            *state.settle(now),
        ]

    def on_pressed_too_long(self, now: Monotonic) -> list[Effect]:
        """Nobody holds a key for so long."""
        effects = self.end("timeout", now)
        if not effects:
            return []
        return [Publish(late(f"push-to-talk was pressed for {HEARING_S:.0f} s")), *effects]

    def on_commit_empty(self, now: Monotonic) -> list[Effect]:
        """The server has got too little audio to make a turn of it."""
        state = self._state
        if not state.push_to_talk.commit_acknowledged():
            return []
        state.requests.withdraw_turn()
        message = "the server got less than 100 ms of audio: nothing was asked"
        return [Publish(ipc.Error("audio_unavailable", message, retryable=True)), *state.settle(now)]

    def on_switch_refused(self, error: events.ServerError, now: Monotonic) -> list[Effect]:
        """The server does not let its turn detection be switched."""
        message = f"push-to-talk: the server does not switch turn detection off and on: {error.message}"
        failed = Publish(ipc.Error("not_allowed", message, details={"server_code": error.code}))
        ended = self.end("cancel", now)
        return [failed, *ended] if ended else self._state.session.configuration.send_next(now)


def _reply(asked: inputs.Commanded, *, pressed: bool, changed: bool, held_ms: int) -> Effect:
    return ReplyTo(asked.ticket, replies.TalkReply(pressed, changed, held_ms))
