"""Every timer of the conversation, and how long it runs. Pure.

The conversation reads no clock. It asks for a timer with the effect `SetTimer`,
takes it back with `ClearTimer`, and gets the input `TimerFired` when it has run
out. Whatever the conversation waits for has one of these timers, so nothing can
wait for ever; the machine's dispatch names each of them, and mypy holds it to
that.

A timer that is set again starts anew. A `Timer` exists once; the command that
waits for its reply has a `ReplyTimer` of its own, told apart by its ticket.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RESPONSE_S = 15.0
"""From the end of speech, or from a ``response.create``, to ``response.created``."""
DELTA_S = 30.0
"""From one event of a response to the next."""
HEARING_S = 120.0
"""The longest utterance: a VAD that hears speech for longer is stuck, and nobody holds a key for so long."""
CANCELLED_S = 5.0
"""From a cut to ``response.done``: some servers send none after a cancel."""
ASK_AGAIN_S = 1.0
"""From the refusal of a request that met another response to the next try."""
PROTECTED_S = 60.0
"""The longest that a `say` is protected from being interrupted by a voice."""
CONFIGURE_S = 5.0
"""From the first ``session.update`` of a session to ``session.updated``."""
CHANGE_S = 2.0
"""From a later ``session.update`` (`set-voice`, `set`, push-to-talk) to its answer."""


class Timer(StrEnum):
    """A timer of which there is one: what is late, or over, when it runs out."""

    HEARING = "hearing"
    """The user speaks, or presses to talk, for `HEARING_S`."""
    RESPONSE_CREATED = "response.created"
    """A response was asked for, or a turn is over, and it has not begun for `RESPONSE_S`."""
    DELTA = "delta"
    """The active response has said nothing for `DELTA_S`, or, once it was cut, `CANCELLED_S`."""
    ASK = "ask"
    """A request that met another response is tried again after `ASK_AGAIN_S`."""
    HOLD = "hold"
    """Playback was held as long as the policy allows (`policy.resume_at`)."""
    SPEECH = "speech"
    """So much voice was heard over a response that it is speech (`policy.spoken_at`)."""
    PROTECTED = "protected"
    """A `say` was protected for `PROTECTED_S`."""
    UNMUTE = "unmute"
    """A mute for a time is over."""
    CONFIGURE = "session.updated"
    """The server has not taken the session's configuration for `CONFIGURE_S`."""
    CHANGE = "change"
    """The server has not answered a change of the session for `CHANGE_S`."""


@dataclass(frozen=True, slots=True)
class ReplyTimer:
    """The timer of one command that waits for its reply: it runs out when its client gives up."""

    ticket: int

    def __str__(self) -> str:
        """Return a name for logs."""
        return f"wait-{self.ticket}"


TimerKey = Timer | ReplyTimer
"""What a timer is set, cleared and known by."""
