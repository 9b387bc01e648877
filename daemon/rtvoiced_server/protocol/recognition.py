"""What of the user's audio is being recognised, or waits for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rtvoiced_server.answers import simulations
from rtvoiced_server.protocol import transcripts
from rtvoiced_server.protocol.conversation import Conversation
from rtvoiced_server.protocol.items import Item, Message
from rtvoiced_server.protocol.parts import Heard
from rtvoiced_server.protocol.wire import Hear, Json

MOST_AT_ONCE = 4
"""That the ears of all sessions are asked for: each holds its audio."""
MOST_MS = 30_000
"""Of one item: the ears listen no longer."""
MOST = 500
"""That wait: what is more is not recognised."""


@dataclass(slots=True)
class _Task:
    item: Message
    parts: list[int]
    """Which parts are still to be heard; one after the other."""
    transcription: Json | None
    """The settings of the transcription; None where nothing is told."""
    asked: bool = False


class Recognition:
    """Every item whose words are not known yet."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._tasks: dict[str, _Task] = {}

    def begin(self, key: str, item: Item, transcription: Json | None) -> list[Json]:
        """Have the audio in *item* recognised, as *key*; return what is to be told of it at once."""
        if not isinstance(item, Message):
            return []
        heard = [(n, part) for n, part in enumerate(item.parts) if isinstance(part, Heard)]
        unknown = [n for n, part in heard if part.transcript is None]
        if not unknown:
            return []
        if len(self._tasks) >= MOST:
            message = f"{MOST} items wait for their transcription already."
            return [transcripts.failed(item.id, n, message) for n in unknown if transcription is not None]
        self._tasks[key] = _Task(item, unknown, transcription)
        return []

    def due(self, phrases: tuple[str, ...]) -> list[Hear]:
        """Return what the ears are to be asked now; *phrases* are what else may be said."""
        room = MOST_AT_ONCE - sum(task.asked for task in self._tasks.values())
        waiting = [(key, task) for key, task in self._tasks.items() if not task.asked]
        orders: list[Hear] = []
        for key, task in waiting[: max(0, room)]:
            task.asked = True
            orders.append(Hear(key, _part(task).beginning(MOST_MS), phrases))
        return orders

    def heard(self, key: str, text: str | None) -> list[Json]:
        """Take the words of what was asked as *key*, None when the ears failed; return what is told of it."""
        task = self._tasks.get(key)
        if task is None:
            return []
        part, content_index = _part(task), task.parts.pop(0)
        task.asked = False
        if not task.parts:
            del self._tasks[key]
        if text is not None and simulations.unheard(text):
            text = None
        part.words = text or ""
        if task.transcription is None or self._conversation.find(task.item.id) is not task.item:
            return []
        if text is None:
            return [transcripts.failed(task.item.id, content_index, "The recogniser failed.")]
        return transcripts.completed(task.item.id, content_index, part, task.transcription)

    def forget(self, keys: Iterable[str]) -> None:
        """Let go of the audio of *keys*, where only a response that is over was given it."""
        for key in keys:
            item = self._tasks[key].item
            if self._conversation.find(item.id) is not item:
                item.silence()

    def awaited(self, context: Sequence[Item]) -> set[str]:
        """Return what of *context* is not known yet, by its keys."""
        return {key for key, task in self._tasks.items() if _holds(context, task.item)}

    def waits(self, key: str) -> bool:
        """Whether something of *key* is still to be heard."""
        return key in self._tasks


def _part(task: _Task) -> Heard:
    part = task.item.parts[task.parts[0]]
    assert isinstance(part, Heard)
    return part


def _holds(context: Iterable[Item], item: Item) -> bool:
    return any(one is item for one in context)
