"""The conversation: its items in order, what was heard of them, what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rtvoice.audio.pcm import WIRE
from rtvoice.local import checks
from rtvoice.local.rules import Turn
from rtvoice.local.voices import Mark
from rtvoice.local.wire import Json, Refused, new_id

MOST_ITEMS = 500
"""The oldest go then, as the real server's context does with truncation "auto"."""
MOST_AUDIO = 32 << 20
"""Bytes of audio that are kept for retrieval: 11 minutes; of older items only the words stay."""
LONGEST_ID = 512
USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50
CHARS_PER_TOKEN = 4
"""About what a token is in English; there is no tokenizer here."""


@dataclass(slots=True)
class Item:
    """One message."""

    id: str
    role: str
    kind: str
    """Of its one content part: ``input_text``, ``output_text``, ``input_audio`` or ``output_audio``."""
    text: str = ""
    """Of a text or of the assistant's audio; of a user's audio what the recogniser heard."""
    status: str = "completed"
    transcript: str | None = None
    """Of a user's audio; null unless transcription is configured."""
    audio: bytearray = field(default_factory=bytearray)
    """PCM at 24 kHz, empty once it is too old."""
    ms: int = 0
    """How long the audio is, kept or not."""
    marks: list[Mark] = field(default_factory=list)
    """The ends of the words of the assistant's audio."""
    begun: bool = True
    """Whether the content part exists; an assistant's item is announced without."""
    cut: bool = False
    """Truncated: what is still said of it does not count."""

    def wire(self, *, audio: bytes = b"") -> Json:
        """Return the item as the wire shows it; *audio* in base64 is added for retrieval."""
        part: Json = {"type": self.kind}
        if self.kind == "input_audio":
            part["transcript"] = self.transcript
        elif self.kind == "output_audio":
            part["transcript"] = self.text
        else:
            part["text"] = self.text
        if audio:
            part["audio"] = audio.decode()
        return {
            "id": self.id,
            "type": "message",
            "status": self.status,
            "role": self.role,
            "content": [part] if self.begun else [],
        }

    def truncate(self, ms: int) -> None:
        """Forget what was not heard: the audio after *ms*, and the words that end after it."""
        self.cut = True
        self.ms = ms
        del self.audio[WIRE.size(ms) :]
        self.marks = [mark for mark in self.marks if mark.ms <= ms]
        self.text = self.text[: self.marks[-1].chars if self.marks else 0]

    def tokens(self) -> tuple[int, int]:
        """Return its text tokens and its audio tokens."""
        if self.kind == "input_audio":
            return 0, -(-self.ms // USER_MS_PER_TOKEN)
        if self.kind == "output_audio":
            return text_tokens(self.text), -(-self.ms // ASSISTANT_MS_PER_TOKEN)
        return text_tokens(self.text), 0


def text_tokens(text: str) -> int:
    """Return about how many tokens *text* has."""
    return -(-len(text) // CHARS_PER_TOKEN)


def usage(instructions: str, context: Iterable[Item], said: Item | None) -> Json:
    """Return the usage of a response that said *said* in *context*; all zero when it said nothing."""
    if said is None:
        return _usage((0, 0), (0, 0))
    counts = [item.tokens() for item in context if item is not said]
    text = text_tokens(instructions) + sum(count[0] for count in counts)
    return _usage((text, sum(count[1] for count in counts)), said.tokens())


def _usage(came: tuple[int, int], went: tuple[int, int]) -> Json:
    cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": sum(came) + sum(went),
        "input_tokens": sum(came),
        "output_tokens": sum(went),
        "input_token_details": {
            "text_tokens": came[0],
            "audio_tokens": came[1],
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": cached,
        },
        "output_token_details": {"text_tokens": went[0], "audio_tokens": went[1]},
    }


class Conversation:
    """The items in their order; bounded."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def find(self, item_id: object) -> Item | None:
        """Return the item of this id, if there is one."""
        return next((item for item in self._items if item.id == item_id), None)

    def add(self, item: Item, after: object = None) -> str | None:
        """Put *item* at the end, first (after "root") or after an id; return the id before it."""
        at = len(self._items)
        if after == "root":
            at = 0
        elif after is not None:
            at = self._place(after)
        previous = self._items[at - 1].id if at else None
        self._items.insert(at, item)
        self._bound()
        return previous

    def remove(self, item: Item) -> None:
        """Take *item* out."""
        self._items.remove(item)

    def history(self) -> tuple[str | None, Sequence[Turn]]:
        """Return the text to be answered, None when the user was not last, and what was said before it."""
        turns = [Turn(item.role, item.text) for item in self._items]
        spoken = [n for n, turn in enumerate(turns) if turn.role != "system"]
        if not spoken or turns[spoken[-1]].role != "user":
            return None, turns
        return turns[spoken[-1]].text, turns[: spoken[-1]]

    def _place(self, after: object) -> int:
        for n, item in enumerate(self._items):
            if item.id == after:
                return n + 1
        raise Refused(
            "item_create_invalid_previous_item_id",
            f"Error adding item: the previous item with id '{after}' does not exist.",
            "previous_item_id",
        )

    def _bound(self) -> None:
        del self._items[:-MOST_ITEMS]
        kept = 0
        for item in reversed(self._items):
            kept += len(item.audio)
            if kept > MOST_AUDIO:
                item.audio = bytearray()


CONTENT_OF_ROLE = {"user": "input_text", "system": "input_text", "assistant": "output_text"}


def created(item: object, path: str = "item") -> Item:
    """Return the text message that a client wants created, or raise `Refused`; *path* is where it stands."""
    if item is None:
        raise checks.missing(path)
    fields: dict[str, checks.Check] = {
        "id": checks.optional(checks.string),
        "type": checks.one_of("message"),
        "object": checks.string,
        "status": checks.string,
        "role": checks.one_of(*CONTENT_OF_ROLE),
        "content": checks.listing(checks.free),
    }
    made: Json = checks.table(fields, "type", "role", "content")(item, None, path)
    item_id = made.get("id") or new_id("item")
    if len(item_id) > LONGEST_ID:
        raise Refused("string_above_max_length", f"Invalid '{path}.id': string too long.", f"{path}.id")
    kind = CONTENT_OF_ROLE[made["role"]]
    text = " ".join(_text(part, kind, f"{path}.content[{n}]") for n, part in enumerate(made["content"]))
    return Item(item_id, made["role"], kind, text)


def _text(part: Json, kind: str, path: str) -> Any:
    if "type" not in part:
        raise checks.missing(f"{path}.type")
    if part["type"] != kind:
        raise checks.bad_value(f"{path}.type", part["type"], kind)
    if "text" not in part:
        raise checks.missing(f"{path}.text")
    return checks.table({"type": checks.string, "text": checks.string})(part, None, path)["text"]


def extend(item: Item, lead: str, text: str, marks: Sequence[Mark]) -> None:
    """Add a sentence to the assistant's *item*; its *marks* count from the sentence's beginning."""
    if item.cut:
        return
    chars = len(item.text) + len(lead)
    item.text += lead + text
    item.marks += [Mark(item.ms + mark.ms, chars + mark.chars) for mark in marks]


def words(text: str) -> list[str]:
    """Cut *text* before each word: the deltas of a transcript, which joined give *text*."""
    starts = [n for n in range(1, len(text)) if text[n] == " "]
    return [text[a:b] for a, b in pairwise([0, *starts, len(text)])]
