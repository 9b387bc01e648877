"""The items of a conversation: messages, calls of functions, and what the functions gave.

An item knows how the wire shows it, what it costs, how much it holds, and what the
rules see of it (`ConversationEntry` to `rtvoiced_server.answers.chat.ChatEntry`).
Items change while they are announced: a message gets its parts, a call its
arguments, and both their final status.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from rtvoiced_server.answers.chat import ChatEntry, ChatMessage, ChatToolCall, ChatToolOutput
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import tokens
from rtvoiced_server.protocol.content_parts import ContentPart, ImagePart, InputAudioPart, OutputAudioPart
from rtvoiced_server.protocol.tokens import TokenCounts
from rtvoiced_server.protocol.wire import event
from rtvoiced_server.vocabulary import ItemKind, ItemRole, ItemStatus

MOST_DELTAS = 256
"""How many deltas one text is sent in, at most: the events of a long one, 8,000 words, took a tenth of a
second from all other sessions."""


@dataclass(slots=True)
class MessageItem:
    """What somebody said."""

    id: str
    role: ItemRole
    parts: list[ContentPart] = field(default_factory=list)
    """None yet where it was just announced."""
    status: ItemStatus = ItemStatus.COMPLETED

    @property
    def words(self) -> str:
        """All that is said in it."""
        return " ".join(part.words for part in self.parts if part.words)

    def wire(self) -> Json:
        """Return the item as the wire shows it."""
        return {
            "id": self.id,
            "type": ItemKind.MESSAGE,
            "status": self.status,
            "role": self.role,
            "content": [part.wire() for part in self.parts],
        }

    def chat_entry(self) -> ChatMessage:
        """Return what the rules see of it."""
        return ChatMessage(self.role, self.words, sum(isinstance(part, ImagePart) for part in self.parts))

    def tokens(self) -> TokenCounts:
        """Return what it costs."""
        return tokens.total(part.tokens() for part in self.parts)

    @property
    def output_audio(self) -> OutputAudioPart | None:
        """The voice in the assistant's message; None where there is none."""
        return next((part for part in self.parts if isinstance(part, OutputAudioPart)), None)

    @property
    def audio_size(self) -> int:
        """How many bytes of audio are kept."""
        audible = (part for part in self.parts if isinstance(part, InputAudioPart | OutputAudioPart))
        return sum(len(part.audio) for part in audible)

    @property
    def size(self) -> int:
        """How many characters all else has."""
        return sum(len(part.url) if isinstance(part, ImagePart) else len(part.words) for part in self.parts)

    def drop_audio(self) -> None:
        """Let go of the audio; the words stay."""
        for part in self.parts:
            match part:
                case InputAudioPart():
                    part.audio = b""
                case OutputAudioPart():
                    part.audio = bytearray()


@dataclass(slots=True)
class FunctionCallItem:
    """The assistant wants a function called."""

    id: str
    call_id: str
    name: str
    arguments: str = ""
    """JSON."""
    status: ItemStatus = ItemStatus.COMPLETED

    def wire(self) -> Json:
        """Return the item as the wire shows it."""
        return {
            "id": self.id,
            "type": ItemKind.FUNCTION_CALL,
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        }

    def chat_entry(self) -> ChatToolCall:
        """Return what the rules see of it."""
        return ChatToolCall(self.call_id, self.name)

    def tokens(self) -> TokenCounts:
        """Return what it costs."""
        return TokenCounts(text=tokens.of_text(self.arguments))

    @property
    def size(self) -> int:
        """How many characters it has."""
        return len(self.arguments)


@dataclass(frozen=True, slots=True)
class FunctionCallOutputItem:
    """What the function gave."""

    id: str
    call_id: str
    output: str

    def wire(self) -> Json:
        """Return the item as the wire shows it."""
        return {
            "id": self.id,
            "type": ItemKind.FUNCTION_CALL_OUTPUT,
            "status": ItemStatus.COMPLETED,
            "call_id": self.call_id,
            "output": self.output,
        }

    def chat_entry(self) -> ChatToolOutput:
        """Return what the rules see of it."""
        return ChatToolOutput(self.call_id, self.output)

    def tokens(self) -> TokenCounts:
        """Return what it costs."""
        return TokenCounts(text=tokens.of_text(self.output))

    @property
    def size(self) -> int:
        """How many characters it has."""
        return len(self.output)


ConversationEntry = MessageItem | FunctionCallItem | FunctionCallOutputItem
"""An item of any kind."""


def chat_of(items: Iterable[ConversationEntry]) -> list[ChatEntry]:
    """Return *items* as the rules see them, in the same order."""
    return [item.chat_entry() for item in items]


def item_added_events(item: ConversationEntry, previous: str | None) -> list[Json]:
    """Return the two events that tell of a new *item* behind the item *previous*."""
    names = ("conversation.item.added", "conversation.item.done")
    return [event(name, previous_item_id=previous, item=item.wire()) for name in names]


def words(text: str) -> list[str]:
    """Cut *text* before each word; joined, the pieces are *text* again. Nothing has no words."""
    if not text:
        return []
    starts = [n for n in range(1, len(text)) if text[n] == " "]
    return [text[a:b] for a, b in pairwise([0, *starts, len(text)])]


def deltas(text: str) -> list[str]:
    """Cut *text* into its words, and where they are more than `MOST_DELTAS`, into runs of them."""
    every = words(text)
    size = max(1, -(-len(every) // MOST_DELTAS))
    return ["".join(every[n : n + size]) for n in range(0, len(every), size)]
