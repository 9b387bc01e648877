"""Push-to-talk: the user's turn by hand. Pure.

While it is pressed the server's turn detection is off; releasing commits what
was said and asks for an answer.
"""

from __future__ import annotations

from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.phases import Awaiting, Hearing
from rtvoiced.conversation.reports import late, not_connected
from rtvoiced.conversation.state import HEARING_S, HEARING_TIMER, ConversationState
from rtvoiced.conversation.stores.utterances import stopped
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract import replies
from rtvoiced.realtime import events
from rtvoiced.vocabulary import SpeechEnd

SHORTEST_S = 0.1
"""A shorter press is a slip of the finger; and the protocol takes no turn under 100 ms."""


class PushToTalkHandler:
    """Presses and releases; what else ends a press says why, for who releases it later."""

    def __init__(self, talk: ConversationState, turns: UserTurnHandler) -> None:
        self._talk = talk
        self._turns = turns

    def asked(self, asked: inputs.Commanded, action: str, now: float) -> list[Effect]:
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

    def _press(self, asked: inputs.Commanded, now: float) -> list[Effect]:
        talk = self._talk
        if talk.pressed_at is not None:
            # A key that repeats itself.
            return [_reply(asked, pressed=True, changed=False, held_ms=self._held_ms(now))]
        if not talk.session.up:
            return [not_connected(asked.ticket, talk.session.status, talk.session.reason)]
        if talk.mute.on:
            message = "the microphone is muted: unmute it first (rtctl unmute)"
            return [effects.Refuse(asked.ticket, "not_allowed", message)]
        # Of what the server makes by itself of the turn before, nothing is wanted any more.
        begun = isinstance(talk.state, Awaiting) and talk.questions.asking is None
        talk.unwanted = talk.unwanted or (begun and not talk.session.client_managed_turns)
        cleared = self._turns.discard("cancel") or [SendEvent(events.ClearAudio())]
        talk.state, talk.pressed_at, talk.press_ended = Hearing(None), now, None
        talk.questions.overtake()
        return [
            effects.CutPlayback("push_to_talk", request=asked.request),
            *cleared,
            *talk.session.talk(True, now),
            talk.microphone(),
            effects.SetTimer(HEARING_TIMER, now + HEARING_S),
            Publish(ipc.SpeechStarted(None, None, "push_to_talk")),
            _reply(asked, pressed=True, changed=True, held_ms=0),
        ]

    def _release(self, asked: inputs.Commanded, now: float) -> list[Effect]:
        talk = self._talk
        if talk.pressed_at is None:
            why = f": the press was ended before ({talk.press_ended})" if talk.press_ended else ""
            message = f"push-to-talk is not pressed{why}"
            return [effects.Refuse(asked.ticket, "not_allowed", message)]
        held_ms = self._held_ms(now)
        if now - talk.pressed_at < SHORTEST_S:
            message = f"pressed for {held_ms} ms only, and 100 ms are the least: nothing was sent"
            refusal = effects.Refuse(asked.ticket, "bad_args", message, details={"arg": "action"})
            return [*self.end("cancel", now), refusal]
        talk.pressed_at, talk.state = None, talk.at_rest()
        talk.commits_due += 1
        return [
            effects.ClearTimer(HEARING_TIMER),
            SendEvent(events.CommitAudio()),
            stopped(None, None, "release"),
            *self._turns.ask(now),
            *talk.session.talk(False, now),
            talk.microphone(),
            _reply(asked, pressed=False, changed=True, held_ms=held_ms),
        ]

    def end(self, reason: SpeechEnd, now: float) -> list[Effect]:
        """End a press with nothing sent; without one nothing happens."""
        talk = self._talk
        if talk.pressed_at is None:
            return []
        talk.pressed_at, talk.press_ended, talk.state = None, reason, talk.at_rest()
        told: list[Effect] = [effects.ClearTimer(HEARING_TIMER), stopped(None, None, reason)]
        if not talk.session.up:
            return told
        back = [SendEvent(events.ClearAudio()), *talk.session.talk(False, now), talk.microphone()]
        return [*told, *back, *talk.settle(now)]

    def too_long(self, now: float) -> list[Effect]:
        """Nobody holds a key for so long."""
        told = self.end("timeout", now)
        return [Publish(late(f"push-to-talk was pressed for {HEARING_S:.0f} s")), *told] if told else []

    def too_little(self, now: float) -> list[Effect]:
        """The server has got too little audio to make a turn of it."""
        talk = self._talk
        if not talk.commits_due:
            return []
        talk.commits_due -= 1
        talk.questions.withdraw_turn()
        message = "the server got less than 100 ms of audio: nothing was asked"
        return [Publish(ipc.Error("audio_unavailable", message, retryable=True)), *talk.settle(now)]

    def impossible(self, error: events.ServerError, now: float) -> list[Effect]:
        """The server does not let its turn detection be switched."""
        message = f"push-to-talk: the server does not switch turn detection off and on: {error.message}"
        failed = Publish(ipc.Error("not_allowed", message, details={"server_code": error.code}))
        ended = self.end("cancel", now)
        return [failed, *ended] if ended else self._talk.session.go_on(now)

    def _held_ms(self, now: float) -> int:
        pressed_at = self._talk.pressed_at
        return round(1000 * (now - pressed_at)) if pressed_at is not None else 0


def _reply(asked: inputs.Commanded, *, pressed: bool, changed: bool, held_ms: int) -> Effect:
    return effects.ReplyTo(asked.ticket, replies.TalkReply(pressed, changed, held_ms))
