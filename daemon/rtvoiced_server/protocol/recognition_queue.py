"""The audio of the user that is being recognised, or waits for it.

An item with audio is put in when it comes into the conversation, or into the
input of a response. The queue asks for the recognition of its parts, a few at a
time and those of one item one after the other, and tells the transcriptions of
items that are still in the conversation. A response whose context is not known yet
waits for the keys that `awaited` returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rtvoiced_server.answers import simulations
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import transcripts
from rtvoiced_server.protocol.audio_port import AudioProcessing
from rtvoiced_server.protocol.content_parts import InputAudioPart
from rtvoiced_server.protocol.default_conversation import DefaultConversation
from rtvoiced_server.protocol.items import ConversationEntry, MessageItem
from rtvoiced_server.protocol.outputs import RecogniseAudio

MOST_AT_ONCE = 4
"""How many parts of this session the recogniser pool is asked for at a time: each holds its audio."""
MOST_MS = 30_000
"""How much of a part is recognised: the recogniser pool takes no more."""
MOST_WAITING = 500
"""How many items may wait; what comes on top of them is not recognised."""


@dataclass(slots=True)
class _Recognition:
    """One item whose words are not known yet."""

    item: MessageItem
    parts: list[int]
    """Which parts are still to be recognised, one after the other."""
    transcription: Json | None
    """The settings of the transcription; None where nobody is told of it."""
    asked: bool = False
    """Whether the recogniser pool has its first part."""


class RecognitionQueue:
    """All items of a session whose words are not known yet, by their keys."""

    def __init__(self, conversation: DefaultConversation, audio: AudioProcessing) -> None:
        self._conversation = conversation
        self._audio = audio
        self._waiting: dict[str, _Recognition] = {}

    def begin(self, key: str, item: ConversationEntry, transcription: Json | None) -> list[Json]:
        """Have the audio in *item* recognised, as *key*; return the events that tell that it can't be."""
        if not isinstance(item, MessageItem):
            return []
        audible = [(n, part) for n, part in enumerate(item.parts) if isinstance(part, InputAudioPart)]
        unknown = [n for n, part in audible if part.transcript is None]
        if not unknown:
            return []
        if len(self._waiting) >= MOST_WAITING:
            message = f"{MOST_WAITING} items wait for their transcription already."
            return [transcripts.failed(item.id, n, message) for n in unknown if transcription is not None]
        self._waiting[key] = _Recognition(item, unknown, transcription)
        return []

    def due(self, phrases: tuple[str, ...]) -> list[RecogniseAudio]:
        """Return what is to be recognised now; *phrases* are what else may be said."""
        room = MOST_AT_ONCE - sum(task.asked for task in self._waiting.values())
        idle = [(key, task) for key, task in self._waiting.items() if not task.asked]
        orders: list[RecogniseAudio] = []
        for key, task in idle[: max(0, room)]:
            task.asked = True
            orders.append(RecogniseAudio(key, _part(task).beginning(MOST_MS, self._audio), phrases))
        return orders

    def on_recognised(self, key: str, text: str | None) -> list[Json]:
        """Take the words of what was asked as *key*, None when the recogniser failed; return its events."""
        task = self._waiting.get(key)
        if task is None:
            return []
        part, content_index = _part(task), task.parts.pop(0)
        task.asked = False
        if not task.parts:
            del self._waiting[key]
        if text is not None and simulations.asks_for_failed_transcription(text):
            text = None
        part.words = text or ""
        if task.transcription is None or self._conversation.find(task.item.id) is not task.item:
            return []
        if text is None:
            return [transcripts.failed(task.item.id, content_index, "The recogniser failed.")]
        return transcripts.completed(task.item.id, content_index, part, task.transcription)

    def forget(self, keys: Iterable[str]) -> None:
        """Let go of the audio of *keys* that only a response had which is over now."""
        for key in keys:
            item = self._waiting[key].item
            if self._conversation.find(item.id) is not item:
                item.drop_audio()

    def awaited(self, context: Sequence[ConversationEntry]) -> set[str]:
        """Return the keys of what in *context* is not known yet."""
        return {key for key, task in self._waiting.items() if _holds(context, task.item)}

    def waits(self, key: str) -> bool:
        """Tell whether something of *key* is still to be recognised."""
        return key in self._waiting


def _part(task: _Recognition) -> InputAudioPart:
    part = task.item.parts[task.parts[0]]
    assert isinstance(part, InputAudioPart)
    return part


def _holds(context: Iterable[ConversationEntry], item: ConversationEntry) -> bool:
    return any(one is item for one in context)
