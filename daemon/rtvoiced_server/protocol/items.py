"""The items of a conversation: messages, calls of tools, and what those gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from rtvoiced_server.protocol import tokens
from rtvoiced_server.protocol.parts import Heard, Part, Picture, Spoken
from rtvoiced_server.protocol.tokens import Tokens
from rtvoiced_server.protocol.wire import Json


@dataclass(slots=True)
class Message:
    """What somebody said."""

    id: str
    role: str
    """``user``, ``assistant`` or ``system``."""
    parts: list[Part] = field(default_factory=list)
    """None yet where it was just announced."""
    status: str = "completed"

    @property
    def words(self) -> str:
        """All that is said in it."""
        return " ".join(part.words for part in self.parts if part.words)

    @property
    def pictures(self) -> int:
        """How many pictures are in it."""
        return sum(isinstance(part, Picture) for part in self.parts)

    def wire(self) -> Json:
        """Return the item as the wire shows it."""
        return {
            "id": self.id,
            "type": "message",
            "status": self.status,
            "role": self.role,
            "content": [part.wire() for part in self.parts],
        }

    def tokens(self) -> Tokens:
        """Return what it costs."""
        return tokens.total(part.tokens() for part in self.parts)

    @property
    def spoken(self) -> Spoken | None:
        """The voice in the assistant's message; None where there is none."""
        return next((part for part in self.parts if isinstance(part, Spoken)), None)

    @property
    def audio_size(self) -> int:
        """Bytes of audio that are kept."""
        return sum(len(part.audio) for part in self.parts if isinstance(part, Heard | Spoken))

    @property
    def size(self) -> int:
        """Characters of all else."""
        return sum(len(part.url) if isinstance(part, Picture) else len(part.words) for part in self.parts)

    def silence(self) -> None:
        """Let go of the audio; the words stay."""
        for part in self.parts:
            match part:
                case Heard():
                    part.audio = b""
                case Spoken():
                    part.audio = bytearray()


@dataclass(slots=True)
class Call:
    """The assistant wants a tool called."""

    id: str
    call_id: str
    name: str
    arguments: str = ""
    """JSON."""
    status: str = "completed"

    def wire(self) -> Json:
        """Return the item as the wire shows it."""
        return {
            "id": self.id,
            "type": "function_call",
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        }

    def tokens(self) -> Tokens:
        """Return what it costs."""
        return Tokens(text=tokens.of_text(self.arguments))

    @property
    def size(self) -> int:
        """Characters."""
        return len(self.arguments)


@dataclass(frozen=True, slots=True)
class CallOutput:
    """What the tool gave."""

    id: str
    call_id: str
    output: str

    def wire(self) -> Json:
        """Return the item as the wire shows it."""
        return {
            "id": self.id,
            "type": "function_call_output",
            "status": "completed",
            "call_id": self.call_id,
            "output": self.output,
        }

    def tokens(self) -> Tokens:
        """Return what it costs."""
        return Tokens(text=tokens.of_text(self.output))

    @property
    def size(self) -> int:
        """Characters."""
        return len(self.output)


Item = Message | Call | CallOutput
MOST_DELTAS = 256
"""Of one text: a long one is 8,000 words, whose events took a tenth of a second from all other sessions."""


def words(text: str) -> list[str]:
    """Cut *text* before each word; joined they give *text*; none of nothing."""
    if not text:
        return []
    starts = [n for n in range(1, len(text)) if text[n] == " "]
    return [text[a:b] for a, b in pairwise([0, *starts, len(text)])]


def deltas(text: str) -> list[str]:
    """Cut *text* into its words, and where they are too many, into runs of them."""
    every = words(text)
    size = max(1, -(-len(every) // MOST_DELTAS))
    return ["".join(every[n : n + size]) for n in range(0, len(every), size)]
