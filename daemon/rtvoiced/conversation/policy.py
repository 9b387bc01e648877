"""Who may interrupt the assistant, and how long it is held while that is not clear. Pure.

The rules of interruption, as plain functions over facts: which policy is in
force, when a response that is held goes on, how much of a voice was heard, and
whether what the server understood is our own echo. `InterruptionHandler` and
`HoldStore` ask them; nothing here remembers anything.

>>> in_force("auto", detection="none", client_managed_turns=False, cancels=True, vad=True)
'manual'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from rtvoiced.clocks import Monotonic, later
from rtvoiced.vocabulary import Detection, Policy, PolicySetting

CLIENT_MANAGED = frozenset({"managed", "manual"})
"""Policies under which the server's VAD neither creates nor interrupts responses."""
HOLDING = frozenset({"hold", "managed"})
"""Policies under which a voice holds playback before anything is cut."""
QUIET_S = 0.2
"""How long the voice must be silent before a held response goes on: pauses within a word are shorter."""
HANGOVER_S = 0.2
"""How late our own VAD says that a voice has ended: until then the voice may be over already."""


@dataclass(frozen=True, slots=True)
class InterruptionRules:
    """The settings of `interruption`."""

    policy: PolicySetting = "auto"
    hold_ms: int = 800
    """How long a response is held for the server to say that it hears speech."""
    hold_max_ms: int = 2000
    """How long it is held at most, if the voice does not end."""
    speech_ms: int = 300
    """``managed``: so much voice after playback fell silent is speech; less is a cough, or our own echo."""


DEFAULT = InterruptionRules()


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """A voice that our own VAD hears, or heard last."""

    started_at: Monotonic
    """When its first voiced block was read."""
    stopped_at: Monotonic | None = None
    """When its last one was; None while it goes on."""


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


def resume_at(rules: InterruptionRules, held_at: Monotonic, voice: VoiceActivity | None) -> Monotonic:
    """Return when a response that is held since *held_at* goes on, if the server says nothing."""
    latest = later(held_at, rules.hold_max_ms / 1000)
    earliest = later(held_at, rules.hold_ms / 1000)
    if voice is None:
        return min(latest, earliest)
    if voice.stopped_at is None:
        return latest
    return min(latest, max(earliest, later(voice.stopped_at, QUIET_S)))


def spoken_s(voice: VoiceActivity, since: Monotonic, now: Monotonic) -> float:
    """Return how long *voice* has sounded since *since*, as far as is known *now*, in seconds."""
    until = now - HANGOVER_S if voice.stopped_at is None else voice.stopped_at
    return max(0.0, until - max(since, voice.started_at))


def spoken_at(voice: VoiceActivity, since: Monotonic, wanted_s: float) -> Monotonic:
    """Return when it will be known that *voice* has sounded for *wanted_s* since *since*, if it goes on."""
    return Monotonic(max(since, voice.started_at) + wanted_s + HANGOVER_S)


LEAST_WORDS = 3
"""Anybody may say fewer words than these that we have said, too: they are no echo."""
WINDOW_WORDS = 25
"""How many of our newest words an echo can repeat: what was said before them does not sound any more."""
ALIKE = 0.6
"""What share of the words that a recogniser understands in an echo are really ours, at least."""


def is_echo(heard: str, said: str) -> bool:
    """Return whether the words *heard* are, in this order, those that were just *said* by ourselves."""
    ours, theirs = _words(said)[-WINDOW_WORDS:], _words(heard)
    if len(theirs) < LEAST_WORDS:
        return False
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= ALIKE * len(theirs)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())
