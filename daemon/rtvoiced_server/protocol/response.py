"""One response: its events from ``response.created`` to ``response.done``.

The response handler (`rtvoiced_server.protocol.response_handler`) decides what a
response does and when it ends; this module makes the events of it, in the real
server's order, and keeps what was streamed: items, text, audio, tokens. What is
streamed is cut off where the tokens of the response end; `ServerResponse.exhausted`
tells so.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import InitVar, dataclass, field

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.answers.calls import ToolInvocation
from rtvoiced_server.answers.replies import Toolbox
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import tokens
from rtvoiced_server.protocol.audio_port import AudioProcessing, StreamConverter
from rtvoiced_server.protocol.content_parts import OutputAudioPart, TextPart
from rtvoiced_server.protocol.default_conversation import DefaultConversation
from rtvoiced_server.protocol.formats import AudioFormat, format_of
from rtvoiced_server.protocol.ids import new_id
from rtvoiced_server.protocol.items import ConversationEntry, FunctionCallItem, MessageItem, deltas, words
from rtvoiced_server.protocol.tokens import TokenCounts
from rtvoiced_server.protocol.wire import event
from rtvoiced_server.protocol.word_end import WordEnd
from rtvoiced_server.vocabulary import (
    ItemRole,
    ItemStatus,
    Modality,
    PartKind,
    ServerResponseStatus,
    StatusReason,
)

RATE_LIMITS_DELAY_S = 0.03
"""How long after ``response.done`` ``rate_limits.updated`` follows, as recorded of the real server."""
TOKENS_A_MINUTE = 40_000
"""The limit that clients are told; it is not kept."""


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """What a response was asked to be."""

    instructions: str
    modality: Modality
    voice: str | Json
    format: Json
    """The format of its audio, as the session's object describes it."""
    max_output_tokens: int | str
    metadata: Json | None
    conversation_id: str | None
    """None where the response is out of band."""
    toolbox: Toolbox
    script: str | None
    """What it was asked to say word for word, in place of an answer; None where it was not."""

    @property
    def voice_id(self) -> str:
        """The voice's name, or the id of a voice that somebody made."""
        return self.voice if isinstance(self.voice, str) else str(self.voice["id"])


@dataclass(slots=True)
class ServerResponse:
    """A response, and how far its events are."""

    plan: ResponsePlan
    processing: InitVar[AudioProcessing]
    """What converts its audio."""
    context: tuple[ConversationEntry, ...]
    """What it answers: the conversation as it was when the response was created, or its own input."""
    conversation: DefaultConversation | None
    """Where its items go; None: it is out of band, beside the default conversation."""
    awaiting: set[str]
    """The keys of what in its context is still being recognised; the answer is found after that."""
    id: str = field(default_factory=lambda: new_id("resp"))
    outputs: list[MessageItem | FunctionCallItem] = field(default_factory=list)
    exhausted: bool = False
    """Whether its ``max_output_tokens`` are spent: nothing more is made of it then."""
    voiced: bool = False
    """Whether a voice was asked to say it, and has to be stopped where it ends early."""
    filtered: bool = False
    """Whether a content filter is to stop it where it would have ended."""
    audio_from_ms: int | None = None
    """When its audio began to be sent, in the time of the input audio; None before that."""
    _text_sent: str = ""
    """All that was streamed of the text, whatever was truncated meanwhile."""
    _audio_sent: int = 0
    """Bytes of audio that were streamed, in the format of the wire."""
    _audio_made: int = 0
    """Bytes of audio that came, at 24 kHz."""
    _format: AudioFormat = field(init=False)
    _encoder: StreamConverter = field(init=False)

    def __post_init__(self, processing: AudioProcessing) -> None:
        self._format = format_of(self.plan.format)
        self._encoder = processing.encoder(self._format)

    @property
    def audio_ms(self) -> int:
        """How much audio was streamed."""
        return self._format.duration_ms(self._audio_sent)

    def created(self) -> list[Json]:
        """Return the first event."""
        return [event("response.created", response=self._wire(ServerResponseStatus.IN_PROGRESS, None, None))]

    def opened(self) -> list[Json]:
        """Announce the assistant's message and its part."""
        item = MessageItem(new_id("item"), ItemRole.ASSISTANT, status=ItemStatus.IN_PROGRESS)
        events = list(self._added(item))
        voice = self.plan.modality == Modality.AUDIO
        item.parts.append(OutputAudioPart() if voice else TextPart(PartKind.OUTPUT_TEXT))
        return [*events, self._of_part("response.content_part.added", part=self._part(""))]

    def sentence(self, words: str, word_ends: Sequence[WordEnd] = ()) -> list[Json]:
        """Stream the *words* of a sentence, ahead of its audio where there is audio."""
        lead = " " if self._text_sent else ""
        text = self._affordable(lead + words)
        kind = "output_text"
        match self._message.parts[0]:
            case OutputAudioPart() as part:
                part.extend(text[: len(lead)], text[len(lead) :], word_ends)
                kind = "output_audio_transcript"
            case TextPart() as part:
                part.words += text
        self._text_sent += text
        return [self._of_part(f"response.{kind}.delta", delta=piece) for piece in deltas(text)]

    def audio(self, pcm: bytes) -> list[Json]:
        """Stream *pcm*, which is at 24 kHz and of any size."""
        return self._streamed(pcm, self._encoder.take(pcm))

    def rest(self) -> list[Json]:
        """Stream what the resampler still held back; nothing of the audio follows."""
        return self._streamed(b"", self._encoder.flush()) if self.plan.modality == Modality.AUDIO else []

    def call(self, wanted: ToolInvocation) -> list[Json]:
        """Have a tool called: return all events of the call."""
        item = FunctionCallItem(new_id("item"), new_id("call"), wanted.name, status=ItemStatus.IN_PROGRESS)
        events = list(self._added(item))
        arguments = self._affordable(wanted.arguments)
        for piece in deltas(arguments):
            events.append(self._of_call("response.function_call_arguments.delta", item, delta=piece))
            item.arguments += piece
        item.status = ItemStatus.INCOMPLETE if self.exhausted else ItemStatus.COMPLETED
        done = self._of_call(
            "response.function_call_arguments.done", item, name=item.name, arguments=item.arguments
        )
        return [*events, done, *self._done(item)]

    def done(
        self,
        status: ServerResponseStatus = ServerResponseStatus.COMPLETED,
        reason: StatusReason | None = None,
        failure: Json | None = None,
    ) -> list[Json]:
        """Return the events that end the response with what was streamed.

        The *reason* is that of a cancelled or incomplete response, the *failure* that of a failed one.
        """
        events: list[Json] = []
        if self.outputs and self.outputs[-1].status == ItemStatus.IN_PROGRESS:
            whole = status == ServerResponseStatus.COMPLETED
            self._message.status = ItemStatus.COMPLETED if whole else ItemStatus.INCOMPLETE
            events = self._closed()
        details: Json | None = {"type": status, "reason": reason} if reason else None
        if failure is not None:
            details = {"type": status, "error": failure}
        events.append(event("response.done", response=self._wire(status, details, self._usage())))
        return events

    @property
    def _message(self) -> MessageItem:
        item = self.outputs[-1]
        assert isinstance(item, MessageItem)
        return item

    def _affordable(self, text: str) -> str:
        """Return as many words of *text* as there are tokens left for."""
        most = (self._budget - sum(self._spent())) * tokens.CHARS_PER_TOKEN
        if len(text) <= most:
            return text
        self.exhausted = True
        short = ""
        for word in words(text):
            if len(short) + len(word) > most:
                break
            short += word
        return short

    @property
    def _budget(self) -> int:
        """How many tokens may be made."""
        most = self.plan.max_output_tokens
        return most if isinstance(most, int) else tokens.MOST_OUTPUT

    def _spent(self) -> TokenCounts:
        """Return the tokens that were made so far; a truncation does not give them back."""
        called = tokens.total(item.tokens() for item in self.outputs if isinstance(item, FunctionCallItem))
        return TokenCounts(
            called.text + tokens.of_text(self._text_sent), tokens.of_assistant_audio(self.audio_ms)
        )

    def _streamed(self, pcm: bytes, data: bytes) -> list[Json]:
        """Stream *data*, as far as there are tokens left for it; keep *pcm*, the same audio at 24 kHz."""
        most_ms = max(0, self._budget - self._spent().text) * tokens.ASSISTANT_MS_PER_TOKEN
        room = max(0, self._format.size(most_ms) - self._audio_sent)
        if len(data) > room:
            self.exhausted = True
            data = data[:room]
        self._audio_sent += len(data)
        self._audio_made += len(pcm)
        part = self._message.parts[0]
        assert isinstance(part, OutputAudioPart)
        if not part.cut:
            part.audio += pcm
            part.made_ms = WIRE.duration_ms(self._audio_made)
            part.ms = self.audio_ms
            if self.exhausted:
                del part.audio[WIRE.size(part.ms) :]
        return (
            [self._of_part("response.output_audio.delta", delta=base64.b64encode(data).decode())]
            if data
            else []
        )

    def _added(self, item: MessageItem | FunctionCallItem) -> Iterator[Json]:
        self.outputs.append(item)
        yield self._of_output("response.output_item.added", item)
        if self.conversation is not None:
            previous = self.conversation.add(item)
            yield event("conversation.item.added", previous_item_id=previous, item=item.wire())

    def _closed(self) -> list[Json]:
        """End the message that is open."""
        if self.plan.modality == Modality.AUDIO:
            ends = [
                self._of_part("response.output_audio.done"),
                self._of_part("response.output_audio_transcript.done", transcript=self._text_sent),
            ]
        else:
            ends = [self._of_part("response.output_text.done", text=self._text_sent)]
        part = self._of_part("response.content_part.done", part=self._part(self._text_sent))
        return [*ends, part, *self._done(self._message)]

    def _done(self, item: MessageItem | FunctionCallItem) -> Iterator[Json]:
        if self.conversation is not None:
            # The real server names no previous item here.
            yield event("conversation.item.done", previous_item_id=None, item=item.wire())
        yield self._of_output("response.output_item.done", item)

    def _part(self, text: str) -> Json:
        # Parts say audio and text where items say output_audio and output_text.
        return (
            {"type": "audio", "transcript": text}
            if self.plan.modality == Modality.AUDIO
            else {"type": "text", "text": text}
        )

    def _of_output(self, kind: str, item: MessageItem | FunctionCallItem) -> Json:
        return event(kind, response_id=self.id, output_index=self.outputs.index(item), item=item.wire())

    def _of_part(self, kind: str, **fields: object) -> Json:
        item = self._message
        return event(
            kind,
            response_id=self.id,
            item_id=item.id,
            output_index=self.outputs.index(item),
            content_index=0,
            **fields,
        )

    def _of_call(self, kind: str, item: FunctionCallItem, **fields: object) -> Json:
        return event(
            kind,
            response_id=self.id,
            item_id=item.id,
            output_index=self.outputs.index(item),
            call_id=item.call_id,
            **fields,
        )

    def _usage(self) -> Json:
        if not self.outputs:
            return tokens.usage(TokenCounts(), TokenCounts())
        read = tokens.total(item.tokens() for item in self.context)
        instructions = tokens.of_text(self.plan.instructions)
        return tokens.usage(read._replace(text=read.text + instructions), self._spent())

    def _wire(self, status: ServerResponseStatus, details: Json | None, usage: Json | None) -> Json:
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [item.wire() for item in self.outputs],
            "conversation_id": self.plan.conversation_id,
            "output_modalities": [self.plan.modality],
            "max_output_tokens": self.plan.max_output_tokens,
            "audio": {"output": {"format": self.plan.format, "voice": self.plan.voice_id}},
            "usage": usage,
            "metadata": self.plan.metadata,
        }


def rate_limits(spent_tokens: int) -> Json:
    """Return the event that follows a response of *spent_tokens*; the limit is told, not kept."""
    limit = {
        "name": "tokens",
        "limit": TOKENS_A_MINUTE,
        "remaining": max(0, TOKENS_A_MINUTE - spent_tokens),
        "reset_seconds": round(spent_tokens * 60 / TOKENS_A_MINUTE, 3),
    }
    return event("rate_limits.updated", rate_limits=[limit])
