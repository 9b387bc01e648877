"""The loop that joins everything: inputs → `Conversation` → effects.

Whoever learns of something posts an input into the mailbox: the link, the audio
reports, the timers, the commands, the signals. The mailbox wakes `dispatch`, which
asks the conversation what is to be done and has the effects carried out. Its
invariants:

* Everything happens in the loop's thread, and `dispatch` never waits.
* One input at a time: what is posted meanwhile waits its turn, in order.
* An input that comes of an effect is handled in the same turn of the loop. A cut
  is therefore one synchronous call, from the voice to the truncation.
* A bug ends the process with status 70 (`Lifetime.crash`).

`build` makes the one `Daemon` of a process, and `run` is its life.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from rtvoiced.app.effect_runner import EffectRunner
from rtvoiced.app.lifetime import Lifetime
from rtvoiced.app.mailbox import Mailbox
from rtvoiced.app.shells import Shells
from rtvoiced.app.signals import SignalHandlers
from rtvoiced.app.uplink import Uplink
from rtvoiced.clocks import Monotonic
from rtvoiced.conversation.inputs import Input
from rtvoiced.conversation.machine import Conversation
from rtvoiced.realtime.events import SpeechStarted


@dataclass(eq=False, repr=False)
class Daemon:
    """One daemon: everything in it is complete, and `run` sets it going."""

    inputs: Mailbox[Input]
    conversation: Conversation
    effects: EffectRunner
    uplink: Uplink
    shells: Shells
    signals: SignalHandlers
    lifetime: Lifetime
    _busy: bool = field(default=False, init=False)
    """An input is being handled."""

    async def run(self) -> int:
        """Hold the conversation until the daemon is to end; return the exit status.

        What was posted before, the input `Begun` first of all, is handled now.
        """
        self.signals.install()
        self.lifetime.watch_loop()
        self.inputs.taken_by(self.dispatch)
        self.shells.start(self.lifetime)
        try:
            return await self.lifetime.ended()
        finally:
            await self.shells.close(self.lifetime.reason)

    def dispatch(self) -> None:
        """Handle every input that waits, and all that comes of it; a bug ends the daemon."""
        if self._busy or self.lifetime.over:
            return
        self._busy = True
        try:
            while self.inputs:
                happened = self._located(self.inputs.take())
                for effect in self.conversation.handle(happened, Monotonic(time.monotonic())):
                    if (answer := self.effects.apply(effect)) is not None:
                        self.inputs.post(answer)
        except Exception as error:
            self.lifetime.crash("dispatch", error)
            raise
        finally:
            self._busy = False

    def _located(self, happened: Input) -> Input:
        """Return *happened*; where the server heard a voice, with the time at which the microphone did.

        The server counts milliseconds of the audio that it was sent, and only the
        uplink knows when that audio was read.
        """
        if isinstance(happened, SpeechStarted):
            voice_ms = happened.audio_start_ms + self.conversation.session.config.prefix_ms
            return replace(happened, heard_at=self.uplink.read_at(voice_ms))
        return happened
