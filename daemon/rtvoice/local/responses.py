"""One response: its ladder of events, from created to done, pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from rtvoice.audio.pcm import WIRE
from rtvoice.local.items import Conversation, Item, extend, usage, words
from rtvoice.local.voices import Mark
from rtvoice.local.wire import Json, event, new_id

RATE_LIMITS_DELAY_S = 0.03
"""When ``rate_limits.updated`` follows ``response.done``, as recorded."""
TOKENS_A_MINUTE = 40_000


@dataclass(slots=True)
class Response:
    """A response, and how far its ladder is."""

    context: Conversation
    """What it answers."""
    conversation: Conversation | None
    """Where its message goes; None: it is out of band, beside the default conversation."""
    conversation_id: str | None
    """None where it is out of band."""
    instructions: str
    modality: str
    """``audio`` or ``text``."""
    voice: Any
    max_output_tokens: Any = "inf"
    metadata: Json | None = None
    id: str = field(default_factory=lambda: new_id("resp"))
    awaiting: set[str] = field(default_factory=set)
    """Items that are still being recognised; the answer is found after them."""
    script: str | None = None
    """What it was asked to say word for word, in place of an answer."""
    item: Item | None = None
    """The assistant's message, once it is announced."""
    said: str = ""
    """All that was streamed of the text, whatever was truncated meanwhile."""

    def created(self) -> list[Json]:
        """The first event."""
        return [event("response.created", response=self._wire("in_progress", None, None))]

    def opened(self) -> list[Json]:
        """Announce the assistant's message and its part."""
        kind = "output_audio" if self.modality == "audio" else "output_text"
        item = Item(new_id("item"), "assistant", kind, status="in_progress", begun=False)
        ladder = [event("response.output_item.added", response_id=self.id, output_index=0, item=item.wire())]
        if self.conversation is not None:
            previous = self.conversation.add(item)
            ladder.append(event("conversation.item.added", previous_item_id=previous, item=item.wire()))
        self.item = item
        item.begun = True
        return [*ladder, self._ids("response.content_part.added", part=self._part(""))]

    def text(self, sentence: str, marks: tuple[Mark, ...] = ()) -> list[Json]:
        """Stream the words of a sentence, ahead of its audio where there is audio."""
        assert self.item is not None
        lead = " " if self.said else ""
        extend(self.item, lead, sentence, marks)
        self.said += lead + sentence
        kind = "output_audio_transcript" if self.modality == "audio" else "output_text"
        return [self._ids(f"response.{kind}.delta", delta=word) for word in words(lead + sentence)]

    def audio(self, pcm: bytes) -> list[Json]:
        """Stream *pcm*, at 24 kHz."""
        item = self.item
        assert item is not None
        if not item.cut:
            item.audio += pcm
            item.ms = WIRE.duration_ms(len(item.audio))
        return [self._ids("response.output_audio.delta", delta=base64.b64encode(pcm).decode())]

    def done(
        self, status: str = "completed", reason: str | None = None, failure: Json | None = None
    ) -> list[Json]:
        """End the ladder with what was streamed; *reason* of a cancelled, *failure* of a failed response."""
        ladder: list[Json] = []
        if self.item is not None:
            self.item.status = "completed" if status == "completed" else "incomplete"
            ladder = self._closed(self.item)
        details: Json | None = {"type": status, "reason": reason} if reason else None
        if failure is not None:
            details = {"type": status, "error": failure}
        spent = usage(self.instructions, self.context, self.item)
        ladder.append(event("response.done", response=self._wire(status, details, spent)))
        return ladder

    def _closed(self, item: Item) -> list[Json]:
        if self.modality == "audio":
            ends = [
                self._ids("response.output_audio.done"),
                self._ids("response.output_audio_transcript.done", transcript=self.said),
            ]
        else:
            ends = [self._ids("response.output_text.done", text=self.said)]
        if self.conversation is not None:
            # The real server names no previous item here.
            told = [event("conversation.item.done", previous_item_id=None, item=item.wire())]
        else:
            told = []
        return [
            *ends,
            self._ids("response.content_part.done", part=self._part(self.said)),
            *told,
            event("response.output_item.done", response_id=self.id, output_index=0, item=item.wire()),
        ]

    def _part(self, text: str) -> Json:
        # Parts say audio and text where items say output_audio and output_text.
        return (
            {"type": "audio", "transcript": text}
            if self.modality == "audio"
            else {"type": "text", "text": text}
        )

    def _ids(self, kind: str, **fields: object) -> Json:
        assert self.item is not None
        return event(
            kind, response_id=self.id, item_id=self.item.id, output_index=0, content_index=0, **fields
        )

    def _wire(self, status: str, details: Json | None, spent: Json | None) -> Json:
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [self.item.wire()] if self.item is not None else [],
            "conversation_id": self.conversation_id,
            "output_modalities": [self.modality],
            "max_output_tokens": self.max_output_tokens,
            "audio": {"output": {"format": {"type": "audio/pcm", "rate": WIRE.hz}, "voice": self.voice}},
            "usage": spent,
            "metadata": self.metadata,
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
