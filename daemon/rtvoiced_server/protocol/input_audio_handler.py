"""The events ``input_audio_buffer.*``: the user's audio that comes in, and the turns made of it.

A turn ends by hand (``commit``) or where the buffer finds its end. Either way it
becomes an item of the conversation, is given to the recogniser, and, where the
settings say so, is answered. Telephone audio is converted in slices
(`SessionState.work`), for the largest append takes 3 s of work.
"""

from __future__ import annotations

from collections.abc import Iterator

from rtvoiced_server.answers.replies import IDLE_NOTICE
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import base64_content, transcripts
from rtvoiced_server.protocol.audio_port import SLICE_MS
from rtvoiced_server.protocol.content_parts import InputAudioPart, TextPart
from rtvoiced_server.protocol.formats import PCM
from rtvoiced_server.protocol.ids import new_id
from rtvoiced_server.protocol.input_buffer import BufferSpeechStarted, BufferSpeechStopped, BufferTimeout
from rtvoiced_server.protocol.items import MessageItem, item_added_events
from rtvoiced_server.protocol.outputs import SendToClient, SessionOutput
from rtvoiced_server.protocol.response_handler import SessionResponses
from rtvoiced_server.protocol.session_state import SessionState
from rtvoiced_server.protocol.wire import Refused, error_event, event
from rtvoiced_server.vocabulary import ItemRole, PartKind, SessionKind


class InputAudioHandler:
    """The input audio buffer, as the client sees it."""

    def __init__(self, state: SessionState, responses: SessionResponses) -> None:
        self._state = state
        self._responses = responses
        self._begin_stream()

    def on_input_audio_buffer_append(self, request: Json) -> list[SessionOutput]:
        """Take audio in; nothing acknowledges it."""
        audio = base64_content.audio(request.get("audio"), self._state.input_format, "audio")
        if self._format is PCM:
            self._state.input.append(audio)
        else:
            self._state.work.append(self._taken(audio))
        return []

    def _taken(self, audio: bytes) -> Iterator[list[SessionOutput]]:
        """Take the telephone's *audio* in: 15 MiB are 20 minutes, and 3 s of resampling."""
        for piece in self._format.slices(audio, SLICE_MS):
            self._state.input.append(self._decoder.take(piece))
            yield self.listen() if self._state.input.waiting else []

    def on_input_audio_buffer_commit(self, _: Json) -> list[SessionOutput]:
        """Make an item of all the audio that is there."""
        self._end_stream()
        return self._committed(*self._state.input.commit())

    def on_input_audio_buffer_clear(self, _: Json) -> list[SessionOutput]:
        """Throw the audio away."""
        self._end_stream()
        self._state.input.clear()
        return [SendToClient(event("input_audio_buffer.cleared"))]

    def on_session_updated(self, detection_before: Json | None) -> None:
        """Follow the session's new settings; *detection_before* was the turn detection."""
        if self._format != self._state.input_format:
            self._end_stream()
            self._begin_stream()
        if self._state.turn_detection != detection_before:
            self._state.input.detect(self._state.turn_detection)

    def listen(self) -> list[SessionOutput]:
        """Look at the next 100 ms of the audio that came."""
        outputs: list[SessionOutput] = []
        for found in self._state.input.listen():
            match found:
                case BufferSpeechStarted():
                    outputs += self._on_speech_started(found)
                case BufferSpeechStopped():
                    outputs += self._on_speech_stopped(found)
                case BufferTimeout():
                    outputs += self._on_timeout_triggered(found)
        return outputs

    def _begin_stream(self) -> None:
        self._format = self._state.input_format
        self._decoder = self._state.audio.decoder(self._format)

    def _end_stream(self) -> None:
        """Take in what the resampler still holds: a cut must not lose it, nor what is counted be short."""
        self._state.input.append(self._decoder.flush())

    def _on_speech_started(self, found: BufferSpeechStarted) -> list[SessionOutput]:
        ids = {"audio_start_ms": found.start_ms, "item_id": found.item_id}
        outputs: list[SessionOutput] = [SendToClient(event("input_audio_buffer.speech_started", **ids))]
        if self._detection_is_to("interrupt_response"):
            outputs += self._responses.interrupt()
        return outputs

    def _on_speech_stopped(self, found: BufferSpeechStopped) -> list[SessionOutput]:
        ids = {"audio_end_ms": found.end_ms, "item_id": found.item_id}
        outputs: list[SessionOutput] = [
            SendToClient(event("input_audio_buffer.speech_stopped", **ids)),
            *self._committed(found.item_id, found.audio),
        ]
        return [*outputs, *self._answered()] if self._detection_is_to("create_response") else outputs

    def _answered(self) -> list[SessionOutput]:
        try:
            return self._responses.respond({})
        except Refused as refused:
            # Possible with interrupt_response false only: the answer before is still being made.
            return [SendToClient(error_event(refused))]

    def _committed(self, item_id: str, audio: bytes) -> list[SessionOutput]:
        part = InputAudioPart(audio, PCM, PCM.duration_ms(len(audio)))
        item = MessageItem(item_id, ItemRole.USER, [part])
        outputs = self._added(item)
        failed = self._state.recognition.begin(item_id, item, self._state.transcription)
        return [*outputs, *map(SendToClient, failed), *self._state.recognitions()]

    def _added(self, item: MessageItem) -> list[SessionOutput]:
        previous = self._state.conversation.add(item)
        committed = event("input_audio_buffer.committed", item_id=item.id, previous_item_id=previous)
        return [SendToClient(committed), *map(SendToClient, item_added_events(item, previous))]

    def _on_timeout_triggered(self, found: BufferTimeout) -> list[SessionOutput]:
        """Answer to a silence: a message of the system tells of it, and the user's turn is empty."""
        ids = {"audio_start_ms": found.start_ms, "audio_end_ms": found.end_ms, "item_id": found.item_id}
        notice = MessageItem(new_id("item"), ItemRole.SYSTEM, [TextPart(PartKind.INPUT_TEXT, IDLE_NOTICE)])
        silence = InputAudioPart(found.audio, PCM, found.end_ms - found.start_ms)
        item = MessageItem(found.item_id, ItemRole.USER, [silence])
        outputs: list[SessionOutput] = [
            SendToClient(event("input_audio_buffer.timeout_triggered", **ids)),
            *map(SendToClient, item_added_events(notice, self._state.conversation.add(notice))),
            *self._added(item),
            *self._answered(),
        ]
        if self._state.transcription is not None:
            outputs += map(
                SendToClient, transcripts.completed(item.id, 0, silence, self._state.transcription)
            )
        return outputs

    def _detection_is_to(self, name: str) -> bool:
        """Tell whether the turn detection is to do *name*: never where a session only transcribes."""
        answers = self._state.settings["type"] == SessionKind.REALTIME
        return answers and bool((self._state.turn_detection or {}).get(name))
