"""One session's protocol: client events in, outputs out. No socket, no clock, no process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rtvoiced.dsp.vad import VadModel
from rtvoiced_server.protocol import checks, schema
from rtvoiced_server.protocol.input_buffer import InputBuffer
from rtvoiced_server.protocol.item_events import ItemEvents
from rtvoiced_server.protocol.messages import decoded
from rtvoiced_server.protocol.responses import Responses
from rtvoiced_server.protocol.state import State
from rtvoiced_server.protocol.turns import Turns
from rtvoiced_server.protocol.wire import LONGEST_EVENT_ID, Json, Output, Refused, Send, error, event, new_id
from rtvoiced_server.speech.voices import Utterance

LIFETIME_S = 3_600
IN_TRANSCRIPTION = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.retrieve",
    "conversation.item.delete",
)
"""What a session that only transcribes takes."""


class Session:
    """The state of one connection; every method returns what is to be done, in order."""

    def __init__(
        self,
        model: str,
        clock: Callable[[], datetime],
        lifetime_s: int = LIFETIME_S,
        kind: str = schema.REALTIME,
        judge: VadModel | None = None,
    ) -> None:
        """*kind* is ``realtime``, or ``transcription`` for a session that answers nothing.

        *judge* tells speech from the rest, for this session alone; without one it loads its own.
        """
        expires_at = int(clock().timestamp()) + lifetime_s
        settings = schema.default_session(kind, new_id("sess"), model, expires_at)
        self._state = State(settings, InputBuffer(settings["audio"]["input"]["turn_detection"], judge))
        self._responses = Responses(self._state, clock)
        self._turns = Turns(self._state, self._responses)
        items = ItemEvents(self._state)
        events: dict[str, Callable[[Json], list[Output]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._turns.append,
            "input_audio_buffer.commit": self._turns.commit,
            "input_audio_buffer.clear": self._turns.clear,
            "conversation.item.create": items.create,
            "conversation.item.truncate": items.truncate,
            "conversation.item.delete": items.delete,
            "conversation.item.retrieve": items.retrieve,
            "response.create": self._responses.create,
            "response.cancel": self._responses.cancel,
        }
        known = IN_TRANSCRIPTION if kind == schema.TRANSCRIPTION else events
        self._events = {name: events[name] for name in known}

    def open(self) -> list[Output]:
        """Greet the client."""
        return [Send(event("session.created", session=self._state.settings))]

    def receive(self, message: str | bytes) -> list[Output]:
        """Take one message of the client; whatever is wrong with it is an error event."""
        outputs = self._worked_off()
        told: Json = {}
        try:
            told = decoded(message)
            kind = told.get("type")
            if not isinstance(kind, str):
                raise Refused("invalid_event", "The 'type' field is missing.", "type")
            if kind not in self._events:
                raise checks.bad_value("type", kind, *self._events)
            checks.optional(checks.text(LONGEST_EVENT_ID))(told.get("event_id"), None, "event_id")
            return [*outputs, *self._events[kind](told)]
        except Refused as refused:
            return [*outputs, Send(error(refused, told.get("event_id")))]

    def _worked_off(self) -> list[Output]:
        """Finish what is under way: what a client sends takes effect in its order."""
        outputs: list[Output] = []
        while self._state.work:
            outputs += self.listen()
        return outputs

    @property
    def listening(self) -> bool:
        """Whether `listen` has something to do."""
        return bool(self._state.work) or self._state.input.waiting

    def listen(self) -> list[Output]:
        """Do the next few milliseconds of work: look at 100 ms of the audio that came, as a rule."""
        if not self._state.work:
            return self._turns.listen()
        outputs = next(self._state.work[0], None)
        if outputs is None:
            self._state.work.popleft()
        return outputs or []

    # What the recogniser and the voice report.

    def heard(self, item_id: str, text: str | None) -> list[Output]:
        """Take what the recogniser heard in the audio of a `Hear`; None when it failed."""
        recognition = self._state.recognition
        outputs: list[Output] = [*map(Send, recognition.heard(item_id, text)), *self._state.hear()]
        return outputs if recognition.waits(item_id) else outputs + self._responses.recognised(item_id)

    def begin_sentence(self, response_id: str, spoken: Utterance) -> list[Output]:
        """Stream the words of the next sentence."""
        return self._responses.begin_sentence(response_id, spoken)

    def play(self, response_id: str, pcm: bytes) -> list[Output]:
        """Stream the next audio: PCM at 24 kHz, in chunks of any size."""
        return self._responses.play(response_id, pcm)

    def finish(self, response_id: str) -> list[Output]:
        """Everything is said."""
        return self._responses.finish(response_id)

    def fail(self, response_id: str, message: str) -> list[Output]:
        """It could not be said."""
        return self._responses.fail(response_id, message)

    def _update(self, told: Json) -> list[Output]:
        detection = self._state.turn_detection
        self._state.settings = schema.updated(
            self._state.settings, told.get("session"), voice_locked=self._responses.audio_sent
        )
        self._turns.updated(detection)
        return [Send(event("session.updated", session=self._state.settings))]
