"""Carries out the effects of the conversation: one match, one line or two for each.

The `Daemon` calls `apply` for each effect, in order and in the turn of the loop in
which the conversation asked for it. Nothing here waits or decides anything.

Three effects have an answer: `CutPlayback`, `HoldPlayback` and `ResumePlayback` ask
the playback queue, which knows how much was heard. `apply` returns that answer as
an input, and the daemon handles it in the same turn: nothing can happen between a
cut and the truncation that comes of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import assert_never

from rtvoiced import errors
from rtvoiced.app.commands.service import CommandService
from rtvoiced.app.event_fan_out import EventFanOut
from rtvoiced.app.lifetime import Lifetime
from rtvoiced.app.mute_file import MuteFile
from rtvoiced.app.stats import StatsRecorder
from rtvoiced.app.timers import Timers
from rtvoiced.app.uplink import Uplink
from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.conversation import effects, inputs
from rtvoiced.conversation.effects import Effect
from rtvoiced.conversation.inputs import Input
from rtvoiced.conversation.timers import TimerKey
from rtvoiced.errors import CommandError
from rtvoiced.realtime.link import Link


@dataclass(eq=False, repr=False)
class EffectRunner:
    """The ports that effects go to."""

    link: Link
    playback: PlaybackQueue
    uplink: Uplink
    timers: Timers[TimerKey]
    events: EventFanOut
    replies: CommandService
    mute_file: MuteFile
    stats: StatsRecorder
    lifetime: Lifetime

    def apply(self, effect: Effect) -> Input | None:  # noqa: C901
        """Carry out *effect*; return what came of it, where that is an input of the same turn."""
        match effect:
            case effects.SendEvent(event):
                self.stats.sent(event)
                self.link.send(event)
            case effects.Play(part, pcm, hz):
                self.stats.arrived(part, time.monotonic(), silent=not self.playback.sounding)
                self.playback.push(part, pcm, hz)
            case effects.FinishPart(part):
                self.playback.finish(part)
            case effects.FinishResponse(response_id):
                self.playback.finish_response(response_id)
            case effects.CutPlayback(cause, ticket, request, lost_frames):
                return inputs.Cut(self.playback.cut(lost_frames), cause, ticket, request)
            case effects.HoldPlayback():
                return self.playback.hold()
            case effects.ResumePlayback():
                return self.playback.resume()
            case effects.Publish(event):
                self.events.publish(event)
            case effects.SetMicrophone(gate, hz):
                self.uplink.set(gate, hz)
            case effects.SetTimer(timer, at):
                self.timers.set(timer, at)
            case effects.ClearTimer(timer):
                self.timers.clear(timer)
            case effects.ReplyTo(ticket, reply):
                self.replies.reply(ticket, reply)
            case effects.Refuse(ticket, code, message, retryable, details):
                self.replies.refuse(ticket, CommandError(code, message, retryable=retryable, details=details))
            case effects.ReconnectLink():
                self.link.reconnect()
            case effects.DropLink(reason):
                self.link.drop(reason)
            case effects.FailLink(reason):
                self.link.fail(reason)
            case effects.SaveMute(muted, until):
                self.mute_file.write(muted, until)
            case effects.Quit(reason):
                self.lifetime.end(errors.OK, reason)
            case _:
                assert_never(effect)
        return None
