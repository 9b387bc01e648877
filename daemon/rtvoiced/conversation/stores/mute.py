"""The microphone switched off and on, for a time or until told otherwise. Pure."""

from __future__ import annotations

from rtvoiced.conversation import effects
from rtvoiced.conversation.effects import Effect
from rtvoiced.conversation.inputs import Begun

TIMER = "unmute"


class MuteStore:
    """Whether the microphone is off, and until when."""

    def __init__(self) -> None:
        self.on = False
        self.until: float | None = None
        """Unix seconds, or None."""

    def begun(self, begun: Begun, now: float) -> list[Effect]:
        """Take over what was left by the last run."""
        self.on, self.until = begun.muted, begun.until
        return [effects.SetTimer(TIMER, now + begun.for_s)] if self.on and begun.for_s is not None else []

    def set(self, on: bool, for_s: float | None, until: float | None, now: float) -> list[Effect]:
        """Switch off or on; a mute that is set again keeps only its newest end."""
        self.on, self.until = on, until if on else None
        timer: Effect = effects.ClearTimer(TIMER)
        if on and for_s is not None:
            timer = effects.SetTimer(TIMER, now + for_s)
        return [timer, effects.SaveMute(self.on, self.until)]
