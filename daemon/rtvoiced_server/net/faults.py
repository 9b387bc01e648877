"""What a faulty server, or one with habits of its own, makes of the events that go out.

`FaultInjection.apply` takes the GA events that one cause has, in order, and returns
those that are sent in their place; `finish` changes each event at last, whichever
dialect it is in. To add a quirk: its name and its sentence in
`rtvoiced_server.net.options`, what it does here, a row in docs/server.md, and a test.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from rtvoiced_server.json_text import Json
from rtvoiced_server.net.options import ConnectionOptions, Quirk
from rtvoiced_server.protocol.wire import Refused, error_event, event
from rtvoiced_server.vocabulary import ServerResponseStatus

AUDIO_DELTA = "response.output_audio.delta"
AUDIO_DONE = "response.output_audio.done"
TRANSCRIPTION = "conversation.item.input_audio_transcription"
UNKNOWN_SHARE = 0.1
"""The share of events before which one of an unknown type comes."""
UNKNOWN_TYPES = ("session.telemetry", "response.emotion.delta", "rtvoice.test.unknown")


class FaultInjection:
    """The faults of one connection."""

    def __init__(self, options: ConnectionOptions) -> None:
        self._options = options
        self._random = random.Random(options.seed)  # noqa: S311
        self._last_delta: dict[object, Json] = {}
        """The newest audio delta of each response, while it runs: what late deltas are made of."""
        self._greeted = False
        """Whether the session has been announced."""

    def apply(self, events: Sequence[Json]) -> list[Json]:
        """Return what is sent in place of *events*, which have one cause."""
        quirks = self._options.quirks
        made = list(events)
        if self._options.late_deltas:
            made = self._with_late_deltas(made)
        if Quirk.EARLY_DONE in quirks:
            made = done_before_speech(made)
        if self._options.no_done:
            made = [one for one in made if not is_cancelled(one)]
        if Quirk.NO_CREATED in quirks:
            made = [one for one in made if one["type"] != "response.created"]
        if Quirk.MODEL_LOAD_ERROR in quirks:
            made = [model_load_error() if one["type"] == "session.created" else one for one in made]
        if Quirk.TRANSCRIPTION_FAILED in quirks:
            made = transcriptions_failed(made)
        if Quirk.UNKNOWN_EVENTS in quirks:
            made = [each for one in made for each in self._with_unknown(one)]
        return made

    def finish(self, one: Json) -> Json:
        """Return what an event becomes at last, whichever dialect it is in."""
        quirks = self._options.quirks
        if Quirk.STRING_ERROR in quirks and one["type"] == "error":
            one = {**one, "error": one["error"]["message"], "code": one["error"]["code"]}
        if Quirk.NO_EVENT_ID in quirks:
            one = {key: value for key, value in one.items() if key != "event_id"}
        return one

    def _with_late_deltas(self, events: Iterable[Json]) -> list[Json]:
        events = list(events)
        cancelled = {one["response"]["id"] for one in events if is_cancelled(one)}
        made: list[Json] = []
        for one in events:
            response_id = one.get("response_id")
            if one["type"] == AUDIO_DELTA:
                self._last_delta[response_id] = one
            elif one["type"] == AUDIO_DONE and response_id in cancelled and response_id in self._last_delta:
                late = self._last_delta[response_id]
                fields = {key: value for key, value in late.items() if key not in ("type", "event_id")}
                made += [event(AUDIO_DELTA, **fields) for _ in range(self._options.late_deltas)]
            elif one["type"] == "response.done":
                self._last_delta.pop(one["response"]["id"], None)
            made.append(one)
        return made

    def _with_unknown(self, one: Json) -> list[Json]:
        greeting, self._greeted = not self._greeted, True
        if not greeting and self._random.random() >= UNKNOWN_SHARE:
            return [one]
        unknown = event(self._random.choice(UNKNOWN_TYPES), data={"value": self._random.random()})
        # Nothing comes before session.created: that would be another fault.
        return [one, unknown] if greeting else [unknown, one]


def is_cancelled(one: Json) -> bool:
    """Tell whether the event *one* is the end of a cancelled response."""
    return bool(
        one["type"] == "response.done" and one["response"]["status"] == ServerResponseStatus.CANCELLED
    )


def done_before_speech(events: Sequence[Json]) -> list[Json]:
    """Put the whole end of an interrupted response before the speech that interrupts it."""
    cancelled = {one["response"]["id"] for one in events if is_cancelled(one)}
    starts = [n for n, one in enumerate(events) if one["type"] == "input_audio_buffer.speech_started"]
    if not cancelled or not starts:
        return list(events)
    before, after = list(events[: starts[0]]), list(events[starts[0] :])
    last = max((n for n, one in enumerate(after) if is_cancelled(one)), default=0)
    response_events = after[1 : last + 1]
    return [*before, *response_events, after[0], *after[last + 1 :]]


def transcriptions_failed(events: Sequence[Json]) -> list[Json]:
    """Put a failure in place of every transcription."""
    failure = {
        "type": "server_error",
        "code": "transcription_failed",
        "message": "The transcription failed.",
        "param": None,
    }
    made = []
    for one in events:
        if one["type"] == f"{TRANSCRIPTION}.completed":
            ids = {"item_id": one["item_id"], "content_index": one["content_index"]}
            made.append(event(f"{TRANSCRIPTION}.failed", **ids, error=failure))
        elif not one["type"].startswith(f"{TRANSCRIPTION}.delta"):
            made.append(one)
    return made


def model_load_error() -> Json:
    """Return what is sent in place of the greeting."""
    failure = error_event(Refused("model_load_error", "Failed to load model"))
    return {**failure, "error": {**failure["error"], "type": "server_error"}}
