"""What `stats` tells of the conversation: counters, and how long things took.

Each part reports to the one `StatsRecorder` when something happens: `EventFanOut` the
published events, `EffectRunner` what is sent and what arrives, `AudioReports` what
begins to sound. The other counters stay with the parts that count
(`Duplex.stats`, `Link.mic_to_wire`, `Control.counters`); `commands.stats` puts all of
them together. Latencies are measured between two calls, so that no clock is read
anywhere else for them.
"""

from __future__ import annotations

from rtvoiced.conversation.reports import BY_VOICE
from rtvoiced.dsp.pcm import Part
from rtvoiced.durations import Durations, DurationSummary
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.events import IpcEvent
from rtvoiced.ipc.contract.replies import Latencies, Latency
from rtvoiced.realtime.events import ClientEvent, DeleteItem, TruncateItem

ENDED = ("silence", "release")
"""The reasons of ``speech_stopped`` after which a response is due: the user's turn was really over."""


class StatsRecorder:
    """Counts what the conversation does, and times its responses; all times are CLOCK_MONOTONIC seconds."""

    def __init__(self) -> None:
        self.turns = self.interrupts = self.deleted_items = self.truncates = 0
        self._onset_to_decision = Durations()
        self._decision_to_silence = Durations()
        self._speech_end_to_first_sound = Durations()
        self._first_delta_to_sound = Durations()
        self._turn_ended_at: float | None = None
        """When the user's last turn ended, until the response to it sounds."""
        self._response: str | None = None
        """The response to that turn."""
        self._newest: str | None = None
        """The response whose audio came last."""
        self._first_delta_at: float | None = None
        """When its first audio came, until it sounds; None where an earlier response sounded still."""

    def published(self, event: IpcEvent, now: float) -> None:
        """Book an event that was published at *now*."""
        match event:
            case ipc.SpeechStarted():
                self._turn_ended_at = None
            case ipc.SpeechStopped(reason=reason) if reason in ENDED:
                self.turns += 1
                self._turn_ended_at, self._response = now, None
            case ipc.ResponseCreated(response_id, request=None) if self._response is None:
                self._response = response_id
            case ipc.Interrupt():
                self.interrupts += 1
                if event.onset_to_decision_ms and event.cause in BY_VOICE:
                    self._onset_to_decision.add(event.onset_to_decision_ms)
                if event.decision_to_silence_ms is not None:
                    self._decision_to_silence.add(event.decision_to_silence_ms)
            case _:
                pass

    def sent(self, event: ClientEvent) -> None:
        """Book what is sent to the server."""
        self.truncates += isinstance(event, TruncateItem)
        self.deleted_items += isinstance(event, DeleteItem)

    def arrived(self, part: Part, now: float, *, silent: bool) -> None:
        """Book audio of a response that came at *now*; *silent*: nothing sounded or was queued before it."""
        if part.response_id != self._newest:
            self._newest, self._first_delta_at = part.response_id, now if silent else None

    def started(self, part: Part, now: float) -> None:
        """Book that the first frame of *part* was handed to the card by *now*."""
        if part.response_id == self._newest and self._first_delta_at is not None:
            self._first_delta_to_sound.add(1000 * (now - self._first_delta_at))
            self._first_delta_at = None
        if part.response_id == self._response and self._turn_ended_at is not None:
            self._speech_end_to_first_sound.add(1000 * (now - self._turn_ended_at))
            self._turn_ended_at = None

    def latencies(self, mic_to_wire: DurationSummary) -> Latencies:
        """Return all latencies in milliseconds; *mic_to_wire* is measured by the link."""
        return Latencies(
            onset_to_decision=Latency(*self._onset_to_decision.summary()),
            decision_to_silence=Latency(*self._decision_to_silence.summary()),
            speech_end_to_first_sound=Latency(*self._speech_end_to_first_sound.summary()),
            first_delta_to_sound=Latency(*self._first_delta_to_sound.summary()),
            mic_to_wire=Latency(*mic_to_wire),
        )
