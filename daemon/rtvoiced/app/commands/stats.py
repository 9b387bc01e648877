"""The command `stats`: the counters and latencies of all parts, put together."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rtvoiced.app.commands.calls import CommandCall, Handlers, handler
from rtvoiced.app.stats import StatsRecorder
from rtvoiced.app.status import ShellStatus
from rtvoiced.audio.thread.duplex import Duplex
from rtvoiced.conversation.machine import Conversation
from rtvoiced.dsp.pcm import Pcm
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract.replies import AudioStats, IpcStats, LinkStats, StatsReply
from rtvoiced.ipc.server.control import Control
from rtvoiced.ipc.server.publisher import Publisher
from rtvoiced.realtime.link import Link


@dataclass(eq=False, repr=False)
class StatsCommands:
    """Everybody who counts."""

    stats_recorder: StatsRecorder
    conversation: Conversation
    audio: Duplex
    link: Link
    control: Control
    publisher: Publisher
    shell_status: ShellStatus

    def handlers(self) -> Handlers:
        """Return the rows of the table."""
        return handler(commands.Stats, self.stats)

    def stats(self, _call: CommandCall[commands.Stats]) -> StatsReply:
        """Return all that was counted since the start."""
        recorder, counters = self.stats_recorder, self.control.counters
        audio = self.audio.stats()
        dropped_ms = Pcm(self.conversation.session.input_hz).ms_of_frames(self.link.dropped_frames)
        return StatsReply(
            since=self.shell_status.since,
            turns=recorder.turns,
            interrupts=recorder.interrupts,
            deleted_items=recorder.deleted_items,
            truncates=recorder.truncates,
            **asdict(self.conversation.interruption.counts),
            latency_ms=recorder.latencies(self.link.mic_to_wire.summary()),
            audio=AudioStats(
                audio.underruns,
                audio.overruns,
                audio.late_rounds,
                audio.dropped_input_ms,
                audio.target_fill_ms,
            ),
            # The first session is no reconnect.
            link=LinkStats(max(0, self.link.sessions - 1), dropped_ms),
            ipc=IpcStats(
                counters.commands,
                counters.bad_requests,
                counters.expired,
                self.publisher.seq,
                self.publisher.subscribers_peak,
            ),
        )
