"""What is true of the conversation, beside its state, and how it comes to rest. Pure.

The user's turns (`turns`, `push_to_talk`), the assistant's (`responses`), who
may interrupt whom (`interruption`), the session (`connection`) and the commands
(`orders`) all read and change these facts; `conversation` decides which of
them is told of what happens.
"""

from __future__ import annotations

from rtvoiced.audio.events import EchoChanged
from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation import effects
from rtvoiced.conversation.effects import Effect, MicrophoneGate
from rtvoiced.conversation.phases import Awaiting, Hearing, Idle, Listening, Phase, Speaking, Thinking
from rtvoiced.conversation.policy import InterruptionRules, in_force
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.conversation.stores.mute import MuteStore
from rtvoiced.conversation.stores.pending_replies import PendingReplies
from rtvoiced.conversation.stores.requests import ResponseRequests
from rtvoiced.conversation.stores.responses import ResponseStore
from rtvoiced.conversation.stores.session import Session
from rtvoiced.conversation.stores.usage import UsageStore
from rtvoiced.conversation.stores.utterances import UtteranceStore
from rtvoiced.conversation.timers import RESPONSE_S, Timer
from rtvoiced.dsp.pcm import Part
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime.events import SessionConfig
from rtvoiced.vocabulary import DeviceStatus, Direction, Policy


class ConversationState:
    """The facts of one conversation."""

    def __init__(self, config: SessionConfig, provider: str, model: str, rules: InterruptionRules) -> None:
        self.phase: Phase = Idle()
        self.session = Session(config, provider, model, rules)
        self.mute = MuteStore()
        self.history = HistoryStore()
        self.responses = ResponseStore(self.history, self.session)
        self.requests = ResponseRequests(self.history)
        self.utterances = UtteranceStore(self.history)
        self.usage = UsageStore()
        self.pending_replies = PendingReplies()
        self.devices: dict[Direction, DeviceStatus] = {"input": "unavailable", "output": "unavailable"}
        self.sounding: Part | None = None
        """The part last queued, while anything is queued or in the card."""
        self.unwanted = False
        """The response to the last utterance is cancelled as soon as it has an id."""
        self.fresh = False
        """The session to come is told nothing of what was said."""
        self.echo = EchoChanged("off", "off", vad=False)
        """What becomes of our own voice in the microphone."""
        self.pressed_at: float | None = None
        """Since when push-to-talk is pressed, CLOCK_MONOTONIC seconds."""
        self.press_ended: str | None = None
        """Why the last press ended before its release."""
        self.commits_due = 0
        """Utterances of push-to-talk that the server has not acknowledged."""

    def state_event(self) -> ipc.State:
        """Return the daemon in one word each."""
        return ipc.State(
            conversation=self.phase.word,
            muted=self.mute.on,
            push_to_talk=self.pressed_at is not None,
            connection=self.session.status,
            input=self.devices["input"],
            output=self.devices["output"],
            voice=self.session.voice,
            provider=self.session.provider,
        )

    def microphone(self) -> Effect:
        """Return what the server gets of the microphone now."""
        if self.pressed_at is not None:
            gate = MicrophoneGate.TALK
        elif self.session.up and self.session.detection != "none":
            gate = MicrophoneGate.SILENCE if self.mute.on else MicrophoneGate.OPEN
        else:
            # Without turn detection the server counts no time; unasked audio would only fill its buffer.
            gate = MicrophoneGate.OFF if self.mute.on else MicrophoneGate.CLOSED
        return effects.SetMicrophone(gate, self.session.input_hz)

    @property
    def policy(self) -> Policy:
        """The interruption policy in force."""
        return in_force(
            self.session.rules.policy,
            detection=self.session.detection,
            client_managed_turns=self.session.client_managed_turns,
            cancels=self.echo.state in ("on", "converging") or self.echo.mode == "system",
            vad=self.echo.vad,
        )

    @property
    def yields(self) -> bool:
        """Whoever begins to speak gets the floor."""
        return self.policy != "manual" and not self.responses.protected

    @property
    def expecting(self) -> bool:
        """A response is to come, wanted or not."""
        return isinstance(self.phase, Awaiting) or self.requests.asking is not None or self.unwanted

    @property
    def answering(self) -> bool:
        """An answer is being made, or to come."""
        return self.responses.accepting is not None or self.expecting

    def nothing_expected(self) -> list[Effect]:
        """Stop waiting for a response unless one is still to come."""
        return [] if self.expecting else [effects.ClearTimer(Timer.RESPONSE_CREATED)]

    def settle(self, now: Monotonic) -> list[Effect]:
        """Something of an answer ended: come to rest, and put the next question."""
        if isinstance(self.phase, Hearing | Awaiting):
            return []
        self.phase = self.at_rest()
        self.requests.readmit()
        return self.next_question(now)

    def at_rest(self) -> Phase:
        """Return the state that the facts make while the user is silent."""
        active = self.responses.accepting
        if self.sounding is not None:
            return Speaking(self.sounding.response_id, generating=active is not None)
        if active is not None:
            return Thinking(active)
        return Listening() if self.session.up else Idle()

    def next_question(self, now: Monotonic) -> list[Effect]:
        """Ask for the response to the question that waits longest, if nothing is in its way."""
        busy = self.expecting or self.responses.active is not None
        if busy or not self.session.up or not self.requests:
            return []
        if not isinstance(self.phase, Listening | Speaking):
            return []
        if self.requests.patient and self.sounding is not None:
            return []
        self.phase = Awaiting()
        return [*self.requests.ask(), effects.SetTimer(Timer.RESPONSE_CREATED, later(now, RESPONSE_S))]

    def asked_in_vain(self) -> list[Effect]:
        """No response will come of the question that was asked."""
        if isinstance(self.phase, Awaiting):
            self.phase = self.at_rest()
        return self.nothing_expected()
