"""Who may interrupt the assistant: what is held, what is cut, and what goes on. Pure.

* ``hold``: a voice that our own VAD hears holds the answer; the server's word
  makes it a cut, and without that it goes on.
* ``managed``: the same, but what the server hears over an answer is only a
  candidate, an `Overlap`, until so much of it was said after the answer fell
  silent that it is no cough and no echo; else it is deleted, and the answer goes on.

Whatever happens meanwhile: a hold has a timer, and `reconsider`, which sees
every input, ends the hold that the facts no longer bear out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rtvoice import effects, inputs
from rtvoice.audio.ledger import Held, Resumed
from rtvoice.audio.pcm import Part
from rtvoice.effects import Effect, Publish, Send
from rtvoice.ipc import events as ipc
from rtvoice.memory import words_heard
from rtvoice.policy import HOLDING, Voice, is_echo, resume_at, spoken_s
from rtvoice.realtime import events
from rtvoice.reports import BY_VOICE, Latency
from rtvoice.states import Hearing
from rtvoice.talk import Talk
from rtvoice.turns import Turns

HOLD_TIMER = "hold"
SPEECH_TIMER = "speech"
PROTECTED_TIMER = "protected"
PROTECTED_S = 60.0
"""So long at most is a `say` protected from being interrupted by a voice."""
RECENT_S = 2.0
"""A voice that began longer ago did not cause the cut of now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Playback is held."""

    at: float
    """The decision, CLOCK_MONOTONIC seconds."""
    cause: str
    """Who heard a voice: ``local_vad`` or ``server_vad``."""
    onset: float | None
    """When the voice began, where that is known."""
    part: Part | None = None
    """What was audible."""
    silence_ms: float = 0.0
    said: str = ""
    """What was heard of it, as far as is known."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """The server hears something over an answer (``managed``), and whether it is speech is to be seen."""

    begun: events.SpeechStarted
    since: float
    """CLOCK_MONOTONIC seconds."""
    text: str = ""
    """What it understood so far."""


@dataclass(slots=True)
class Counts:
    """For `stats`."""

    resumes: int = 0
    false_holds: int = 0
    """Holds after which nobody had spoken."""
    echo_rejections: int = 0
    """Overlaps in which the server understood our own words."""


class Interruption:
    """Holds, overlaps and protection; what is a turn goes on to `Turns`."""

    def __init__(self, talk: Talk, turns: Turns) -> None:
        self.counts = Counts()
        self.hold: Hold | None = None
        self._talk = talk
        self._turns = turns
        self._overlap: Overlap | None = None
        self._rejected: tuple[str, str, str] | None = None
        """The overlap rejected last: its item, what the server understood, and what had been said."""
        self._voice: Voice | None = None
        self._spoken_s = 0.0
        """Voice since the hold, or since the overlap began, up to the end of the last stretch."""
        self._heard_at: float | None = None
        """When what the server heard last was read from the microphone."""
        self._protected = False

    # -------------------------------------------------------------------- our own VAD

    def voice_started(self, event: inputs.VoiceStarted, now: float) -> list[Effect]:
        """Our own VAD hears a voice."""
        if not self._talk.echo.vad or self._talk.mute.on:
            return []
        self._voice = Voice(event.at)
        if self.hold is None and self._may_hold():
            return self._begin_hold("local_vad", event.at, now)
        return self._reschedule(now)

    def voice_stopped(self, event: inputs.VoiceStopped, now: float) -> list[Effect]:
        """It hears it no longer."""
        voice = self._voice
        if voice is None or voice.stopped_at is not None:
            return []
        self._voice = replace(voice, stopped_at=max(event.at, voice.started_at))
        self._spoken_s += spoken_s(self._voice, self._since, now)
        return self._reschedule(now)

    def echo_changed(self, event: inputs.EchoChanged) -> list[Effect]:
        """The echo canceller is in another state."""
        self._talk.echo = event
        if not event.vad:
            self._voice = None
        return [Publish(ipc.Echo(event.mode, event.state, event.lag_ms, event.erle_db, event.reason))]

    # ------------------------------------------------------------------------ the hold

    def held(self, held: Held) -> list[Effect]:
        """Playback is silent, and nothing is lost of it."""
        if self.hold is None:
            return []
        self.hold = replace(self.hold, part=held.part, silence_ms=held.silence_ms)
        if held.part is None:
            return []
        item = self._talk.memory.get(held.part.item_id)
        said = words_heard(item.text, held.played_ms, held.received_ms) if item is not None else ""
        self.hold = replace(self.hold, said=said)
        return [Publish(ipc.Playback(held.part.item_id, "held", held.played_ms))]

    def resumed(self, resumed: Resumed) -> list[Effect]:
        """Playback goes on."""
        if resumed.part is None:
            return []
        self.counts.resumes += 1
        return [Publish(ipc.Playback(resumed.part.item_id, "resumed", resumed.played_ms))]

    def _may_hold(self) -> bool:
        return not isinstance(self._talk.state, Hearing) and self._bears_hold()

    def _bears_hold(self) -> bool:
        """Return whether the facts bear a hold out."""
        talk = self._talk
        if not talk.session.up or talk.mute.on or talk.policy not in HOLDING or talk.answers.protected:
            return False
        return talk.sounding is not None or (talk.policy == "managed" and self._answering)

    @property
    def _answering(self) -> bool:
        """An answer is being made, or to come."""
        return self._talk.answers.accepting is not None or self._talk.expecting

    def _begin_hold(self, cause: str, onset: float | None, now: float) -> list[Effect]:
        self.hold = Hold(now, cause, onset)
        self._spoken_s = 0.0
        return [effects.HoldPlayback(), *self._reschedule(now)]

    def _reschedule(self, now: float) -> list[Effect]:
        """The voice began or ended: see anew when the answer goes on, and when this is speech."""
        told: list[Effect] = []
        if self.hold is not None:
            at = resume_at(self._talk.session.rules, self.hold.at, self._voice)
            if at <= now:
                return self._release(false=True)
            told.append(effects.SetTimer(HOLD_TIMER, at))
        return [*told, *self._listen_on(now)]

    def _release(self, *, false: bool) -> list[Effect]:
        """Let the answer go on; *false*: nobody had spoken."""
        hold, self.hold = self.hold, None
        if hold is None:
            return []
        self.counts.false_holds += false and hold.part is not None
        return [
            effects.ClearTimer(HOLD_TIMER),
            effects.ClearTimer(SPEECH_TIMER),
            effects.ResumePlayback(),
        ]

    def hold_over(self, now: float) -> list[Effect]:
        """The time of a hold has run out."""
        return self.enough(now) or self._release(false=True)

    # --------------------------------------------------------------------- the overlap

    def speech_started(self, event: events.SpeechStarted, now: float) -> list[Effect]:
        """The server hears the user."""
        talk = self._talk
        self._heard_at = event.heard_at
        going_on = talk.sounding is not None or self._answering
        quiet = not (talk.session.up and going_on) or talk.mute.on or isinstance(talk.state, Hearing)
        if talk.policy != "managed" or quiet:
            return self._turns.speech_started(event, now)
        self._overlap = Overlap(event, now)
        if self.hold is None and self._may_hold():
            return self._begin_hold("server_vad", event.heard_at, now)
        if self.hold is None:
            self._spoken_s = 0.0
        return self._listen_on(now)

    def speech_stopped(self, item_id: str, end_ms: int | None, now: float) -> list[Effect]:
        """The server has heard enough silence."""
        return [*self._judged(item_id, now), *self._turns.speech_stopped(item_id, end_ms, now)]

    def committed(self, event: events.Committed, now: float) -> list[Effect]:
        """The utterance stands in the conversation."""
        judged = self._judged(event.item_id, now)
        return [*judged, *self._turns.committed(event.item_id, event.previous_item_id, now)]

    def transcribed(self, item_id: str, text: str, *, final: bool) -> list[Effect]:
        """The server understood something; our own words are no speech."""
        overlap = self._overlap
        if overlap is not None and overlap.begun.item_id == item_id:
            self._overlap = replace(overlap, text=text if final else overlap.text + text)
            if is_echo(self._overlap.text, self._said()):
                return self._reject(open_still=True)
            return []
        if self._rejected is not None and self._rejected[0] == item_id:
            _, before, said = self._rejected
            self._rejected = (item_id, text if final else before + text, said)
            self._count_echo()
        spoken_now = self._talk.state == Hearing(item_id)
        return self._talk.utterances.text(item_id, text, final=final, spoken_now=spoken_now)

    def enough(self, now: float) -> list[Effect]:
        """So much was said that it is speech, if the server thinks so too."""
        return self._accept(now) if self._overlap is not None and self._is_speech(now) else []

    @property
    def _since(self) -> float:
        """From when on a voice counts: before, it may have been our own echo."""
        if self.hold is not None:
            return self.hold.at
        return self._overlap.since if self._overlap is not None else float("inf")

    def _listen_on(self, now: float) -> list[Effect]:
        """See when what is said over the answer is speech."""
        undecided = self._overlap is not None or (self.hold is not None and self._talk.echo.vad)
        if self._talk.policy != "managed" or not undecided:
            return []
        if self._is_speech(now):
            return self.enough(now)
        if not self._talk.echo.vad:
            at = self._certain_at()
        elif self._voice is not None and self._voice.stopped_at is None:
            at = max(now, self._since) + self._speech_s - self._spoken(now)
        else:
            return [effects.ClearTimer(SPEECH_TIMER)]
        return [effects.SetTimer(SPEECH_TIMER, at)]

    def _is_speech(self, now: float) -> bool:
        # Times are sums of floats: a timer must not fire a hair too early for its own condition.
        if self._talk.echo.vad:
            return self._spoken(now) > self._speech_s - 1e-6
        return self._overlap is not None and now > self._certain_at() - 1e-6

    def _spoken(self, now: float) -> float:
        voice = self._voice
        if voice is None or voice.stopped_at is not None:
            return self._spoken_s
        return self._spoken_s + spoken_s(voice, self._since, now)

    @property
    def _speech_s(self) -> float:
        return self._talk.session.rules.speech_ms / 1000

    def _certain_at(self) -> float:
        """Return when it is speech by the server's word alone: it tells of an end only after a silence."""
        assert self._overlap is not None
        session = self._talk.session
        silence_ms = session.config.silence_ms if session.detection == "server_vad" else 0
        certain = self._overlap.since + self._speech_s + silence_ms / 1000
        return min(certain, self._overlap.since + session.rules.hold_max_ms / 1000)

    def _judged(self, item_id: str, now: float) -> list[Effect]:
        """The server heard the overlap's end: now it has to be known what it was."""
        if self._overlap is None or self._overlap.begun.item_id != item_id:
            return []
        return self._accept(now) if self._is_speech(now) else self._reject(open_still=False)

    def _accept(self, now: float) -> list[Effect]:
        """It is speech."""
        overlap, self._overlap = self._overlap, None
        assert overlap is not None
        told: list[Effect] = [effects.ClearTimer(SPEECH_TIMER)]
        if not self._talk.yields:
            return [*told, *self._turns.hear(overlap.begun, None, now), *self._release(false=False)]
        cause = self.hold.cause if self.hold is not None else "server_vad"
        return [*told, *self._turns.hear(overlap.begun, cause, now)]

    def _reject(self, *, open_still: bool) -> list[Effect]:
        """It is none: its item is deleted when it comes, and the answer goes on."""
        overlap, self._overlap = self._overlap, None
        assert overlap is not None
        self._rejected = (overlap.begun.item_id, overlap.text, self._said())
        self._count_echo()
        self._talk.utterances.discarded = overlap.begun.item_id
        # The server would take what is said next for more of the same.
        told: list[Effect] = [Send(events.ClearAudio())] if open_still else []
        return [effects.ClearTimer(SPEECH_TIMER), *told, *self._release(false=True)]

    def _said(self) -> str:
        """Return what was being said, as far as it was heard."""
        if self.hold is not None and self.hold.said:
            return self.hold.said
        part = self._talk.sounding
        item = self._talk.memory.get(part.item_id) if part is not None else None
        return item.text if item is not None else ""

    def _count_echo(self) -> None:
        if self._rejected is not None and is_echo(*self._rejected[1:]):
            self.counts.echo_rejections += 1
            self._rejected = None

    # ------------------------------------------------------------------- what ends it

    def cut(self, cut: inputs.Cut, now: float) -> tuple[Latency, list[Effect]]:
        """Playback was cut, held or not: return how long that took, too."""
        hold, self.hold = self.hold, None
        silence_ms, onset_ms = cut.heard.silence_ms, 0.0
        if cut.cause in BY_VOICE:
            onset, decision = self._onset(now), now
            if hold is not None:
                onset, decision = hold.onset if hold.onset is not None else onset, hold.at
                silence_ms = hold.silence_ms if hold.part is not None else silence_ms
            onset_ms = max(0.0, 1000 * (decision - onset)) if onset is not None else 0.0
        latency = Latency(round(onset_ms, 1) if self._talk.echo.vad else None, round(silence_ms, 1))
        timers = (HOLD_TIMER, SPEECH_TIMER) if hold is not None else ()
        return latency, [effects.ClearTimer(name) for name in timers]

    def _onset(self, now: float) -> float | None:
        """Return when the voice began that the server hears now: by our own VAD, else by its count."""
        known = [self._voice.started_at] if self._voice is not None else []
        known += [self._heard_at] if self._heard_at is not None else []
        return next((at for at in known if now - RECENT_S <= at <= now), None)

    def reconsider(self, now: float) -> list[Effect]:
        """End what the facts no longer bear out; called after every input."""
        talk = self._talk
        told: list[Effect] = []
        if talk.mute.on or not talk.session.up:
            self._voice = None
        if self._overlap is not None:
            if not talk.session.up or talk.session.detection == "none":
                self._overlap = None
            elif talk.pressed_at is not None:
                # Cleared already, and what was kept of the microphone is in the server's buffer again.
                talk.utterances.discarded, self._overlap = self._overlap.begun.item_id, None
            elif talk.mute.on:
                told += self._reject(open_still=True)
            elif talk.policy != "managed":
                told += self._accept(now)
        if self.hold is not None and not self._bears_hold() and not isinstance(talk.state, Hearing):
            told += self._release(false=False)
        return [*told, *self._reprotect(now)]

    def _reprotect(self, now: float) -> list[Effect]:
        """Set a bound to protection; whoever speaks at its end gets the floor."""
        talk = self._talk
        before, self._protected = self._protected, talk.answers.protected
        if self._protected and not before:
            return [effects.SetTimer(PROTECTED_TIMER, now + PROTECTED_S)]
        if before and not self._protected:
            spoken_over = isinstance(talk.state, Hearing) and talk.sounding is not None and talk.yields
            cut: list[Effect] = [effects.CutPlayback("server_vad")] if spoken_over else []
            return [effects.ClearTimer(PROTECTED_TIMER), *cut]
        return []
