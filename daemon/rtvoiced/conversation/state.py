"""All that is true of the conversation: its phase and its stores; and how it comes to rest. Pure.

The handlers read everything here, and write it by the stores' methods. The
phase has one writer, `enter`, which refuses what `phases.ALLOWED` does not name.
What follows from several stores together stands here as properties: the policy
in force, whether a response is expected, what the server gets of the microphone.

>>> state.enter(Hearing("item_1"))
>>> state.phase
Hearing(item_id='item_1')
"""

from __future__ import annotations

from rtvoiced.audio.events import DeviceChanged, EchoChanged
from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation.effects import ClearTimer, Effect, MicrophoneGate, SetMicrophone, SetTimer
from rtvoiced.conversation.phases import (
    Awaiting,
    Hearing,
    Idle,
    Listening,
    Phase,
    Speaking,
    Thinking,
    check_transition,
)
from rtvoiced.conversation.policy import InterruptionRules, in_force
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.conversation.stores.mute import MuteStore
from rtvoiced.conversation.stores.pending_replies import PendingReplies
from rtvoiced.conversation.stores.push_to_talk import PushToTalkStore
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
        self.session = Session(config, provider, model, rules)
        self.mute = MuteStore()
        self.push_to_talk = PushToTalkStore()
        self.history = HistoryStore()
        self.responses = ResponseStore(self.history, self.session)
        self.requests = ResponseRequests(self.history)
        self.utterances = UtteranceStore(self.history)
        self.usage = UsageStore()
        self.pending_replies = PendingReplies()
        self.echo = EchoChanged("off", "off", vad=False)
        """What becomes of our own voice in the microphone."""
        self._phase: Phase = Idle()
        self._devices: dict[Direction, DeviceStatus] = {"input": "unavailable", "output": "unavailable"}

    # ------------------------------------------------------------------------- the phase

    @property
    def phase(self) -> Phase:
        """Where the conversation stands."""
        return self._phase

    def enter(self, phase: Phase) -> None:
        """Let the conversation stand there from now on: the only writer of the phase.

        Raises `TransitionError` where that can't follow the phase of now: a bug.
        """
        check_transition(self._phase, phase)
        self._phase = phase

    def at_rest(self) -> Phase:
        """Return the phase that the facts make while the user is silent and nothing is awaited."""
        active = self.responses.accepting
        if self.sounding is not None:
            return Speaking(self.sounding.response_id, generating=active is not None)
        if active is not None:
            return Thinking(active)
        return Listening() if self.session.up else Idle()

    def rest(self) -> None:
        """Enter the phase that the facts make."""
        self.enter(self.at_rest())

    # ------------------------------------------------------- what follows from several facts

    def state_event(self) -> ipc.State:
        """Return the whole state in one word each, as subscribers are told it."""
        return ipc.State(
            conversation=self.phase.word,
            muted=self.mute.on,
            push_to_talk=self.push_to_talk.pressed,
            connection=self.session.status,
            input=self._devices["input"],
            output=self._devices["output"],
            voice=self.session.voice,
            provider=self.session.provider,
        )

    def microphone(self) -> Effect:
        """Return what the server gets of the microphone now."""
        if self.push_to_talk.pressed:
            gate = MicrophoneGate.TALK
        elif self.session.up and self.session.detection != "none":
            gate = MicrophoneGate.SILENCE if self.mute.on else MicrophoneGate.OPEN
        else:
            # Without turn detection the server counts no time; unasked audio would only fill its buffer.
            gate = MicrophoneGate.OFF if self.mute.on else MicrophoneGate.CLOSED
        return SetMicrophone(gate, self.session.input_hz)

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
    def sounding(self) -> Part | None:
        """The part last queued, while anything is queued or in the card."""
        return self.responses.sounding

    @property
    def expecting(self) -> bool:
        """A response is to come, wanted or not."""
        awaited = isinstance(self.phase, Awaiting)
        return awaited or self.requests.asking is not None or self.requests.rejects_unasked

    @property
    def responding(self) -> bool:
        """A response is being made, or to come."""
        return self.responses.accepting is not None or self.expecting

    # ------------------------------------------------------------- what has no store of its own

    def on_device_changed(self, changed: DeviceChanged) -> None:
        """Know that a microphone or a speaker came or went."""
        self._devices[changed.direction] = changed.status

    def on_echo_changed(self, echo: EchoChanged) -> None:
        """Know what becomes of our own voice in the microphone."""
        self.echo = echo

    # --------------------------------------------------------------------- coming to rest

    def nothing_expected(self) -> list[Effect]:
        """Stop waiting for a response unless one is still to come."""
        return [] if self.expecting else [ClearTimer(Timer.RESPONSE_CREATED)]

    def settle(self, now: Monotonic) -> list[Effect]:
        """Come to rest, for something of a response ended; and ask for the next one."""
        if isinstance(self.phase, Hearing | Awaiting):
            return []
        self.rest()
        self.requests.readmit()
        return self.ask_next(now)

    def ask_next(self, now: Monotonic) -> list[Effect]:
        """Ask for the response to the request that waits longest, if nothing is in its way."""
        busy = self.expecting or self.responses.active is not None
        if busy or not self.session.up or not self.requests:
            return []
        if not isinstance(self.phase, Listening | Speaking):
            return []
        if self.requests.patient and self.sounding is not None:
            return []
        self.enter(Awaiting())
        return [*self.requests.ask_next(), SetTimer(Timer.RESPONSE_CREATED, later(now, RESPONSE_S))]

    def asked_in_vain(self) -> list[Effect]:
        """Await nothing any more: no response will come of the request that was asked for."""
        self.stop_awaiting()
        return self.nothing_expected()

    def stop_awaiting(self) -> None:
        """Come to rest if a response was awaited."""
        if isinstance(self.phase, Awaiting):
            self.rest()
