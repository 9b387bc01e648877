"""One session's protocol: client events in, outputs out. No socket, no clock, no process.

`rtvoiced_server.net.connection` hands every message of the client to `receive`,
carries out the outputs (`rtvoiced_server.protocol.outputs`) that come back, in
order, and reports what the recogniser and the voice did to the ``on_…`` methods.
What would take long is done in slices: while `has_work` is true, `work` does the
next few milliseconds. A client event goes to the handler of its name; whatever is
wrong with it becomes an error event and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtvoiced_server.answers.local_time import LocalTime
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import checks, session_schema
from rtvoiced_server.protocol.audio_port import AudioProcessing
from rtvoiced_server.protocol.ids import new_id
from rtvoiced_server.protocol.input_audio_handler import InputAudioHandler
from rtvoiced_server.protocol.input_buffer import InputBuffer
from rtvoiced_server.protocol.item_handler import ItemHandler
from rtvoiced_server.protocol.outputs import SendToClient, SessionOutput
from rtvoiced_server.protocol.response_handler import SessionResponses
from rtvoiced_server.protocol.session_state import SessionState
from rtvoiced_server.protocol.wire import LONGEST_EVENT_ID, Refused, decoded_event, error_event, event
from rtvoiced_server.protocol.word_end import WordEnd
from rtvoiced_server.vocabulary import SessionKind

LIFETIME_S = 3_600
IN_TRANSCRIPTION = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.retrieve",
    "conversation.item.delete",
)
"""The client events of a session that only transcribes."""


class ServerSession:
    """The session of one connection; every method returns what is to be done, in order."""

    def __init__(
        self,
        model: str,
        clock: Callable[[], LocalTime],
        audio: AudioProcessing,
        lifetime_s: int = LIFETIME_S,
        kind: SessionKind = SessionKind.REALTIME,
    ) -> None:
        """*audio* is this session's alone; a session of kind ``transcription`` answers nothing."""
        expires_at = int(clock().timestamp()) + lifetime_s
        settings = session_schema.default_session(kind, new_id("sess"), model, expires_at)
        buffer = InputBuffer(settings["audio"]["input"]["turn_detection"], audio.detector)
        self._state = SessionState(settings, audio, buffer)
        self._responses = SessionResponses(self._state, clock)
        self._input_audio = InputAudioHandler(self._state, self._responses)
        items = ItemHandler(self._state)
        handlers: dict[str, Callable[[Json], list[SessionOutput]]] = {
            "session.update": self.on_session_update,
            "input_audio_buffer.append": self._input_audio.on_input_audio_buffer_append,
            "input_audio_buffer.commit": self._input_audio.on_input_audio_buffer_commit,
            "input_audio_buffer.clear": self._input_audio.on_input_audio_buffer_clear,
            "conversation.item.create": items.on_conversation_item_create,
            "conversation.item.truncate": items.on_conversation_item_truncate,
            "conversation.item.delete": items.on_conversation_item_delete,
            "conversation.item.retrieve": items.on_conversation_item_retrieve,
            "response.create": self._responses.on_response_create,
            "response.cancel": self._responses.on_response_cancel,
        }
        known = IN_TRANSCRIPTION if kind == SessionKind.TRANSCRIPTION else handlers
        self._handlers = {name: handlers[name] for name in known}

    def open(self) -> list[SessionOutput]:
        """Greet the client."""
        return [SendToClient(event("session.created", session=self._state.settings))]

    def receive(self, message: str | bytes) -> list[SessionOutput]:
        """Take one message of the client."""
        outputs = self._worked_off()
        request: Json = {}
        try:
            request = decoded_event(message)
            kind = request.get("type")
            if not isinstance(kind, str):
                raise Refused("invalid_event", "The 'type' field is missing.", "type")
            if kind not in self._handlers:
                raise checks.bad_value("type", kind, *self._handlers)
            checks.optional(checks.text(LONGEST_EVENT_ID))(request.get("event_id"), None, "event_id")
            return [*outputs, *self._handlers[kind](request)]
        except Refused as refused:
            return [*outputs, SendToClient(error_event(refused, request.get("event_id")))]

    def on_session_update(self, request: Json) -> list[SessionOutput]:
        """Change the session's settings, all that the client names or none of it."""
        detection = self._state.turn_detection
        self._state.settings = session_schema.updated(
            self._state.settings, request.get("session"), voice_locked=self._responses.audio_sent
        )
        self._input_audio.on_session_updated(detection)
        return [SendToClient(event("session.updated", session=self._state.settings))]

    # Work in slices.

    @property
    def has_work(self) -> bool:
        """Whether `work` has something to do."""
        return bool(self._state.work) or self._state.input.waiting

    def work(self) -> list[SessionOutput]:
        """Do the next few milliseconds of work: as a rule, look at 100 ms of the audio that came."""
        if not self._state.work:
            return self._input_audio.listen()
        outputs = next(self._state.work[0], None)
        if outputs is None:
            self._state.work.popleft()
        return outputs or []

    def _worked_off(self) -> list[SessionOutput]:
        """Finish what is under way: what a client sends takes effect in its order."""
        outputs: list[SessionOutput] = []
        while self._state.work:
            outputs += self.work()
        return outputs

    # What the recogniser and the voice report.

    def on_recognised(self, key: str, text: str | None) -> list[SessionOutput]:
        """Take the words of a `RecogniseAudio`; None when the recogniser failed."""
        recognition = self._state.recognition
        outputs: list[SessionOutput] = [*map(SendToClient, recognition.on_recognised(key, text))]
        outputs += self._state.recognitions()
        return outputs if recognition.waits(key) else outputs + self._responses.on_recognised(key)

    def on_sentence(self, response_id: str, words: str, word_ends: Sequence[WordEnd]) -> list[SessionOutput]:
        """Stream the *words* of the next sentence, which end in its audio at *word_ends*."""
        return self._responses.on_sentence(response_id, words, word_ends)

    def on_speech_audio(self, response_id: str, pcm: bytes) -> list[SessionOutput]:
        """Stream the next audio: PCM at 24 kHz, in chunks of any size."""
        return self._responses.on_speech_audio(response_id, pcm)

    def on_speech_finished(self, response_id: str) -> list[SessionOutput]:
        """End a response of which everything is said."""
        return self._responses.on_speech_finished(response_id)

    def on_speech_failed(self, response_id: str, message: str) -> list[SessionOutput]:
        """End a response that could not be said, for the reason *message*."""
        return self._responses.on_speech_failed(response_id, message)
