"""The user's turns: audio that comes, and what is made of it."""

from __future__ import annotations

from collections.abc import Iterator

from rtvoiced_server.answers.replies import IDLE
from rtvoiced_server.protocol import encoded, transcripts
from rtvoiced_server.protocol.formats import PCM, Inlet
from rtvoiced_server.protocol.input_buffer import SLICE_MS, Began, Ended, Idle
from rtvoiced_server.protocol.items import Message
from rtvoiced_server.protocol.messages import announced
from rtvoiced_server.protocol.parts import Heard, Text
from rtvoiced_server.protocol.responses import Responses
from rtvoiced_server.protocol.schema import REALTIME
from rtvoiced_server.protocol.state import State
from rtvoiced_server.protocol.wire import Json, Output, Refused, Send, error, event, new_id


class Turns:
    """The input audio buffer, as the client sees it."""

    def __init__(self, state: State, responses: Responses) -> None:
        self._state = state
        self._responses = responses
        self._inlet = Inlet(state.input_form)

    def append(self, told: Json) -> list[Output]:
        """Take audio; nothing acknowledges it."""
        audio = encoded.audio(told.get("audio"), self._state.input_form, "audio")
        if self._inlet.form is PCM:
            self._state.input.append(audio)
        else:
            self._state.work.append(self._taken(audio))
        return []

    def _taken(self, audio: bytes) -> Iterator[list[Output]]:
        """Take the telephone's *audio* in: 15 MiB are 20 minutes, and 3 s of resampling."""
        for piece in self._inlet.form.slices(audio, SLICE_MS):
            self._state.input.append(self._inlet.take(piece))
            yield self.listen() if self._state.input.waiting else []

    def commit(self, _: Json) -> list[Output]:
        """Make an item of all the audio that is there."""
        self._end_stream()
        return self._committed(*self._state.input.commit())

    def clear(self, _: Json) -> list[Output]:
        """Throw the audio away."""
        self._end_stream()
        self._state.input.clear()
        return [Send(event("input_audio_buffer.cleared"))]

    def updated(self, before: Json | None) -> None:
        """Follow the session's new settings; *before* was the turn detection."""
        if self._inlet.form != self._state.input_form:
            self._end_stream()
            self._inlet = Inlet(self._state.input_form)
        if self._state.turn_detection != before:
            self._state.input.detect(self._state.turn_detection)

    def listen(self) -> list[Output]:
        """Look at the next 100 ms of the audio that came."""
        outputs: list[Output] = []
        for found in self._state.input.listen():
            match found:
                case Began():
                    outputs += self._began(found)
                case Ended():
                    outputs += self._ended(found)
                case Idle():
                    outputs += self._idle(found)
        return outputs

    def _end_stream(self) -> None:
        """Take in what the resampler still holds: a cut must not lose it, nor what is counted be short."""
        self._state.input.append(self._inlet.flush())

    def _began(self, found: Began) -> list[Output]:
        ids = {"audio_start_ms": found.start_ms, "item_id": found.item_id}
        outputs: list[Output] = [Send(event("input_audio_buffer.speech_started", **ids))]
        if self._wants("interrupt_response"):
            outputs += self._responses.interrupt()
        return outputs

    def _ended(self, found: Ended) -> list[Output]:
        stopped = event("input_audio_buffer.speech_stopped", audio_end_ms=found.end_ms, item_id=found.item_id)
        outputs: list[Output] = [Send(stopped), *self._committed(found.item_id, found.audio)]
        return [*outputs, *self._answered()] if self._wants("create_response") else outputs

    def _answered(self) -> list[Output]:
        try:
            return self._responses.respond({})
        except Refused as refused:
            # Possible with interrupt_response false only: the answer before is still being made.
            return [Send(error(refused))]

    def _committed(self, item_id: str, audio: bytes) -> list[Output]:
        item = Message(item_id, "user", [Heard(audio, PCM, PCM.duration_ms(len(audio)))])
        outputs = self._added(item)
        told = self._state.recognition.begin(item_id, item, self._state.transcription)
        return [*outputs, *map(Send, told), *self._state.hear()]

    def _added(self, item: Message) -> list[Output]:
        previous = self._state.conversation.add(item)
        committed = event("input_audio_buffer.committed", item_id=item.id, previous_item_id=previous)
        return [Send(committed), *map(Send, announced(item, previous))]

    def _idle(self, found: Idle) -> list[Output]:
        """Answer to a silence: a message of the system tells of it, and the user's turn is empty."""
        ids = {"audio_start_ms": found.start_ms, "audio_end_ms": found.end_ms, "item_id": found.item_id}
        notice = Message(new_id("item"), "system", [Text("input_text", IDLE)])
        silence = Heard(found.audio, PCM, found.end_ms - found.start_ms)
        item = Message(found.item_id, "user", [silence])
        outputs: list[Output] = [
            Send(event("input_audio_buffer.timeout_triggered", **ids)),
            *map(Send, announced(notice, self._state.conversation.add(notice))),
            *self._added(item),
            *self._answered(),
        ]
        if self._state.transcription is not None:
            outputs += map(Send, transcripts.completed(item.id, 0, silence, self._state.transcription))
        return outputs

    def _wants(self, name: str) -> bool:
        """Tell whether the turn detection is to do this; a session that only transcribes answers nothing."""
        return self._state.settings["type"] == REALTIME and bool((self._state.turn_detection or {}).get(name))
