"""The beta protocol over the GA session: its names, shapes and refusals, both ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.beta.translation import BetaDialect
from rtvoiced_server.protocol.wire import Refused, error_event
from rtvoiced_server.vocabulary import SessionKind
from support.talking import Json, Talk, types, voiced
from support.validation import check_wire

SESSION = {
    "id",
    "object",
    "expires_at",
    "model",
    "modalities",
    "instructions",
    "voice",
    "speed",
    "input_audio_format",
    "output_audio_format",
    "input_audio_transcription",
    "input_audio_noise_reduction",
    "turn_detection",
    "tools",
    "tool_choice",
    "max_response_output_tokens",
    "tracing",
    "temperature",
}
RESPONSE = {
    "id",
    "object",
    "status",
    "status_details",
    "output",
    "conversation_id",
    "modalities",
    "voice",
    "output_audio_format",
    "temperature",
    "max_output_tokens",
    "usage",
    "metadata",
}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Client:
    """A client that speaks the beta, and the world around its session."""

    def __init__(self, kind: SessionKind = SessionKind.REALTIME) -> None:
        self.beta = BetaDialect(kind)
        self.talk = Talk(kind)
        self.greeting = self.told(self.talk.take(self.talk.session.open()))

    def told(self, events: Sequence[Json]) -> list[Json]:
        return [check_wire(each, "server", "beta") for one in events for each in self.beta.write(one)]

    def send(self, kind: str, **fields: Any) -> list[Json]:
        try:
            told = json.loads(self.beta.read(json.dumps({"type": kind, **fields})))
        except Refused as refused:
            return [error_event(refused, fields.get("event_id"))]
        return self.told(self.talk.send(told.pop("type"), **told))

    def update(self, **session: Any) -> list[Json]:
        return self.send("session.update", session=session)

    def ask(self, text: str, **response: Any) -> list[Json]:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        created = self.send("conversation.item.create", item=item)
        return created + self.send("response.create", response=response)

    def answer(self) -> list[Json]:
        response_id, spoken = self.talk.speak()
        return self.told(spoken) + self.told(self.talk.finish(response_id))


def refusal(events: Sequence[Json]) -> tuple[Any, Any, Any]:
    (one,) = events
    return one["error"]["code"], one["error"]["param"], one["error"]["message"]


def test_the_greeting_is_a_flat_session_and_a_conversation() -> None:
    created, conversation = Client().greeting
    session = created["session"]

    assert (created["type"], conversation["type"]) == ("session.created", "conversation.created")
    assert set(session) == SESSION
    assert {key: session[key] for key in SESSION - {"id", "expires_at", "instructions", "voice"}} == {
        "object": "realtime.session",
        "model": "rtvoice-local",
        "modalities": ["text", "audio"],
        "speed": 1.0,
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": None,
        "input_audio_noise_reduction": None,
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "create_response": True,
            "interrupt_response": True,
        },
        "tools": [],
        "tool_choice": "auto",
        "max_response_output_tokens": "inf",
        "tracing": None,
        "temperature": 0.8,
    }
    assert conversation["conversation"]["object"] == "realtime.conversation"


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"modalities": ["text"]}, {}),
        ({"modalities": ["audio", "text"]}, {"modalities": ["text", "audio"]}),
        ({"instructions": ""}, {}),
        ({"voice": "rms", "speed": 1.2}, {}),
        ({"input_audio_format": "g711_ulaw", "output_audio_format": "g711_alaw"}, {}),
        ({"input_audio_transcription": {"model": "whisper-1"}}, {}),
        ({"input_audio_noise_reduction": {"type": "near_field"}}, {}),
        ({"turn_detection": None}, {}),
        ({"tools": [WEATHER], "tool_choice": "required"}, {}),
        ({"max_response_output_tokens": 200}, {}),
        ({"temperature": 0.6}, {}),
        ({"temperature": 1}, {}),
        ({}, {}),
    ],
)
def test_an_update_is_taken_and_shown_in_the_same_words(change: Json, shown: Json) -> None:
    client = Client()
    (updated,) = client.update(**change)

    assert updated["type"] == "session.updated"
    assert updated["session"] == client.greeting[0]["session"] | change | shown


def test_a_part_of_the_turn_detection_leaves_the_rest() -> None:
    client = Client()
    (updated,) = client.update(turn_detection={"type": "server_vad", "silence_duration_ms": 200})

    detection = client.greeting[0]["session"]["turn_detection"] | {"silence_duration_ms": 200}
    assert updated["session"]["turn_detection"] == detection


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"type": "realtime"}, "unknown_parameter", "session.type"),
        ({"output_modalities": ["text"]}, "unknown_parameter", "session.output_modalities"),
        ({"audio": {}}, "unknown_parameter", "session.audio"),
        ({"nonsense": 1}, "unknown_parameter", "session.nonsense"),
        ({"temperature": 0.5}, "decimal_below_min_value", "session.temperature"),
        ({"temperature": 1.3}, "decimal_above_max_value", "session.temperature"),
        ({"temperature": "hot"}, "invalid_type", "session.temperature"),
        ({"temperature": None}, "invalid_type", "session.temperature"),
        ({"modalities": ["audio"]}, "invalid_value", "session.modalities"),
        ({"modalities": []}, "invalid_value", "session.modalities"),
        ({"modalities": "text"}, "invalid_type", "session.modalities"),
        ({"modalities": ["video"]}, "invalid_value", "session.modalities[0]"),
        ({"input_audio_format": "pcm"}, "invalid_value", "session.input_audio_format"),
        ({"output_audio_format": None}, "invalid_type", "session.output_audio_format"),
        # These are found by the session, which knows them by other names.
        ({"voice": 5}, "invalid_type", "session.voice"),
        ({"speed": 9}, "decimal_above_max_value", "session.speed"),
        ({"max_response_output_tokens": 0}, "integer_below_min_value", "session.max_response_output_tokens"),
        ({"turn_detection": {"type": "x"}}, "invalid_value", "session.turn_detection.type"),
        ({"turn_detection": {"nonsense": 1}}, "unknown_parameter", "session.turn_detection.nonsense"),
        (
            {"input_audio_transcription": {"model": 5}},
            "invalid_type",
            "session.input_audio_transcription.model",
        ),
        (
            {"input_audio_noise_reduction": {"type": "x"}},
            "invalid_value",
            "session.input_audio_noise_reduction.type",
        ),
    ],
)
def test_a_bad_update_is_refused_in_the_clients_own_words_and_changes_nothing(
    change: Json, code: str, param: str
) -> None:
    client = Client()
    told = client.update(**{"instructions": "Sing.", "temperature": 0.7, **change})

    assert refusal(told)[:2] == (code, param)
    assert "audio." not in told[0]["error"]["message"]
    (updated,) = client.update()
    assert updated["session"] == client.greeting[0]["session"]


def test_what_may_stand_there_is_told_in_the_words_of_the_beta() -> None:
    client = Client()

    assert refusal(client.update(modalities=["audio"]))[2] == (
        "Invalid modalities: ['audio']. Supported combinations are: ['text'] and ['audio', 'text']."
    )
    assert refusal(client.update(input_audio_format="mp3"))[2] == (
        "Invalid value: 'mp3'. Supported values are: 'pcm16', 'g711_ulaw', and 'g711_alaw'."
    )
    item = {"type": "message", "role": "assistant", "content": [{"type": "input_text", "text": "x"}]}
    code, param, message = refusal(client.send("conversation.item.create", item=item))
    assert (code, param) == ("invalid_value", "item.content[0].type")
    assert "'text'" in message
    assert "output_text" not in message


@pytest.mark.parametrize("session", [None, [], "x", 5])
def test_an_update_without_an_object_is_refused(session: Any) -> None:
    assert refusal(Client().send("session.update", session=session))[1] == "session"


def test_an_error_names_the_event_that_it_answers() -> None:
    told = Client().send("session.update", event_id="mine", session={"nonsense": 1})
    assert told[0]["error"]["event_id"] == "mine"
    told = Client().send("session.update", event_id="mine", session={"voice": 1})
    assert told[0]["error"]["event_id"] == "mine"


def test_a_spoken_answer_has_the_response_events_of_the_beta() -> None:
    client = Client()
    sent = client.ask("what is seven plus five", metadata={"request": "r-1"})
    done = client.answer()

    assert types(sent + done) == [
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    limits = {limit["name"]: limit["remaining"] for limit in sent[2]["rate_limits"]}
    assert limits == {"requests": 499, "tokens": 40_000}
    response = done[-1]["response"]
    assert set(response) == RESPONSE == set(sent[1]["response"])
    assert response["conversation_id"] == client.greeting[1]["conversation"]["id"]
    assert (response["modalities"], response["output_audio_format"]) == (["text", "audio"], "pcm16")
    assert (response["temperature"], response["metadata"]) == (0.8, {"request": "r-1"})
    (item,) = response["output"]
    assert item["object"] == "realtime.item"
    assert item["content"] == [{"type": "audio", "transcript": "7 plus 5 is 12."}]


def test_a_written_answer_has_text() -> None:
    client = Client()
    told = client.ask("hello", modalities=["text"], temperature=1.1, max_response_output_tokens=100)

    assert types(told)[-5:] == [
        "response.text.delta",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    response = told[-1]["response"]
    assert (response["modalities"], response["temperature"]) == (["text"], 1.1)
    assert response["max_output_tokens"] == 100
    assert response["output"][0]["content"] == [{"type": "text", "text": "Hello! What can I do for you?"}]


def test_the_temperature_of_one_response_is_not_that_of_the_next() -> None:
    client = Client()
    client.update(temperature=0.9)
    first = client.ask("hello", modalities=["text"], temperature=1.2)
    second = client.ask("hello", modalities=["text"])

    assert [one["response"]["temperature"] for one in (first[-1], second[-1])] == [1.2, 0.9]


def test_a_refused_update_leaves_the_temperature_as_it_was() -> None:
    client = Client()
    client.update(temperature=0.9, voice=5)

    assert client.ask("hello", modalities=["text"])[-1]["response"]["temperature"] == 0.8


@pytest.mark.parametrize(
    ("response", "code", "param"),
    [
        ({"output_modalities": ["text"]}, "unknown_parameter", "response.output_modalities"),
        ({"audio": {}}, "unknown_parameter", "response.audio"),
        ({"temperature": 2}, "decimal_above_max_value", "response.temperature"),
        ({"output_audio_format": "mp3"}, "invalid_value", "response.output_audio_format"),
        ({"voice": 5}, "invalid_type", "response.voice"),
        (
            {"max_response_output_tokens": -1},
            "integer_below_min_value",
            "response.max_response_output_tokens",
        ),
    ],
)
def test_a_bad_response_is_refused_in_the_clients_own_words(response: Json, code: str, param: str) -> None:
    told = Client().send("response.create", response=response)
    assert refusal(told)[:2] == (code, param)


def test_the_tokens_of_the_last_answer_are_in_the_limits_of_the_next() -> None:
    client = Client()
    spent = client.ask("hello", modalities=["text"])[-1]["response"]["usage"]["total_tokens"]
    told = client.ask("hello", modalities=["text"])
    (limits,) = [one["rate_limits"] for one in told if one["type"] == "rate_limits.updated"]

    assert limits[1]["remaining"] == 40_000 - spent


def test_history_is_given_and_shown_with_the_parts_of_the_beta() -> None:
    client = Client()
    part = {"type": "text", "text": "Good evening."}
    item = {"id": "a1", "type": "message", "role": "assistant", "content": [part]}
    (created,) = client.send("conversation.item.create", item=item)
    (retrieved,) = client.send("conversation.item.retrieve", item_id="a1")

    assert created["type"] == "conversation.item.created"
    assert created["item"]["content"] == [part] == retrieved["item"]["content"]
    assert created["item"]["object"] == "realtime.item"


def test_a_response_may_be_given_items_of_the_beta() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "x"}]}
    asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    told = Client().send(
        "response.create", response={"conversation": "none", "modalities": ["text"], "input": [said, asked]}
    )

    assert told[-1]["response"]["status"] == "completed"
    assert told[-1]["response"]["conversation_id"] is None
    assert "conversation.item.created" not in types(told)


def test_a_function_call_names_its_function_in_the_item_only() -> None:
    client = Client()
    client.update(tools=[WEATHER], modalities=["text"])
    told = client.ask("call get weather")
    (done,) = [one for one in told if one["type"] == "response.function_call_arguments.done"]
    (added,) = [one for one in told if one["type"] == "response.output_item.added"]

    assert "name" not in done
    assert set(json.loads(done["arguments"])) == {"city"}
    assert added["item"]["name"] == "get_weather"
    output = {"type": "function_call_output", "call_id": done["call_id"], "output": "sunny"}
    assert types(client.send("conversation.item.create", item=output)) == ["conversation.item.created"]


def test_a_spoken_turn_has_one_event_for_the_item() -> None:
    client = Client()
    client.update(input_audio_transcription={"model": "whisper-1"})
    told = client.told(client.talk.append(WIRE.silence(600) + voiced("thank you") + WIRE.silence(1000)))
    told += client.told(client.talk.hear("thank you"))

    assert types(told) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
    ]


def test_a_session_that_only_transcribes_has_names_of_its_own() -> None:
    client = Client(SessionKind.TRANSCRIPTION)
    (created,) = client.greeting
    (updated,) = client.send(
        "transcription_session.update",
        session={"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1"}},
    )

    assert (created["type"], updated["type"]) == (
        "transcription_session.created",
        "transcription_session.updated",
    )
    assert updated["session"]["input_audio_format"] == "g711_ulaw"
    assert updated["session"]["input_audio_transcription"] == {"model": "whisper-1"}
    told = client.send("transcription_session.update", session={"voice": "alloy"})
    assert refusal(told)[:2] == ("unknown_parameter", "session.voice")


def test_what_is_no_json_is_refused_by_the_session() -> None:
    beta, talk = BetaDialect(), Talk()
    for message in ("{", "[]", b"\xff", "[" * 5_000):
        (told,) = talk.take(talk.session.receive(beta.read(message)))
        assert told["error"]["code"] in ("invalid_json", "invalid_event")
