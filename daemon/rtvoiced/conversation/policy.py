"""Who may interrupt the assistant, and how long it is held while that is not clear. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from rtvoiced.vocabulary import Detection, Policy, PolicySetting

CLIENT_MANAGED = frozenset({"managed", "manual"})
"""Policies under which the server's VAD neither creates nor interrupts responses."""
HOLDING = frozenset({"hold", "managed"})
"""Policies under which a voice holds playback before anything is cut."""
QUIET_S = 0.2
"""So long must the voice be silent before an answer goes on: pauses within a word are shorter."""
HANGOVER_S = 0.2
"""Our own VAD says that a voice has ended so long after it did: until then it may be over already."""


@dataclass(frozen=True, slots=True)
class InterruptionRules:
    """What is configured."""

    policy: PolicySetting = "auto"
    hold_ms: int = 800
    """So long is an answer held for the server to say that it hears speech."""
    hold_max_ms: int = 2000
    """So long at most, if the voice does not end."""
    speech_ms: int = 300
    """``managed``: so much voice after the answer fell silent is speech; less is a cough, or our own echo."""


DEFAULT = InterruptionRules()


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """What our own VAD hears."""

    started_at: float
    """CLOCK_MONOTONIC seconds of its first voiced block."""
    stopped_at: float | None = None
    """Of its last; None while it goes on."""


def in_force(
    policy: PolicySetting, *, detection: Detection, client_managed_turns: bool, cancels: bool, vad: bool
) -> Policy:
    """Return the policy that can be kept.

    *detection* and *client_managed_turns* are what the server runs with, *cancels* whether
    our own echo is taken out of the microphone, *vad* whether our own VAD runs.
    """
    if detection == "none":
        # Nobody but a person says when a turn begins.
        return "manual"
    if client_managed_turns:
        return policy if policy == "managed" or policy == "manual" else "managed"
    if policy == "hold" or (policy == "auto" and cancels):
        return "hold" if vad else "server"
    return "server"


def resume_at(rules: InterruptionRules, held_at: float, voice: VoiceActivity | None) -> float:
    """Return when an answer that is held since *held_at* goes on, if the server says nothing."""
    latest = held_at + rules.hold_max_ms / 1000
    if voice is None:
        return min(latest, held_at + rules.hold_ms / 1000)
    if voice.stopped_at is None:
        return latest
    return min(latest, max(held_at + rules.hold_ms / 1000, voice.stopped_at + QUIET_S))


def spoken_s(voice: VoiceActivity, since: float, now: float) -> float:
    """Return how long *voice* has sounded since then, as far as is known *now*."""
    until = now - HANGOVER_S if voice.stopped_at is None else voice.stopped_at
    return max(0.0, until - max(since, voice.started_at))


def spoken_at(voice: VoiceActivity, since: float, wanted_s: float) -> float:
    """Return when it will be known that *voice* has sounded for so long since then, if it goes on."""
    return max(since, voice.started_at) + wanted_s + HANGOVER_S


LEAST_WORDS = 3
"""Fewer words anybody may say as well."""
WINDOW_WORDS = 25
"""What was said before these is no echo any more."""
ALIKE = 0.6
"""Of so many of its words an echo is understood right."""


def is_echo(heard: str, said: str) -> bool:
    """Return whether the words *heard* are, in this order, those that were just *said* by ourselves."""
    ours, theirs = _words(said)[-WINDOW_WORDS:], _words(heard)
    if len(theirs) < LEAST_WORDS:
        return False
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= ALIKE * len(theirs)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())
