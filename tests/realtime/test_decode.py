"""Server events from the wire: GA and beta, what some servers leave out, and rubbish."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvoiced.dsp.pcm import Part
from rtvoiced.realtime import events
from rtvoiced.realtime.decode import READERS, UnreadableEventError, decode
from rtvoiced.realtime.dialects import ALIASES
from rtvoiced.realtime.events import ServerEvent
from support.examples import examples

AUDIO = base64.b64encode(b"\1\2\3\4").decode()
GA_SESSION = {
    "type": "realtime",
    "id": "sess_1",
    "model": "gpt-realtime-2.1",
    "expires_at": 1795204195,
    "output_modalities": ["audio"],
    "audio": {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}},
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
    },
}
BETA_SESSION = {
    "id": "sess_1",
    "modalities": ["text", "audio"],
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
}


def read(name: str, **more: Any) -> ServerEvent:
    return decode(json.dumps({"type": name, "event_id": "event_1"} | more))


AT: dict[str, Any] = {"response_id": "r1", "item_id": "a1", "output_index": 0, "content_index": 1}
GA: list[tuple[str, dict[str, Any], ServerEvent]] = [
    ("session.created", {"session": GA_SESSION}, events.SessionCreated("sess_1", 1795204195, "ga")),
    (
        "session.updated",
        {"session": GA_SESSION},
        events.SessionUpdated("sess_1", 1795204195, "marin", "gpt-realtime-2.1", 24_000, 24_000),
    ),
    (
        "input_audio_buffer.speech_started",
        {"audio_start_ms": 1460, "item_id": "u1"},
        events.SpeechStarted("u1", 1460),
    ),
    (
        "input_audio_buffer.speech_stopped",
        {"audio_end_ms": 4256, "item_id": "u1"},
        events.SpeechStopped("u1", 4256),
    ),
    (
        "input_audio_buffer.committed",
        {"item_id": "u2", "previous_item_id": "u1"},
        events.Committed("u2", "u1"),
    ),
    (
        "conversation.item.added",
        {"previous_item_id": None, "item": {"id": "u1", "type": "message", "role": "user"}},
        events.ItemAdded("u1", "user", None),
    ),
    (
        "conversation.item.input_audio_transcription.delta",
        {"item_id": "u1", "content_index": 0, "delta": "Cou"},
        events.UserTranscriptDelta("u1", "Cou"),
    ),
    (
        "conversation.item.input_audio_transcription.completed",
        {"item_id": "u1", "transcript": "Count. \n"},
        events.UserTranscriptDone("u1", "Count."),
    ),
    (
        "conversation.item.input_audio_transcription.failed",
        {"item_id": "u1", "error": {"code": "x", "message": "too noisy"}},
        events.UserTranscriptFailed("u1", "too noisy"),
    ),
    (
        "response.created",
        {"response": {"id": "r1", "status": "in_progress", "metadata": {"request": "q1"}}},
        events.ResponseCreated("r1", "q1"),
    ),
    (
        "response.created",
        {"response": {"id": "r1", "conversation_id": None, "metadata": {"request": "q1", "kind": "say"}}},
        events.ResponseCreated("r1", "q1", "say"),
    ),
    (
        "response.created",
        {"response": {"id": "r1", "conversation_id": "conv_1", "metadata": None}},
        events.ResponseCreated("r1", None, None, "conv_1"),
    ),
    (
        "response.output_item.added",
        {"response_id": "r1", "item": {"id": "a1", "type": "message"}},
        events.OutputItemAdded("r1", "a1", "message"),
    ),
    (
        "response.output_item.added",
        {"response_id": "r1", "item": {"id": "f1", "type": "function_call"}},
        events.OutputItemAdded("r1", "f1", "function_call"),
    ),
    (
        "response.output_audio.delta",
        AT | {"delta": AUDIO},
        events.AudioDelta(Part("r1", "a1", 1), b"\1\2\3\4"),
    ),
    ("response.output_audio.done", AT, events.AudioDone(Part("r1", "a1", 1))),
    (
        "response.output_audio_transcript.delta",
        AT | {"delta": "one "},
        events.TextDelta("r1", "a1", "one ", False),
    ),
    (
        "response.output_audio_transcript.done",
        AT | {"transcript": "one two"},
        events.TextDone("r1", "a1", "one two", False),
    ),
    ("response.output_text.delta", AT | {"delta": "one "}, events.TextDelta("r1", "a1", "one ", True)),
    ("response.output_text.done", AT | {"text": "one two"}, events.TextDone("r1", "a1", "one two", True)),
    (
        "response.done",
        {
            "response": {
                "id": "r1",
                "status": "completed",
                "status_details": None,
                "usage": {"total_tokens": 9},
            }
        },
        events.ResponseDone("r1", "completed", usage={"total_tokens": 9}),
    ),
    (
        "response.done",
        {
            "response": {
                "id": "r1",
                "status": "cancelled",
                "status_details": {"type": "cancelled", "reason": "turn_detected"},
                "metadata": {"request": "q1"},
            }
        },
        events.ResponseDone("r1", "cancelled", "turn_detected", request="q1"),
    ),
    (
        "response.done",
        {
            "response": {
                "id": "r1",
                "status": "failed",
                "status_details": {
                    "type": "failed",
                    "error": {"code": "insufficient_quota", "message": "pay"},
                },
            }
        },
        events.ResponseDone("r1", "failed", None, "insufficient_quota", "pay"),
    ),
    (
        "error",
        {
            "error": {
                "type": "invalid_request_error",
                "code": "invalid_value",
                "message": "no",
                "event_id": "e7",
            }
        },
        events.ServerError("invalid_value", "no", "e7"),
    ),
    ("rate_limits.updated", {"rate_limits": []}, events.Ignored("rate_limits.updated")),
]


@pytest.mark.parametrize(("name", "more", "event"), GA, ids=[row[0] for row in GA])
def test_ga(name: str, more: dict[str, Any], event: ServerEvent) -> None:
    assert read(name, **more) == event


@pytest.mark.parametrize(("beta", "ga"), ALIASES.items())
def test_beta_names_mean_the_same(beta: str, ga: str) -> None:
    row = next(row for row in GA if row[0] == ga)

    assert read(beta, **row[1]) == row[2]


@pytest.mark.parametrize(
    ("session", "shape"),
    [
        (GA_SESSION, "ga"),
        (BETA_SESSION, "beta"),
        ({"id": "s", "object": "realtime.session"}, "ga"),
        ({}, "ga"),
        (BETA_SESSION | {"audio": {}}, "ga"),
    ],
)
def test_shape_of_a_session_is_seen_from_its_keys(session: dict[str, Any], shape: str) -> None:
    created = read("session.created", session=session)

    assert isinstance(created, events.SessionCreated)
    assert created.shape == shape


def test_beta_session_runs_at_24_khz() -> None:
    assert read("session.updated", session=BETA_SESSION) == events.SessionUpdated(
        "sess_1", None, "alloy", None, 24_000, 24_000
    )


@pytest.mark.parametrize(
    ("session", "rates"),
    [
        (
            {"audio": {"input": {"format": {"rate": 16000}}, "output": {"format": {"rate": 8000}}}},
            (16_000, 8_000),
        ),
        ({"audio": {"input": {"format": {"type": "pcm", "sample_rate": 16000}}}}, (16_000, 24_000)),
        ({"audio": {"input": {"format": {"rate": None}}, "output": {"format": "pcm"}}}, (24_000, 24_000)),
        (BETA_SESSION | {"input_audio_sampling_rate": 16000}, (16_000, 24_000)),
        ({"audio": {"input": None, "output": {}}}, (24_000, 24_000)),
    ],
)
def test_rates_in_force(session: dict[str, Any], rates: tuple[int, int]) -> None:
    updated = read("session.updated", session=session)

    assert isinstance(updated, events.SessionUpdated)
    assert (updated.input_hz, updated.output_hz) == rates


@pytest.mark.parametrize("rate", [0, -1, 1e9, "fast", [24000], True])
def test_rate_that_no_card_can_play_is_unreadable(rate: object) -> None:
    with pytest.raises(UnreadableEventError, match=r"session\.updated"):
        read("session.updated", session={"audio": {"input": {"format": {"rate": rate}}}})


@pytest.mark.parametrize(
    ("voice", "name"),
    [
        ("alloy", "alloy"),
        ({"name": "en-US-Ava", "type": "azure"}, "en-US-Ava"),
        ({"id": "v1"}, "v1"),
        (3, None),
    ],
)
def test_voice_may_be_an_object(voice: object, name: str | None) -> None:
    updated = read("session.updated", session={"voice": voice})

    assert isinstance(updated, events.SessionUpdated)
    assert updated.voice == name


@pytest.mark.parametrize(
    ("detection", "client_managed_turns"),
    [
        ({"type": "server_vad", "create_response": True, "interrupt_response": True}, False),
        ({"type": "server_vad", "create_response": False, "interrupt_response": False}, True),
        ({"type": "semantic_vad", "create_response": False, "interrupt_response": True}, False),
        ({"type": "server_vad", "create_response": True}, False),
        ({"type": "server_vad", "interrupt_response": False}, None),
        ({"type": "server_vad", "create_response": "no", "interrupt_response": None}, None),
        ({"type": None}, None),
        (None, None),
        ("server_vad", None),
    ],
)
def test_whether_the_servers_vad_does_anything_by_itself(
    detection: object, client_managed_turns: bool | None
) -> None:
    ga = read("session.updated", session={"audio": {"input": {"turn_detection": detection}}})
    beta = read("session.updated", session=BETA_SESSION | {"turn_detection": detection})

    assert [each.client_managed_turns for each in (ga, beta) if isinstance(each, events.SessionUpdated)] == [
        client_managed_turns
    ] * 2


def test_deviations_of_xai() -> None:
    done = {"response": {"id": "r1", "status": "cancelled", "status_details": "turn detected"}}

    assert read("response.done", **done, usage={"total_tokens": 3}) == events.ResponseDone(
        "r1", "cancelled", "turn detected", usage={"total_tokens": 3}
    )
    assert read("ping", timestamp=1) == events.Ignored("ping")
    assert read("session.created", session={"turn_detection": {"type": None}}) == events.SessionCreated(
        None, None, "ga"
    )


def test_deviations_of_vllm() -> None:
    assert read("session.created", id="s1", created=1) == events.SessionCreated(None, None, "ga")
    assert read("error", error="bad model", code="model_not_found") == events.ServerError(
        "model_not_found", "bad model"
    )


def test_deviations_of_qwen_and_others() -> None:
    assert read("response.audio.delta", response_id="r1", item_id="a1", delta=AUDIO) == events.AudioDelta(
        Part("r1", "a1", 0), b"\1\2\3\4"
    )
    assert read("response.audio_transcript.delta", item_id="a1", delta="hi") == events.TextDelta(
        "", "a1", "hi", False
    )
    assert read("input_audio_buffer.speech_started", item_id="u1") == events.SpeechStarted("u1", 0)
    assert read("error", error=None) == events.ServerError(None, "the server gave no reason")


@pytest.mark.parametrize(
    "message",
    [
        b"\0binary",
        "",
        "not JSON",
        "[]",
        "null",
        "{}",
        '{"type": 7}',
        "[" * 100_000,
        "9" * 5000,
        '{"type": "response.done"}',
        '{"type": "response.done", "response": "r1"}',
        '{"type": "response.created", "response": {"id": 7}}',
        '{"type": "response.done", "response": {"id": "r1", "usage": {"total_tokens": NaN}}}',
        '{"type": "response.done", "response": {"id": "r1", "usage": {"total_tokens": 1e999}}}',
        '{"type": "conversation.item.added", "item": []}',
        '{"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": "?"}',
        '{"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": "AAA"}',
        '{"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": null}',
        '{"type": "response.output_audio.delta", "item_id": "i", "delta": "AAAA"}',
    ],
    ids=range(19),
)
def test_rubbish(message: str | bytes) -> None:
    with pytest.raises(UnreadableEventError):
        decode(message)


def test_numbers_without_sense_are_nothing() -> None:
    for number in ("-7", '"12"', "null", "true", "[]"):
        event = decode(
            f'{{"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": {number}}}'
        )
        assert event == events.SpeechStarted("u1", 0)


# ----------------------------------------------------------------- any JSON at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(AUDIO),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = sorted({key for _, more, _ in GA for key in more} | {"usage", "code"})
INNER = ["id", "type", "status", "status_details", "usage", "metadata", "voice", "model", "audio", "role"]
INNER += ["expires_at", "code", "message", "event_id", "input_audio_sampling_rate"]
OBJECTS = st.dictionaries(st.sampled_from(INNER), JSON, max_size=6)
RAW = st.dictionaries(st.sampled_from(KEYS), JSON | OBJECTS | st.just("x"), max_size=8)


def well_typed(event: ServerEvent) -> bool:
    hints = get_type_hints(type(event))
    for each in fields(event):
        hint, value = hints[each.name], getattr(event, each.name)
        if get_origin(hint) is Literal:
            if value not in get_args(hint):
                return False
            continue
        allowed = tuple(getattr(kind, "__origin__", kind) for kind in get_args(hint) or (hint,))
        if float in allowed:
            allowed += (int,)
        if hint == dict[str, Any] | None:
            allowed = (dict, type(None))
        if not isinstance(value, allowed):
            return False
    return True


@given(st.sampled_from(sorted([*READERS, *ALIASES])), RAW)
def test_whatever_a_server_sends_is_an_event_of_the_right_types_or_unreadable(
    name: str, raw: dict[str, Any]
) -> None:
    try:
        event = decode(json.dumps({"type": name} | raw))
    except UnreadableEventError:
        return
    assert well_typed(event)


@examples(500)
@given(row=st.sampled_from([row for row in GA if row[1]]), data=st.data())
def test_field_of_the_wrong_kind(row: tuple[str, dict[str, Any], ServerEvent], data: st.DataObject) -> None:
    name, more, _ = row
    key = data.draw(st.sampled_from(sorted(more)))
    value = more[key]
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        inner = data.draw(st.sampled_from(sorted(value)))
        spoilt: object = value | {inner: data.draw(JSON)}
    else:
        spoilt = data.draw(JSON)
    try:
        event = decode(json.dumps({"type": name} | more | {key: spoilt}))
    except UnreadableEventError:
        return
    assert well_typed(event)


@given(st.text() | st.binary())
def test_any_message(message: str | bytes) -> None:
    try:
        decode(message)
    except UnreadableEventError:
        return
