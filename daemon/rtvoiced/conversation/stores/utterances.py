"""What the user says: the items of utterances and their words, but for what was discarded. Pure.

Written by `UserTurnHandler` and `InterruptionHandler`. An utterance can be
ended without a trace (muted, pressed over, a cough over a response); the server
may still make an item, words or even a response of it. The id of the newest of
these is kept here, so that whatever comes of it is dropped.
"""

from __future__ import annotations

from rtvoiced.conversation.effects import Effect, Publish, SendEvent
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from rtvoiced.vocabulary import SpeechEnd, SpeechSource


class UtteranceStore:
    """The user's side of the history."""

    def __init__(self, history: HistoryStore) -> None:
        self._discarded: str | None = None
        """The utterance that was ended last without a trace."""
        self._history = history

    def is_discarded(self, item_id: str) -> bool:
        """Return whether what the server makes of this utterance is dropped."""
        return item_id == self._discarded

    def discard(self, item_id: str) -> None:
        """Drop what the server still makes of this utterance."""
        self._discarded = item_id

    def on_turn(self) -> None:
        """A turn begins that counts: nothing comes any more of what was discarded before."""
        self._discarded = None

    def on_session_gone(self) -> None:
        """The session that heard what was discarded is over."""
        self._discarded = None

    def on_item_added(self, item_id: str, role: str | None, previous: str | None) -> None:
        """Keep the user's item, which stands in the conversation after *previous*."""
        if role == "user" and not self.is_discarded(item_id):
            self._history.add(item_id, "user", previous)

    def on_transcript(self, item_id: str, text: str, *, final: bool, spoken_now: bool) -> list[Effect]:
        """Keep the words of an utterance, which may still go on (*spoken_now*).

        *text* is all of them where it is *final*, else those that come next.
        """
        item = self._history.get(item_id)
        if item is None:
            if not spoken_now:
                return []
            item = self._history.add(item_id, "user")
        if final:
            item.write(text)
        else:
            item.append(text)
        return [Publish(ipc.UserTranscript(item_id, text, final))]

    def end_discarded(self, item_id: str, reason: SpeechEnd) -> list[Effect]:
        """End an utterance that goes on, and have nothing made of it."""
        self.discard(item_id)
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
