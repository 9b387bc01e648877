"""One response: its ladder of events, from created to done, pure."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.answers.calls import Wanted
from rtvoiced_server.answers.replies import Toolbox
from rtvoiced_server.protocol import tokens
from rtvoiced_server.protocol.conversation import Conversation
from rtvoiced_server.protocol.formats import Outlet, form
from rtvoiced_server.protocol.items import Call, Item, Message, deltas, words
from rtvoiced_server.protocol.parts import Spoken, Text
from rtvoiced_server.protocol.tokens import Tokens
from rtvoiced_server.protocol.wire import Json, event, new_id
from rtvoiced_server.speech.voices import Utterance

RATE_LIMITS_DELAY_S = 0.03
"""When ``rate_limits.updated`` follows ``response.done``, as recorded."""
TOKENS_A_MINUTE = 40_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a response was asked to be."""

    instructions: str
    modality: str
    """``audio`` or ``text``."""
    voice: str | Json
    format: Json
    """Of its audio."""
    max_output_tokens: int | str
    metadata: Json | None
    conversation_id: str | None
    """None where it is out of band."""
    toolbox: Toolbox
    script: str | None
    """What it was asked to say word for word, in place of an answer."""

    @property
    def voice_id(self) -> str:
        """The voice's name, or the id of a voice that somebody made."""
        return self.voice if isinstance(self.voice, str) else str(self.voice["id"])


@dataclass(slots=True)
class Response:
    """A response, and how far its ladder is."""

    plan: Plan
    context: tuple[Item, ...]
    """What it answers: the conversation as it was when the response was created, or its own input."""
    conversation: Conversation | None
    """Where its items go; None: it is out of band, beside the default conversation."""
    awaiting: set[str]
    """What of its context is still being recognised; the answer is found after that."""
    id: str = field(default_factory=lambda: new_id("resp"))
    outputs: list[Message | Call] = field(default_factory=list)
    exhausted: bool = False
    """Whether `max_output_tokens` are spent: nothing more is made of it then."""
    voiced: bool = False
    """Whether a voice was asked to say it."""
    filtered: bool = False
    """Whether a content filter is to stop it where it would have ended."""
    heard_from_ms: int | None = None
    """When its audio began to be sent, in the time of the input audio; None before that."""
    _said: str = ""
    """All that was streamed of the text, whatever was truncated meanwhile."""
    _sent: int = 0
    """Bytes of audio that were streamed, in the format of the wire."""
    _made: int = 0
    """Bytes of audio that came, at 24 kHz."""
    _outlet: Outlet = field(init=False)

    def __post_init__(self) -> None:
        self._outlet = Outlet(form(self.plan.format))

    @property
    def audio_ms(self) -> int:
        """How much audio was streamed."""
        return self._outlet.form.duration_ms(self._sent)

    def created(self) -> list[Json]:
        """The first event."""
        return [event("response.created", response=self._wire("in_progress", None, None))]

    def opened(self) -> list[Json]:
        """Announce the assistant's message and its part."""
        item = Message(new_id("item"), "assistant", status="in_progress")
        ladder = list(self._added(item))
        item.parts.append(Spoken() if self.plan.modality == "audio" else Text("output_text"))
        return [*ladder, self._of_part("response.content_part.added", part=self._part(""))]

    def sentence(self, spoken: Utterance) -> list[Json]:
        """Stream the words of a sentence, ahead of its audio where there is audio."""
        lead = " " if self._said else ""
        text = self._affordable(lead + spoken.text)
        kind = "output_text"
        match self._message.parts[0]:
            case Spoken() as part:
                part.extend(text[: len(lead)], text[len(lead) :], spoken.marks)
                kind = "output_audio_transcript"
            case Text() as part:
                part.words += text
        self._said += text
        return [self._of_part(f"response.{kind}.delta", delta=piece) for piece in deltas(text)]

    def audio(self, pcm: bytes) -> list[Json]:
        """Stream *pcm*, at 24 kHz, of any size."""
        return self._streamed(pcm, self._outlet.take(pcm))

    def rest(self) -> list[Json]:
        """Stream what the resampler still held back; nothing of the audio follows."""
        return self._streamed(b"", self._outlet.flush()) if self.plan.modality == "audio" else []

    def call(self, wanted: Wanted) -> list[Json]:
        """Have a tool called: the whole ladder of the call."""
        item = Call(new_id("item"), new_id("call"), wanted.name, status="in_progress")
        ladder = list(self._added(item))
        arguments = self._affordable(wanted.arguments)
        for piece in deltas(arguments):
            ladder.append(self._of_call("response.function_call_arguments.delta", item, delta=piece))
            item.arguments += piece
        item.status = "incomplete" if self.exhausted else "completed"
        done = self._of_call(
            "response.function_call_arguments.done", item, name=item.name, arguments=item.arguments
        )
        return [*ladder, done, *self._done(item)]

    def done(
        self, status: str = "completed", reason: str | None = None, failure: Json | None = None
    ) -> list[Json]:
        """End the ladder with what was streamed.

        The *reason* is that of a cancelled or incomplete response, the *failure* that of a failed one.
        """
        ladder: list[Json] = []
        if self.outputs and self.outputs[-1].status == "in_progress":
            self._message.status = "completed" if status == "completed" else "incomplete"
            ladder = self._closed()
        details: Json | None = {"type": status, "reason": reason} if reason else None
        if failure is not None:
            details = {"type": status, "error": failure}
        ladder.append(event("response.done", response=self._wire(status, details, self._usage())))
        return ladder

    @property
    def _message(self) -> Message:
        item = self.outputs[-1]
        assert isinstance(item, Message)
        return item

    def _affordable(self, text: str) -> str:
        """Return as many words of *text* as there are tokens left for."""
        most = (self._budget - sum(self._went())) * tokens.CHARS_PER_TOKEN
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

    def _went(self) -> Tokens:
        """Return what was made so far; a truncation does not give it back."""
        called = tokens.total(item.tokens() for item in self.outputs if isinstance(item, Call))
        return Tokens(called.text + tokens.of_text(self._said), tokens.of_spoken(self.audio_ms))

    def _streamed(self, pcm: bytes, data: bytes) -> list[Json]:
        """Stream *data*, as far as there are tokens left for it; keep *pcm*, which is the same inside."""
        most_ms = max(0, self._budget - self._went().text) * tokens.ASSISTANT_MS_PER_TOKEN
        room = max(0, self._outlet.form.size(most_ms) - self._sent)
        if len(data) > room:
            self.exhausted = True
            data = data[:room]
        self._sent += len(data)
        self._made += len(pcm)
        part = self._message.parts[0]
        assert isinstance(part, Spoken)
        if not part.cut:
            part.audio += pcm
            part.made_ms = WIRE.duration_ms(self._made)
            part.ms = self.audio_ms
            if self.exhausted:
                del part.audio[WIRE.size(part.ms) :]
        return (
            [self._of_part("response.output_audio.delta", delta=base64.b64encode(data).decode())]
            if data
            else []
        )

    def _added(self, item: Message | Call) -> Iterator[Json]:
        self.outputs.append(item)
        yield self._of_output("response.output_item.added", item)
        if self.conversation is not None:
            previous = self.conversation.add(item)
            yield event("conversation.item.added", previous_item_id=previous, item=item.wire())

    def _closed(self) -> list[Json]:
        """End the message that is open."""
        if self.plan.modality == "audio":
            ends = [
                self._of_part("response.output_audio.done"),
                self._of_part("response.output_audio_transcript.done", transcript=self._said),
            ]
        else:
            ends = [self._of_part("response.output_text.done", text=self._said)]
        part = self._of_part("response.content_part.done", part=self._part(self._said))
        return [*ends, part, *self._done(self._message)]

    def _done(self, item: Message | Call) -> Iterator[Json]:
        if self.conversation is not None:
            # The real server names no previous item here.
            yield event("conversation.item.done", previous_item_id=None, item=item.wire())
        yield self._of_output("response.output_item.done", item)

    def _part(self, text: str) -> Json:
        # Parts say audio and text where items say output_audio and output_text.
        return (
            {"type": "audio", "transcript": text}
            if self.plan.modality == "audio"
            else {"type": "text", "text": text}
        )

    def _of_output(self, kind: str, item: Message | Call) -> Json:
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

    def _of_call(self, kind: str, item: Call, **fields: object) -> Json:
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
            return tokens.usage(Tokens(), Tokens())
        came = tokens.total(item.tokens() for item in self.context)
        instructions = tokens.of_text(self.plan.instructions)
        return tokens.usage(came._replace(text=came.text + instructions), self._went())

    def _wire(self, status: str, details: Json | None, spent: Json | None) -> Json:
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
            "usage": spent,
            "metadata": self.plan.metadata,
        }


def rate_limits(spent_tokens: int) -> Json:
    """Return the event that follows a response; the limit is told, not kept."""
    limit = {
        "name": "tokens",
        "limit": TOKENS_A_MINUTE,
        "remaining": max(0, TOKENS_A_MINUTE - spent_tokens),
        "reset_seconds": round(spent_tokens * 60 / TOKENS_A_MINUTE, 3),
    }
    return event("rate_limits.updated", rate_limits=[limit])
