"""Push-to-talk: the user's turn by hand. Pure.

While it is pressed the server's turn detection is off; releasing commits what
was said and asks for an answer.
"""

from __future__ import annotations

from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.phases import Awaiting, Hearing
from rtvoiced.conversation.reports import late, not_connected
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.utterances import stopped
from rtvoiced.conversation.timers import HEARING_S, Timer
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract import replies
from rtvoiced.realtime import events
from rtvoiced.vocabulary import SpeechEnd

SHORTEST_S = 0.1
"""A shorter press is a slip of the finger; and the protocol takes no turn under 100 ms."""


class PushToTalkHandler:
    """Presses and releases; what else ends a press says why, for who releases it later."""

    def __init__(self, state: ConversationState, turns: UserTurnHandler) -> None:
        self._state = state
        self._turns = turns

    def asked(self, asked: inputs.Commanded, action: str, now: Monotonic) -> list[Effect]:
        """Carry out the command `talk`."""
        match action:
            case "press":
                return self._press(asked, now)
            case "release":
                return self._release(asked, now)
            case _:
                held_ms = self._held_ms(now)
                told = self.end("cancel", now)
                return [*told, _reply(asked, pressed=False, changed=bool(told), held_ms=held_ms)]

    def _press(self, asked: inputs.Commanded, now: Monotonic) -> list[Effect]:
        state = self._state
        if state.pressed_at is not None:
            # A key that repeats itself.
            return [_reply(asked, pressed=True, changed=False, held_ms=self._held_ms(now))]
        if not state.session.up:
            return [not_connected(asked.ticket, state.session.status, state.session.reason)]
        if state.mute.on:
            message = "the microphone is muted: unmute it first (rtctl unmute)"
            return [effects.Refuse(asked.ticket, "not_allowed", message)]
        # Of what the server makes by itself of the turn before, nothing is wanted any more.
        begun = isinstance(state.phase, Awaiting) and state.requests.asking is None
        state.unwanted = state.unwanted or (begun and not state.session.client_managed_turns)
        cleared = self._turns.discard("cancel") or [SendEvent(events.ClearAudio())]
        state.phase, state.pressed_at, state.press_ended = Hearing(None), now, None
        state.requests.overtake()
        return [
            effects.CutPlayback("push_to_talk", request=asked.request),
            *cleared,
            *state.session.push_to_talk(True, now),
            state.microphone(),
            effects.SetTimer(Timer.HEARING, later(now, HEARING_S)),
            Publish(ipc.SpeechStarted(None, None, "push_to_talk")),
            _reply(asked, pressed=True, changed=True, held_ms=0),
        ]

    def _release(self, asked: inputs.Commanded, now: Monotonic) -> list[Effect]:
        state = self._state
        if state.pressed_at is None:
            why = f": the press was ended before ({state.press_ended})" if state.press_ended else ""
            message = f"push-to-talk is not pressed{why}"
            return [effects.Refuse(asked.ticket, "not_allowed", message)]
        held_ms = self._held_ms(now)
        if now - state.pressed_at < SHORTEST_S:
            message = f"pressed for {held_ms} ms only, and 100 ms are the least: nothing was sent"
            refusal = effects.Refuse(asked.ticket, "bad_args", message, details={"arg": "action"})
            return [*self.end("cancel", now), refusal]
        state.pressed_at, state.phase = None, state.at_rest()
        state.commits_due += 1
        return [
            effects.ClearTimer(Timer.HEARING),
            SendEvent(events.CommitAudio()),
            stopped(None, None, "release"),
            *self._turns.ask(now),
            *state.session.push_to_talk(False, now),
            state.microphone(),
            _reply(asked, pressed=False, changed=True, held_ms=held_ms),
        ]

    def end(self, reason: SpeechEnd, now: Monotonic) -> list[Effect]:
        """End a press with nothing sent; without one nothing happens."""
        state = self._state
        if state.pressed_at is None:
            return []
        state.pressed_at, state.press_ended, state.phase = None, reason, state.at_rest()
        told: list[Effect] = [effects.ClearTimer(Timer.HEARING), stopped(None, None, reason)]
        if not state.session.up:
            return told
        back = [SendEvent(events.ClearAudio()), *state.session.push_to_talk(False, now), state.microphone()]
        return [*told, *back, *state.settle(now)]

    def too_long(self, now: Monotonic) -> list[Effect]:
        """Nobody holds a key for so long."""
        told = self.end("timeout", now)
        return [Publish(late(f"push-to-talk was pressed for {HEARING_S:.0f} s")), *told] if told else []

    def too_little(self, now: Monotonic) -> list[Effect]:
        """The server has got too little audio to make a turn of it."""
        state = self._state
        if not state.commits_due:
            return []
        state.commits_due -= 1
        state.requests.withdraw_turn()
        message = "the server got less than 100 ms of audio: nothing was asked"
        return [Publish(ipc.Error("audio_unavailable", message, retryable=True)), *state.settle(now)]

    def impossible(self, error: events.ServerError, now: Monotonic) -> list[Effect]:
        """The server does not let its turn detection be switched."""
        message = f"push-to-talk: the server does not switch turn detection off and on: {error.message}"
        failed = Publish(ipc.Error("not_allowed", message, details={"server_code": error.code}))
        ended = self.end("cancel", now)
        return [failed, *ended] if ended else self._state.session.go_on(now)

    def _held_ms(self, now: Monotonic) -> int:
        pressed_at = self._state.pressed_at
        return round(1000 * (now - pressed_at)) if pressed_at is not None else 0


def _reply(asked: inputs.Commanded, *, pressed: bool, changed: bool, held_ms: int) -> Effect:
    return effects.ReplyTo(asked.ticket, replies.TalkReply(pressed, changed, held_ms))
