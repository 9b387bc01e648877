"""Who may interrupt the assistant: what is held, what is cut, and what goes on. Pure.

The policy in force (`ConversationState.policy`) decides what a voice means:

* ``server``: the server's word is a turn, and cuts.
* ``hold``: a voice that our own VAD hears holds playback; the server's word
  makes it a cut, and without that playback goes on.
* ``managed``: the same, but what the server hears over a response is only a
  candidate, an `Overlap`, until so much of it was said after playback fell
  silent that it is no cough and no echo; else it is deleted, and playback goes on.
* ``manual``: nobody interrupts by speaking.

What is a turn goes on to `UserTurnHandler`. Whatever happens meanwhile,
`reconsider`, which the machine calls after every input, ends what the facts no
longer bear out: so no input has to think of holds, overlaps or protection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rtvoiced.audio.events import EchoChanged, Held, Resumed, VoiceStarted, VoiceStopped
from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation.effects import ClearTimer, CutPlayback, Effect, Publish, SendEvent, SetTimer
from rtvoiced.conversation.handlers.user_turn import UserTurnHandler
from rtvoiced.conversation.inputs import Cut
from rtvoiced.conversation.phases import Hearing
from rtvoiced.conversation.policy import is_echo
from rtvoiced.conversation.reports import CutLatency
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.stores.holds import Hold, HoldCounts, HoldStore
from rtvoiced.conversation.timers import PROTECTED_S, Timer
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events


@dataclass(frozen=True, slots=True)
class Overlap:
    """The server hears something over a response (``managed``), and whether it is speech is to be seen."""

    begun: events.SpeechStarted
    since: Monotonic
    text: str = ""
    """What the server understood so far."""


@dataclass(frozen=True, slots=True)
class RejectedOverlap:
    """An overlap that was no speech."""

    item_id: str
    text: str
    """What the server understood."""
    said: str
    """What we had been saying."""


class InterruptionHandler:
    """Holds, overlaps and protection."""

    def __init__(self, state: ConversationState, turns: UserTurnHandler) -> None:
        self._state = state
        self._turns = turns
        self._holds = HoldStore(state)
        self._overlap: Overlap | None = None
        self._rejected: RejectedOverlap | None = None
        """The last one, until it is known whether it was an echo."""
        self._protected = False
        """Something is protected, and its timer is set."""

    @property
    def hold(self) -> Hold | None:
        """The hold, if playback is held."""
        return self._holds.hold

    @property
    def counts(self) -> HoldCounts:
        """What `stats` tells of holds and overlaps."""
        return self._holds.counts

    # ------------------------------------------------------------------ what is audible

    def on_voice_started(self, event: VoiceStarted, now: Monotonic) -> list[Effect]:
        """Our own VAD hears a voice."""
        if not self._state.echo.vad or self._state.mute.on:
            return []
        self._holds.on_voice_started(event)
        if self._holds.may_begin() and not self._holds.doubts(now):
            held = self._holds.begin("local_vad", Monotonic(event.at), now)
        else:
            held = self._holds.watch(now)
        return [*held, *self._listen_on(now)]

    def on_voice_stopped(self, event: VoiceStopped, now: Monotonic) -> list[Effect]:
        """Our own VAD hears it no longer."""
        self._holds.on_voice_stopped(event, now)
        return [*self._holds.watch(now), *self._listen_on(now)]

    def on_echo_changed(self, event: EchoChanged) -> list[Effect]:
        """The echo canceller is in another state."""
        self._state.on_echo_changed(event)
        if not event.vad:
            self._holds.forget_voice()
        return [Publish(ipc.Echo(event.mode, event.state, event.lag_ms, event.erle_db, event.reason))]

    def on_held(self, held: Held) -> list[Effect]:
        """Playback is silent, and nothing is lost of it."""
        return self._holds.on_held(held)

    def on_resumed(self, resumed: Resumed) -> list[Effect]:
        """Playback goes on."""
        return self._holds.on_resumed(resumed)

    def on_hold_over(self, now: Monotonic) -> list[Effect]:
        """The time of a hold has run out; what the server hears may still become speech."""
        return self.on_spoken_enough(now) or [*self._holds.give_up(now), *self._listen_on(now)]

    def on_cut(self, cut: Cut, now: Monotonic) -> tuple[CutLatency, list[Effect]]:
        """Playback was cut, held or not: return how long that took, too."""
        return self._holds.on_cut(cut, now)

    # ------------------------------------------------------------- what the server hears

    def on_speech_started(self, event: events.SpeechStarted, now: Monotonic) -> list[Effect]:
        """The server hears the user."""
        state = self._state
        heard_at = Monotonic(event.heard_at) if event.heard_at is not None else None
        self._holds.on_server_heard(heard_at)
        going_on = state.sounding is not None or state.responding
        quiet = not (state.session.up and going_on) or state.mute.on or isinstance(state.phase, Hearing)
        if state.policy != "managed" or quiet:
            return self._turns.on_speech_started(event, now)
        self._overlap = Overlap(event, now)
        effects: list[Effect] = []
        if self._holds.may_begin():
            effects = self._holds.begin("server_vad", heard_at, now)
        elif self._holds.hold is None:
            self._holds.listen(now)
        return [*effects, *self._listen_on(now)]

    def on_speech_stopped(self, event: events.SpeechStopped, now: Monotonic) -> list[Effect]:
        """The server has heard enough silence."""
        judged = self._judge(event.item_id, now)
        return [*judged, *self._turns.on_speech_stopped(event.item_id, event.audio_end_ms, now)]

    def on_committed(self, event: events.Committed, now: Monotonic) -> list[Effect]:
        """The utterance stands in the conversation."""
        judged = self._judge(event.item_id, now)
        return [*judged, *self._turns.on_committed(event.item_id, event.previous_item_id, now)]

    def on_user_transcript(self, item_id: str, text: str, *, final: bool) -> list[Effect]:
        """The server understood something; our own words are no speech."""
        overlap, rejected = self._overlap, self._rejected
        if overlap is not None and overlap.begun.item_id == item_id:
            self._overlap = replace(overlap, text=text if final else overlap.text + text)
            return self._reject(open_still=True) if is_echo(self._overlap.text, self._said()) else []
        if rejected is not None and rejected.item_id == item_id:
            self._rejected = replace(rejected, text=text if final else rejected.text + text)
            self._count_echo()
        spoken_now = self._state.phase == Hearing(item_id)
        return self._state.utterances.on_transcript(item_id, text, final=final, spoken_now=spoken_now)

    # --------------------------------------------------------------------- the overlap

    def on_spoken_enough(self, now: Monotonic) -> list[Effect]:
        """So much was said that it is speech, if the server thinks so too."""
        return self._accept(now) if self._overlap is not None and self._is_speech(now) else []

    def _listen_on(self, now: Monotonic) -> list[Effect]:
        """See when what is said over a response is speech."""
        undecided = self._overlap is not None or (self.hold is not None and self._state.echo.vad)
        if self._state.policy != "managed" or not undecided:
            return []
        if self._is_speech(now):
            return self.on_spoken_enough(now)
        at = self._holds.spoken_at(self._speech_s) if self._state.echo.vad else self._certain_at()
        return [ClearTimer(Timer.SPEECH) if at is None else SetTimer(Timer.SPEECH, at)]

    def _is_speech(self, now: Monotonic) -> bool:
        # Times are sums of floats: a timer must not fire a hair too early for its own condition.
        if self._state.echo.vad:
            return self._holds.spoken_s(now) > self._speech_s - 1e-6
        return self._overlap is not None and now > self._certain_at() - 1e-6

    @property
    def _speech_s(self) -> float:
        return self._state.session.rules.speech_ms / 1000

    def _certain_at(self) -> Monotonic:
        """Return when it is speech by the server's word alone: it tells of an end only after a silence."""
        assert self._overlap is not None
        session = self._state.session
        silence_ms = session.config.silence_ms if session.detection == "server_vad" else 0
        certain = later(later(self._overlap.since, self._speech_s), silence_ms / 1000)
        return min(certain, later(self._overlap.since, session.rules.hold_max_ms / 1000))

    def _judge(self, item_id: str, now: Monotonic) -> list[Effect]:
        """Decide what an overlap was whose end the server has heard."""
        if self._overlap is None or self._overlap.begun.item_id != item_id:
            return []
        return self._accept(now) if self._is_speech(now) else self._reject(open_still=False)

    def _accept(self, now: Monotonic) -> list[Effect]:
        """Make a turn of the overlap: it is speech."""
        overlap, self._overlap = self._overlap, None
        assert overlap is not None
        effects: list[Effect] = [ClearTimer(Timer.SPEECH)]
        if not self._state.yields:
            return [*effects, *self._turns.begin(overlap.begun, None, now), *self._holds.release(false=False)]
        cause = self.hold.cause if self.hold is not None else "server_vad"
        return [*effects, *self._turns.begin(overlap.begun, cause, now)]

    def _reject(self, *, open_still: bool) -> list[Effect]:
        """Let playback go on: the overlap is no speech, and its item is deleted when it comes."""
        overlap, self._overlap = self._overlap, None
        assert overlap is not None
        self._rejected = RejectedOverlap(overlap.begun.item_id, overlap.text, self._said())
        self._count_echo()
        self._state.utterances.discard(overlap.begun.item_id)
        # The server would take what is said next for more of the same.
        cleared: list[Effect] = [SendEvent(events.ClearAudio())] if open_still else []
        return [ClearTimer(Timer.SPEECH), *cleared, *self._holds.release(false=True)]

    def _said(self) -> str:
        """Return what was being said, as far as it was heard."""
        if self.hold is not None and self.hold.said:
            return self.hold.said
        part = self._state.sounding
        item = self._state.history.get(part.item_id) if part is not None else None
        return item.text if item is not None else ""

    def _count_echo(self) -> None:
        if self._rejected is not None and is_echo(self._rejected.text, self._rejected.said):
            self.counts.echo_rejected()
            self._rejected = None

    # ------------------------------------------------------------------- what ends it

    def reconsider(self, now: Monotonic) -> list[Effect]:
        """End what the facts no longer bear out; called after every input."""
        state = self._state
        effects: list[Effect] = []
        if state.mute.on or not state.session.up:
            self._holds.forget_voice()
        if self._overlap is not None:
            effects += self._reconsider_overlap(self._overlap, now)
        if self.hold is not None and not self._holds.is_borne_out() and not isinstance(state.phase, Hearing):
            effects += self._holds.release(false=False)
        return [*effects, *self._reconsider_protection(now)]

    def _reconsider_overlap(self, overlap: Overlap, now: Monotonic) -> list[Effect]:
        state = self._state
        if not state.session.up or state.session.detection == "none":
            self._overlap = None
        elif state.push_to_talk.pressed:
            # Cleared already, and what was kept of the microphone is in the server's buffer again.
            state.utterances.discard(overlap.begun.item_id)
            self._overlap = None
        elif state.mute.on:
            return self._reject(open_still=True)
        elif state.policy != "managed":
            return self._accept(now)
        elif not (state.sounding or state.responding) and (self._holds.voiced or not state.echo.vad):
            # There is nothing any more that a cough could disturb: it is a turn.
            return self._accept(now)
        return []

    def _reconsider_protection(self, now: Monotonic) -> list[Effect]:
        """Set a bound to protection; whoever speaks at its end gets the floor."""
        state = self._state
        before, self._protected = self._protected, state.responses.protected
        if self._protected and not before:
            return [SetTimer(Timer.PROTECTED, later(now, PROTECTED_S))]
        if before and not self._protected:
            spoken_over = isinstance(state.phase, Hearing) and state.sounding is not None and state.yields
            cut: list[Effect] = [CutPlayback("server_vad")] if spoken_over else []
            return [ClearTimer(Timer.PROTECTED), *cut]
        return []
