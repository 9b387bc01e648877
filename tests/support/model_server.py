"""A model of a Realtime server: the orders of events that real ones keep, and what they refuse."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace

from rtvoiced.dsp.pcm import WIRE, Part
from rtvoiced.realtime import events
from rtvoiced.realtime.dialects import encode
from rtvoiced.realtime.events import ClientEvent, ServerEvent
from support.histories import CONFIG
from support.validation import check_wire

DELTA_MS = 200
FASTEST = 1.5
"""Speed that a session can have."""
DELTA = b"\x10\x27" * WIRE.frames(DELTA_MS)


@dataclass(frozen=True)
class Habits:
    """In what servers differ."""

    gives_metadata_back: bool = True
    announces_responses: bool = True
    ends_cancelled_responses: bool = True
    leaves_interrupting_to_us: bool = True
    switches_detection: bool = True

    @property
    def speaks_out_of_band(self) -> bool:
        """Those that can tell nobody which response is which refuse it."""
        return self.gives_metadata_back and self.announces_responses


@dataclass
class Response:
    response_id: str
    request: str | None
    plan: deque[ServerEvent] = field(default_factory=deque)
    """What is still to be generated."""


class ModelServer:
    """One session; asserts that it is never told anything impossible."""

    def __init__(self, number: int, habits: Habits) -> None:
        self.number = number
        self.habits = habits
        self.told: deque[ServerEvent] = deque([events.SessionCreated(f"sess_{number}", None, "ga")])
        """On its way to the client."""
        self.active: Response | None = None
        self.asides: list[Response] = []
        """Out of band, and still being made."""
        self.beside: set[str] = set()
        """All responses that ever were out of band."""
        self.speaking: str | None = None
        """The utterance that the user is in."""
        self.audio_ms: dict[str, int] = {}
        """Of each item of ours: what was sent."""
        self.items: list[str] = []
        self.corrected: set[str] = set()
        self.creations = 0
        self.config = CONFIG
        """As it runs: turn detection, and what that does by itself."""
        self._counter = 0

    def _id(self, prefix: str) -> str:
        self._counter += 1
        return f"{prefix}{self.number}_{self._counter}"

    # ------------------------------------------------------------ by itself

    def speech(self) -> None:
        """The VAD hears somebody; what is being generated is interrupted, unless that is left to us."""
        assert self.config.detection != "none"
        self.speaking = self._id("u")
        self.told.append(events.SpeechStarted(self.speaking, 0))
        if not self.config.client_managed_turns:
            self._end("cancelled", "turn_detected")

    def silence(self) -> None:
        """The VAD hears the end of it: the utterance is committed and answered."""
        assert self.speaking
        item_id, self.speaking = self.speaking, None
        self.told.append(events.SpeechStopped(item_id, 0))
        self._commit(item_id)
        if not self.config.client_managed_turns:
            self.respond(None)
        self.told.append(events.UserTranscriptDone(item_id, "hello"))

    def _commit(self, item_id: str) -> None:
        self.items.append(item_id)
        self.told += (events.Committed(item_id, None), events.ItemAdded(item_id, "user", None))

    def respond(self, request: str | None, items: int = 1, deltas: int = 3, kind: str | None = None) -> None:
        self._end("cancelled", "turn_detected")
        response = self.active = Response(self._id("r"), request)
        back = (request, kind) if self.habits.gives_metadata_back else (None, None)
        if self.habits.announces_responses:
            self.told.append(events.ResponseCreated(response.response_id, *back))
        for _ in range(items):
            self._plan_item(response, deltas)

    def say(self, request: str | None) -> None:
        """Speak out of band, beside whatever else is made."""
        response = Response(self._id("s"), request)
        self.asides.append(response)
        self.beside.add(response.response_id)
        self.told.append(events.ResponseCreated(response.response_id, request, events.SAY))
        self._plan_item(response, 3)

    def _plan_item(self, response: Response, deltas: int) -> None:
        part = Part(response.response_id, self._id("a"))
        response.plan.append(events.OutputItemAdded(part.response_id, part.item_id, "message"))
        for _ in range(deltas):
            response.plan.append(events.TextDelta(part.response_id, part.item_id, "word ", False))
            response.plan.append(events.AudioDelta(part, DELTA))
        response.plan.append(events.AudioDone(part))
        response.plan.append(events.TextDone(part.response_id, part.item_id, "word " * deltas, False))

    def generate(self, most: int = 1) -> None:
        """Send the next of every response."""
        for _ in range(most):
            for aside in list(self.asides):
                if aside.plan:
                    self.told.append(aside.plan.popleft())
                else:
                    self._end_aside(aside, "completed", None)
            if self.active is None:
                return
            if not self.active.plan:
                self._end("completed", None)
                return
            event = self.active.plan.popleft()
            if isinstance(event, events.OutputItemAdded):
                self.items.append(event.item_id)
                self.audio_ms[event.item_id] = 0
            if isinstance(event, events.AudioDelta):
                self.audio_ms[event.part.item_id] += DELTA_MS
            self.told.append(event)

    def _end(self, status: str, reason: str | None) -> None:
        response, self.active = self.active, None
        if response is None or (status == "cancelled" and not self.habits.ends_cancelled_responses):
            return
        back = response.request if self.habits.gives_metadata_back else None
        self.told.append(events.ResponseDone(response.response_id, status, reason, request=back))

    def _end_aside(self, response: Response, status: str, reason: str | None) -> None:
        self.asides.remove(response)
        if status == "completed" or self.habits.ends_cancelled_responses:
            self.told.append(
                events.ResponseDone(response.response_id, status, reason, request=response.request)
            )

    # ------------------------------------------------------------ when told

    def take(self, event: ClientEvent) -> None:  # noqa: C901
        for dialect in ("ga", "beta"):
            check_wire(json.loads(encode(event, dialect)), "client", dialect)
        match event:
            case events.UpdateSession(config, event_id):
                self._update(config, event_id)
            case events.UpdateVoice(voice):
                self.told.append(self._updated(voice))
            case events.UpdateTurnDetection(config, event_id):
                self._switch(config, event_id)
            case events.ClearAudio():
                self.speaking = None
            case events.CommitAudio():
                assert self.config.detection == "none" or not self.habits.switches_detection
                self._commit(self._id("u"))
            case events.CreateItem(item_id, role, text, previous):
                assert previous in (None, "root", *self.items), f"{previous} is not in {self.items}"
                assert item_id not in self.items, f"{item_id} is there already"
                assert text
                self.items.append(item_id)
                self.told.append(events.ItemAdded(item_id, role, previous))
            case events.TruncateItem(item_id, _, audio_end_ms):
                assert 0 < audio_end_ms <= self.audio_ms[item_id]
                self._correct(item_id)
            case events.DeleteItem(item_id):
                assert item_id in self.items
                self._correct(item_id)
                self.items.remove(item_id)
            case events.CreateResponse(event_id, request, kind):
                self._create_response(event_id, request, kind)
            case events.CreateSpeech(event_id, request):
                self._create_speech(event_id, request)
            case events.CancelResponse(response_id) if response_id in self.beside:
                for aside in [each for each in self.asides if each.response_id == response_id]:
                    self._end_aside(aside, "cancelled", "client_cancelled")
            case events.CancelResponse(response_id):
                if self.active is not None and self.active.response_id == response_id:
                    self._end("cancelled", "client_cancelled")
                else:
                    self.told.append(
                        events.ServerError("response_cancel_not_active", "no active response found")
                    )
            case events.AppendAudio():
                raise AssertionError("audio goes another way")

    def _update(self, config: events.SessionConfig, event_id: str) -> None:
        if config.speed > FASTEST:
            self.told.append(events.ServerError("decimal_above_max_value", "no", event_id))
        else:
            self._run_with(config)
            self.told.append(self._updated(config.voice))

    def _switch(self, config: events.SessionConfig, event_id: str) -> None:
        if not self.habits.switches_detection:
            self.told.append(events.ServerError("invalid_value", "no", event_id))
            return
        self._run_with(config)
        self.told.append(self._updated(None))

    def _run_with(self, config: events.SessionConfig) -> None:
        if config.detection != self.config.detection:
            # Another turn detection begins anew.
            self.speaking = None
        by_itself = not self.habits.leaves_interrupting_to_us
        self.config = replace(config, client_managed_turns=False) if by_itself else config

    def _updated(self, voice: str | None) -> events.SessionUpdated:
        client_managed_turns = None if self.config.detection == "none" else self.config.client_managed_turns
        return events.SessionUpdated(
            f"sess_{self.number}", None, voice, "m", 24_000, 24_000, client_managed_turns=client_managed_turns
        )

    def _create_speech(self, event_id: str, request: str | None) -> None:
        if self.habits.speaks_out_of_band:
            self.say(request)
        else:
            self.told.append(events.ServerError("unknown_parameter", "no such thing", event_id))

    def _create_response(self, event_id: str, request: str | None, kind: str | None) -> None:
        self.creations += 1
        if self.active is not None:
            code = "conversation_already_has_active_response"
            self.told.append(events.ServerError(code, "wait", event_id))
        else:
            self.respond(request, items=1 + self.creations % 2, kind=kind)

    def _correct(self, item_id: str) -> None:
        assert item_id not in self.corrected, f"{item_id} was corrected twice"
        self.corrected.add(item_id)
