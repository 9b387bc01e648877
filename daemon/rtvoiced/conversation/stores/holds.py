"""A response that is held while it is not clear whether somebody speaks; and what our own VAD hears. Pure.

Written by `InterruptionHandler`. A hold silences playback and keeps its queue
(`HoldPlayback`); it ends with a cut, or with `ResumePlayback`. It has a timer
from its first moment, whatever the policy, so nothing is held for ever.

The voice of our own VAD is kept here, too, for it says how long a hold lasts
and how much was spoken since playback fell silent (`listen`): what sounded
before may have been our own echo.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from rtvoiced.audio.events import Held, Resumed, VoiceStarted, VoiceStopped
from rtvoiced.clocks import Monotonic, later
from rtvoiced.conversation.effects import ClearTimer, Effect, HoldPlayback, Publish, ResumePlayback, SetTimer
from rtvoiced.conversation.inputs import Cut
from rtvoiced.conversation.phases import Hearing
from rtvoiced.conversation.policy import HOLDING, VoiceActivity, resume_at, spoken_at, spoken_s
from rtvoiced.conversation.reports import BY_VOICE, CutLatency
from rtvoiced.conversation.state import ConversationState
from rtvoiced.conversation.timers import Timer
from rtvoiced.dsp.pcm import Part
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.vocabulary import HoldCause

MOST_IN_VAIN, IN_VAIN_S = 2, 5.0
"""After two holds for nothing within 5 s our VAD holds nothing more: it may hear what is played again."""
RECENT_S = 2.0
"""How long ago a voice may have begun that caused the cut of now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Playback is held."""

    at: Monotonic
    """When it was decided."""
    cause: HoldCause
    """Who heard a voice: ``local_vad`` or ``server_vad``."""
    onset: Monotonic | None
    """When the voice began, where that is known."""
    part: Part | None = None
    """What was audible."""
    silence_ms: float = 0.0
    """How long it took from the decision to silence."""
    said: str = ""
    """What was heard of the item, as far as is known."""


@dataclass(slots=True)
class HoldCounts:
    """What `stats` tells of holds and overlaps."""

    resumes: int = 0
    false_holds: int = 0
    """Holds after which nobody had spoken."""
    echo_rejections: int = 0
    """Overlaps in which the server understood our own words."""

    def resumed(self) -> None:
        """Count a hold after which playback went on."""
        self.resumes += 1

    def held_for_nothing(self) -> None:
        """Count a hold after which nobody had spoken."""
        self.false_holds += 1

    def echo_rejected(self) -> None:
        """Count an overlap that was our own echo."""
        self.echo_rejections += 1


class HoldStore:
    """The hold, if there is one, and the voice, as our own VAD hears it."""

    def __init__(self, state: ConversationState) -> None:
        self.hold: Hold | None = None
        """The hold, while playback is held."""
        self.counts = HoldCounts()
        self._heard_at: Monotonic | None = None
        """When what the server heard last was read from the microphone."""
        self._state = state
        self._voice: VoiceActivity | None = None
        self._spoken_s = 0.0
        """How much of voices that are over was heard since `listen`."""
        self._since = Monotonic(float("inf"))
        self._in_vain: deque[Monotonic] = deque(maxlen=MOST_IN_VAIN)
        """When the last holds for nothing were given up."""

    # ----------------------------------------------------------------------- the voice

    def on_voice_started(self, event: VoiceStarted) -> None:
        """Know that our own VAD hears a voice."""
        self._voice = VoiceActivity(Monotonic(event.at))

    def on_voice_stopped(self, event: VoiceStopped, now: Monotonic) -> None:
        """Know that our own VAD hears the voice no longer."""
        if self._voice is not None and self.voiced:
            stopped_at = max(Monotonic(event.at), self._voice.started_at)
            self._voice = replace(self._voice, stopped_at=stopped_at)
            self._spoken_s += spoken_s(self._voice, self._since, now)

    def on_server_heard(self, heard_at: Monotonic | None) -> None:
        """Know when the voice was read from the microphone that the server hears now."""
        self._heard_at = heard_at

    @property
    def voiced(self) -> bool:
        """Our own VAD hears a voice now."""
        return self._voice is not None and self._voice.stopped_at is None

    def forget_voice(self) -> None:
        """Know no voice: nobody listens any more."""
        self._voice = None

    def listen(self, now: Monotonic) -> None:
        """Measure what is said from now on: what sounded before may have been our own echo."""
        self._since, self._spoken_s = now, 0.0

    def spoken_s(self, now: Monotonic) -> float:
        """Return how much voice there was since `listen`, as far as is known, in seconds."""
        if self._voice is None or self._voice.stopped_at is not None:
            return self._spoken_s
        return self._spoken_s + spoken_s(self._voice, self._since, now)

    def spoken_at(self, wanted_s: float) -> Monotonic | None:
        """Return when it will be *wanted_s*, if the voice goes on; None while there is none."""
        if self._voice is None or self._voice.stopped_at is not None:
            return None
        return spoken_at(self._voice, self._since, wanted_s - self._spoken_s)

    # ------------------------------------------------------------------------ the hold

    def may_begin(self) -> bool:
        """Return whether there is something to hold, and nothing against it."""
        return self.hold is None and not isinstance(self._state.phase, Hearing) and self.is_borne_out()

    def doubts(self, now: Monotonic) -> bool:
        """Return whether our own VAD held playback for nothing again and again."""
        return len(self._in_vain) == MOST_IN_VAIN and now - self._in_vain[0] < IN_VAIN_S

    def is_borne_out(self) -> bool:
        """Return whether the facts bear a hold out."""
        state = self._state
        if not state.session.up or state.mute.on or state.policy not in HOLDING or state.responses.protected:
            return False
        return state.sounding is not None or (state.policy == "managed" and state.responding)

    def begin(self, cause: HoldCause, onset: Monotonic | None, now: Monotonic) -> list[Effect]:
        """Hold playback."""
        self.hold = Hold(now, cause, onset)
        self.listen(now)
        return [HoldPlayback(), *self.watch(now)]

    def watch(self, now: Monotonic) -> list[Effect]:
        """Set the hold's end, by what the voice does; where that is past, the hold is given up."""
        if self.hold is None:
            return []
        at = resume_at(self._state.session.rules, self.hold.at, self._voice)
        return [SetTimer(Timer.HOLD, at)] if at > now else self.give_up(now)

    def on_held(self, held: Held) -> list[Effect]:
        """Know where playback was held: it is silent, and nothing is lost of it."""
        if self.hold is None:
            return []
        self.hold = replace(self.hold, part=held.part, silence_ms=held.silence_ms)
        if held.part is None:
            return []
        item = self._state.history.get(held.part.item_id)
        if item is not None:
            whole = not item.arrival.beside
            said = item.arrival.heard(item.text, held.played_ms, held.received_ms, whole=whole)
            self.hold = replace(self.hold, said=said)
        return [Publish(ipc.Playback(held.part.item_id, "held", held.played_ms))]

    def give_up(self, now: Monotonic) -> list[Effect]:
        """Let playback go on, for nobody spoke."""
        self._in_vain.append(now)
        return self.release(false=True)

    def release(self, *, false: bool) -> list[Effect]:
        """Let playback go on; *false*: nobody had spoken."""
        hold, self.hold = self.hold, None
        if hold is None:
            return []
        if false and hold.part is not None:
            self.counts.held_for_nothing()
        return [ClearTimer(Timer.HOLD), ClearTimer(Timer.SPEECH), ResumePlayback()]

    def on_resumed(self, resumed: Resumed) -> list[Effect]:
        """Tell that playback goes on."""
        if resumed.part is None:
            return []
        self.counts.resumed()
        return [Publish(ipc.Playback(resumed.part.item_id, "resumed", resumed.played_ms))]

    # ------------------------------------------------------------------------- the cut

    def on_cut(self, cut: Cut, now: Monotonic) -> tuple[CutLatency, list[Effect]]:
        """End the hold, for playback was cut, held or not: return how long that took, too."""
        hold, self.hold = self.hold, None
        silence_ms, onset_ms = cut.heard.silence_ms, 0.0
        if cut.cause in BY_VOICE:
            onset, decision = self._onset(now), now
            if hold is not None:
                onset, decision = hold.onset if hold.onset is not None else onset, hold.at
                silence_ms = hold.silence_ms if hold.part is not None else silence_ms
            onset_ms = max(0.0, 1000 * (decision - onset)) if onset is not None else 0.0
        latency = CutLatency(round(onset_ms, 1) if self._state.echo.vad else None, round(silence_ms, 1))
        if hold is None:
            return latency, []
        return latency, [ClearTimer(Timer.HOLD), ClearTimer(Timer.SPEECH)]

    def _onset(self, now: Monotonic) -> Monotonic | None:
        """Return when the voice began that the server hears now: by our own VAD, else by its count."""
        known = [self._voice.started_at] if self._voice is not None else []
        known += [self._heard_at] if self._heard_at is not None else []
        return next((at for at in known if later(now, -RECENT_S) <= at <= now), None)
