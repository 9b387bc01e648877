"""What a faulty server, or one with habits of its own, makes of the events that go out. Pure.

The functions take the events that one cause has, in order, and give those that are sent in their place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from rtvoiced_server.options import Options, Quirk
from rtvoiced_server.protocol.wire import Json, Refused, error, event

AUDIO_DELTA = "response.output_audio.delta"
AUDIO_DONE = "response.output_audio.done"
TRANSCRIPTION = "conversation.item.input_audio_transcription"
UNKNOWN_SHARE = 0.1
"""How often an event of an unknown type comes before another."""
UNKNOWN_TYPES = ("session.telemetry", "response.emotion.delta", "rtvoice.test.unknown")

Fault = Callable[[Sequence[Json]], list[Json]]


class Faults:
    """The faults of one connection; they remember what late deltas are made of."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._random = random.Random(options.seed)  # noqa: S311
        self._last_delta: dict[object, Json] = {}
        """By response, while it runs."""
        self._greeted = False

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
    """Tell whether an event is the end of a cancelled response."""
    return bool(one["type"] == "response.done" and one["response"]["status"] == "cancelled")


def done_before_speech(events: Sequence[Json]) -> list[Json]:
    """Tell the whole end of an interrupted response before the speech that interrupts it."""
    cancelled = {one["response"]["id"] for one in events if is_cancelled(one)}
    starts = [n for n, one in enumerate(events) if one["type"] == "input_audio_buffer.speech_started"]
    if not cancelled or not starts:
        return list(events)
    before, after = list(events[: starts[0]]), list(events[starts[0] :])
    last = max((n for n, one in enumerate(after) if is_cancelled(one)), default=0)
    ladder = after[1 : last + 1]
    return [*before, *ladder, after[0], *after[last + 1 :]]


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
    told = error(Refused("model_load_error", "Failed to load model"))
    return {**told, "error": {**told["error"], "type": "server_error"}}
