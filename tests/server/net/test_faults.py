"""What each fault makes of the events of one cause, event by event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rtvoiced_server.net.faults import UNKNOWN_TYPES, FaultInjection
from rtvoiced_server.net.options import ConnectionOptions, Quirk
from support.talking import Json, Talk, types, voiced

DONE = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
STARTED = "input_audio_buffer.speech_started"


def speaking() -> tuple[Talk, list[Json]]:
    """A session in the middle of an answer, and its events so far."""
    talk = Talk()
    sent = talk.text("tell me a long story")
    return talk, sent + talk.speak(most=1)[1]


def cancelled() -> tuple[list[Json], list[Json]]:
    """The events of an answer, and those of its cancellation."""
    talk, before = speaking()
    return before, at_once(talk.send("response.cancel"))


def interrupted() -> tuple[list[Json], list[Json]]:
    """The events of an answer, and those of the slice of audio that interrupts it."""
    talk, before = speaking()
    talk.send("input_audio_buffer.append", audio="")
    told = talk.append(voiced("stop"))
    return before, at_once(told)


def at_once(events: Sequence[Json]) -> list[Json]:
    """Without what comes a while later."""
    return [one for one in events if one["type"] != "rate_limits.updated"]


def faulty(*quirks: Quirk, **options: Any) -> FaultInjection:
    return FaultInjection(ConnectionOptions(quirks=frozenset(quirks), **options))


def test_a_good_server_changes_nothing() -> None:
    before, after = cancelled()
    good = faulty()

    assert (good.apply(before), good.apply(after)) == (before, after)
    assert [good.finish(one) for one in before] == before


def test_late_deltas_come_before_the_end_of_a_cancelled_answer() -> None:
    before, after = cancelled()
    late = faulty(late_deltas=2)
    late.apply(before)
    told = late.apply(after)

    assert [one["type"] for one in told] == ["response.output_audio.delta"] * 2 + DONE
    last = [one for one in before if one["type"] == "response.output_audio.delta"][-1]
    assert {**told[0], "event_id": ""} == {**last, "event_id": ""}
    assert len({one["event_id"] for one in [*before, *told]}) == len([*before, *told])


def test_late_deltas_come_after_the_speech_that_interrupts() -> None:
    before, after = interrupted()
    late = faulty(late_deltas=1)
    late.apply(before)

    assert [one["type"] for one in late.apply(after)] == [STARTED, "response.output_audio.delta", *DONE]


def test_an_answer_that_is_told_to_its_end_has_no_late_deltas() -> None:
    talk = Talk()
    talk.text("what is seven plus five")
    response_id, spoken = talk.speak()
    done = talk.finish(response_id)
    late = faulty(late_deltas=2)

    assert late.apply(spoken) + late.apply(done) == spoken + done


def test_an_answer_without_audio_has_no_late_deltas() -> None:
    talk = Talk()
    before = talk.text("tell me a long story")
    after = at_once(talk.send("response.cancel"))
    late = faulty(late_deltas=2)

    assert late.apply(before) + late.apply(after) == before + after


def test_the_end_before_the_speech_that_interrupts() -> None:
    before, after = interrupted()
    early = faulty(Quirk.EARLY_DONE)

    assert early.apply(before) == before
    assert early.apply(after) == [*after[1:], after[0]]
    assert [one["type"] for one in after] == [STARTED, *DONE]


def test_no_end_of_a_cancelled_answer_and_only_of_that() -> None:
    before, after = cancelled()
    talk = Talk()
    talk.text("hello")
    whole = talk.finish(talk.speak()[0])
    silent = faulty(no_done=True)

    assert silent.apply(before) == before
    assert silent.apply(after) == after[:-1]
    assert silent.apply(whole) == whole


def test_no_beginning_of_an_answer() -> None:
    before, _ = cancelled()
    told = faulty(Quirk.NO_CREATED).apply(before)

    assert told == [one for one in before if one["type"] != "response.created"]
    assert len(told) == len(before) - 1


def test_the_model_that_does_not_load_is_told_in_place_of_the_greeting() -> None:
    talk = Talk()
    (error,) = faulty(Quirk.MODEL_LOAD_ERROR).apply(talk.take(talk.session.open()))

    assert {**error, "event_id": ""} == {
        "type": "error",
        "event_id": "",
        "error": {
            "type": "server_error",
            "code": "model_load_error",
            "message": "Failed to load model",
            "param": None,
            "event_id": None,
        },
    }


def test_a_transcription_fails_without_a_word() -> None:
    talk = Talk(transcription={"model": "gpt-realtime-whisper"})
    talk.append(voiced("what time is it") + bytes(48_000))
    heard = talk.hear("what time is it")
    told = faulty(Quirk.TRANSCRIPTION_FAILED).apply(heard)
    prefix = "conversation.item.input_audio_transcription"

    assert types(heard)[:2] == [f"{prefix}.delta", f"{prefix}.completed"]
    assert types(told)[0] == f"{prefix}.failed"
    assert told[1:] == [one for one in heard if not one["type"].startswith(prefix)]
    assert told[0]["item_id"] == heard[0]["item_id"]
    assert told[0]["error"]["code"] == "transcription_failed"


def test_an_error_is_a_string() -> None:
    talk = Talk()
    (error,) = talk.send("response.cancel")
    told = faulty(Quirk.STRING_ERROR).finish(error)

    assert told == {
        "type": "error",
        "event_id": error["event_id"],
        "error": "Cancellation failed: no active response found",
        "code": "response_cancel_not_active",
    }


def test_no_event_has_an_id() -> None:
    before, _ = cancelled()
    bare = faulty(Quirk.NO_EVENT_ID)
    told = [bare.finish(one) for one in before]

    assert [{**one, "event_id": ""} for one in told] == [{**one, "event_id": ""} for one in before]
    assert all("event_id" not in one for one in told)


def test_unknown_events_come_in_between_and_the_first_after_the_greeting() -> None:
    before, after = cancelled()
    talk = Talk()
    greeting = talk.take(talk.session.open())
    strange = faulty(Quirk.UNKNOWN_EVENTS, seed="1")
    told = [each for batch in (greeting, before, after) for each in strange.apply(batch)]
    known = [one for one in told if one["type"] not in UNKNOWN_TYPES]

    assert known == [*greeting, *before, *after]
    assert told[0] == greeting[0]
    assert told[1]["type"] in UNKNOWN_TYPES
    assert len(told) > len(known) + 1


@pytest.mark.parametrize("quirk", Quirk)
def test_every_quirk_leaves_audio_and_words_as_they_are(quirk: Quirk) -> None:
    before, after = cancelled()
    faults = faulty(quirk)
    told = [faults.finish(one) for batch in (before, after) for one in faults.apply(batch)]

    assert [one["delta"] for one in told if one["type"].endswith("delta") and "delta" in one] == [
        one["delta"] for one in before if one["type"].endswith("delta")
    ]
