"""Whether the microphone is off, and until when. Pure.

Written by `CommandHandler` (the command `mute`, and its timer) and by the
machine at the start of the daemon, which takes over what the last run left. The
daemon's shell keeps both facts over a restart (`SaveMute`): a microphone that
somebody switched off stays off.
"""

from __future__ import annotations

from rtvoiced.clocks import Monotonic, WallClock, later
from rtvoiced.conversation import effects
from rtvoiced.conversation.effects import Effect
from rtvoiced.conversation.inputs import Begun
from rtvoiced.conversation.timers import Timer


class MuteStore:
    """The microphone, switched off or on."""

    def __init__(self) -> None:
        self.on = False
        """The microphone is off."""
        self.until: WallClock | None = None
        """When it opens again by itself, or None."""

    def begin(self, begun: Begun, now: Monotonic) -> list[Effect]:
        """Take over what the last run left."""
        self.on, self.until = begun.muted, begun.until
        if not self.on or begun.for_s is None:
            return []
        return [effects.SetTimer(Timer.UNMUTE, later(now, begun.for_s))]

    def set(self, on: bool, for_s: float | None, until: WallClock | None, now: Monotonic) -> list[Effect]:
        """Switch the microphone off (*on*) or on; a mute that is set again keeps only its newest end.

        *for_s* and *until* tell the same end, by either clock; None: until somebody unmutes.
        """
        self.on, self.until = on, until if on else None
        timer: Effect = effects.ClearTimer(Timer.UNMUTE)
        if on and for_s is not None:
            timer = effects.SetTimer(Timer.UNMUTE, later(now, for_s))
        return [timer, effects.SaveMute(self.on, self.until)]
