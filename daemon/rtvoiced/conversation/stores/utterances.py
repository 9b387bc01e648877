"""What the user says: items and words, but for an utterance that was discarded. Pure."""

from __future__ import annotations

from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.vocabulary import SpeechEnd, SpeechSource


class UtteranceStore:
    """The user's side of the history."""

    def __init__(self, history: HistoryStore) -> None:
        self.discarded: str | None = None
        """The utterance that was ended last without a trace; what the server still makes of it is dropped."""
        self._history = history

    def added(self, item_id: str, role: str | None, previous: str | None) -> None:
        """An item stands in the conversation, after *previous*."""
        if role == "user" and item_id != self.discarded:
            self._history.add(item_id, "user", previous)

    def text(self, item_id: str, text: str, *, final: bool, spoken_now: bool) -> list[Effect]:
        """Words of an utterance, which may still go on: *spoken_now*."""
        item = self._history.get(item_id)
        if item is None:
            if not spoken_now:
                return []
            item = self._history.add(item_id, "user")
        item.text = text if final else item.text + text
        return [Publish(ipc.UserTranscript(item_id, text, final))]

    def discard(self, item_id: str, reason: SpeechEnd) -> list[Effect]:
        """End an open utterance and have nothing made of it."""
        self.discarded = item_id
        self._history.remove(item_id)
        return [SendEvent(events.ClearAudio()), stopped(item_id, None, reason)]


def stopped(item_id: str | None, end_ms: int | None, reason: SpeechEnd) -> Effect:
    """Return what subscribers are told when an utterance is over; without an id it was push-to-talk."""
    source: SpeechSource = "push_to_talk" if item_id is None else "server"
    return Publish(ipc.SpeechStopped(item_id, end_ms, source, reason))


def not_transcribed(item_id: str, message: str) -> Effect:
    """Return what subscribers are told when nobody could write an utterance down."""
    error = ipc.Error("internal", f"transcription failed: {message}", details={"item_id": item_id})
    return Publish(error)
