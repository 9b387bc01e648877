"""What is true of the conversation, beside its state, and how it comes to rest. Pure.

The user's turns (`turns`), the assistant's (`responses`), the session
(`connection`) and the commands (`orders`) all read and change these facts;
`conversation` decides which of them is told of what happens.
"""

from __future__ import annotations

from rtvoice import effects
from rtvoice.answers import Answers
from rtvoice.audio.pcm import Part
from rtvoice.effects import Effect, Gate
from rtvoice.ipc import events as ipc
from rtvoice.memory import Memory
from rtvoice.mute import Mute
from rtvoice.questions import Questions
from rtvoice.realtime.events import SessionConfig
from rtvoice.session import Session
from rtvoice.states import Awaiting, Hearing, Idle, Listening, Speaking, State, Thinking
from rtvoice.usage import Usage
from rtvoice.utterances import Utterances
from rtvoice.waits import Waits

RESPONSE_S = 15.0
"""From the end of speech, or from an `ask`, to ``response.created``."""
DELTA_S = 30.0
"""From one event of a response to the next."""
HEARING_S = 120.0
"""The longest utterance: a VAD that hears longer is stuck."""
CANCELLED_S = 5.0
"""From a cut to ``response.done``; some servers send none after a cancel."""
ASK_AGAIN_S = 1.0
"""How soon an `ask` is tried again that met another response."""

ASK_TIMER = "ask"
RESPONSE_TIMER = "response.created"
DELTA_TIMER = "delta"
HEARING_TIMER = "hearing"


class Talk:
    """The facts of one conversation."""

    def __init__(self, config: SessionConfig, provider: str, model: str) -> None:
        self.state: State = Idle()
        self.session = Session(config, provider, model)
        self.mute = Mute()
        self.memory = Memory()
        self.answers = Answers(self.memory, self.session)
        self.questions = Questions(self.memory)
        self.utterances = Utterances(self.memory)
        self.usage = Usage()
        self.waits = Waits()
        self.devices = {"input": "unavailable", "output": "unavailable"}
        self.sounding: Part | None = None
        """The part last queued, while anything is queued or in the card."""
        self.unwanted = False
        """The response to the last utterance is cancelled as soon as it has an id."""
        self.fresh = False
        """The session to come is told nothing of what was said."""

    def words(self) -> ipc.State:
        """Return the daemon in one word each."""
        return ipc.State(
            conversation=self.state.word,
            muted=self.mute.on,
            push_to_talk=False,
            connection=self.session.status,
            input=self.devices["input"],
            output=self.devices["output"],
            voice=self.session.voice,
            provider=self.session.provider,
        )

    def microphone(self) -> Effect:
        """Return what the server gets of the microphone now."""
        if self.session.up:
            gate = Gate.SILENCE if self.mute.on else Gate.OPEN
        else:
            gate = Gate.OFF if self.mute.on else Gate.CLOSED
        return effects.SetMicrophone(gate, self.session.input_hz)

    @property
    def expecting(self) -> bool:
        """A response is to come, wanted or not."""
        return isinstance(self.state, Awaiting) or self.questions.asking is not None or self.unwanted

    def nothing_expected(self) -> list[Effect]:
        """Stop waiting for a response unless one is still to come."""
        return [] if self.expecting else [effects.ClearTimer(RESPONSE_TIMER)]

    def settle(self, now: float) -> list[Effect]:
        """Something of an answer ended: come to rest, and put the next question."""
        if isinstance(self.state, Hearing | Awaiting):
            return []
        self.state = self.at_rest()
        self.questions.readmit()
        return self.next_question(now)

    def at_rest(self) -> State:
        """Return the state that the facts make while the user is silent."""
        active = self.answers.accepting
        if self.sounding is not None:
            return Speaking(self.sounding.response_id, generating=active is not None)
        if active is not None:
            return Thinking(active)
        return Listening() if self.session.up else Idle()

    def next_question(self, now: float) -> list[Effect]:
        """Ask for the response to the question that waits longest, if nothing is in its way."""
        busy = self.expecting or self.answers.active is not None
        if busy or not self.session.up or not self.questions:
            return []
        if not isinstance(self.state, Listening | Speaking):
            return []
        self.state = Awaiting()
        return [*self.questions.ask(), effects.SetTimer(RESPONSE_TIMER, now + RESPONSE_S)]

    def asked_in_vain(self) -> list[Effect]:
        """No response will come of the question that was asked."""
        if isinstance(self.state, Awaiting):
            self.state = self.at_rest()
        return self.nothing_expected()
