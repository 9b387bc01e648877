"""What the embedded server refuses, in the real server's codes, params and words."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.vocabulary import SessionKind
from support.talking import ITEM, Json, Talk, listening, message, types

Scene = Callable[[Talk], list[Json]]
WEATHER: Json = {"type": "function", "name": "get_weather"}


def update(**session: Any) -> Scene:
    return lambda talk: talk.send("session.update", event_id="e", session={"type": "realtime", **session})


def create(item: Json, **where: Any) -> Scene:
    return lambda talk: talk.send("conversation.item.create", event_id="e", item=item, **where)


def respond(**response: Any) -> Scene:
    return lambda talk: talk.send("response.create", event_id="e", response=response)


def send(kind: str, **fields: Any) -> Scene:
    return lambda talk: talk.send(kind, event_id="e", **fields)


def after(prepare: Callable[[Talk], object], scene: Scene) -> Scene:
    def both(talk: Talk) -> list[Json]:
        prepare(talk)
        return scene(talk)

    return both


def truncate(item_id: str, ms: int = 0, index: int = 0) -> Scene:
    return send("conversation.item.truncate", item_id=item_id, content_index=index, audio_end_ms=ms)


def too_little(talk: Talk) -> list[Json]:
    talk.send("session.update", session=listening(turn_detection=None))
    talk.append(WIRE.silence(62.5))
    return send("input_audio_buffer.commit")(talk)


def second_response(talk: Talk) -> list[Json]:
    talk.text("tell me a story")
    sent = respond()(talk)
    active = next(one for one in talk.told if one["type"] == "response.created")["response"]["id"]
    sent[0]["error"]["message"] = sent[0]["error"]["message"].replace(active, "RESPONSE")
    return sent


def truncate_past_the_end(talk: Talk) -> list[Json]:
    refused, done = truncate(talk.answered("say one two"), 1500)(talk)
    assert (done["type"], done["audio_end_ms"]) == ("conversation.item.truncated", 1000)
    return [refused]


def truncate_second_part(talk: Talk) -> list[Json]:
    return truncate(talk.answered("say one two"), 0, 1)(talk)


def truncate_before_any_audio(talk: Talk) -> list[Json]:
    talk.text("say one two")
    added = next(one for one in talk.told if one["type"] == "response.output_item.added")
    return truncate(added["item"]["id"])(talk)


def voice_after_audio(talk: Talk) -> list[Json]:
    talk.answered("hello")
    return update(audio={"output": {"voice": "rms"}})(talk)


def voice_of_a_response(talk: Talk) -> list[Json]:
    talk.answered("hello")
    return respond(audio={"output": {"voice": "rms"}})(talk)


def tracing_twice(talk: Talk) -> list[Json]:
    talk.update(tracing="auto")
    assert types(talk.update(tracing="auto")) == ["session.updated"]
    return update(tracing=None)(talk)


def raw(text: str) -> Scene:
    return lambda talk: talk.take(talk.session.receive(text))


VOICE = "Cannot update a conversation's voice if assistant audio is present."
ONLY_AUDIO = "Only model output audio messages can be truncated"
DETECTION = "session.audio.input.turn_detection"

# Scene; code; param; message, where the real one is known; whether the error names the event.
TABLE: dict[str, tuple[Scene, str | None, str | None, str | None, bool]] = {
    "cancel nothing": (
        send("response.cancel"),
        "response_cancel_not_active",
        None,
        "Cancellation failed: no active response found",
        True,
    ),
    "cancel another": (
        after(lambda talk: talk.text("hello"), send("response.cancel", response_id="resp_x")),
        "response_cancel_not_active",
        None,
        "Cancellation failed: no active response found",
        True,
    ),
    "a second response": (
        second_response,
        "conversation_already_has_active_response",
        None,
        (
            "Conversation already has an active response in progress: RESPONSE. "
            "Wait until the response is finished before creating a new one."
        ),
        True,
    ),
    "commit too little": (
        too_little,
        "input_audio_buffer_commit_empty",
        None,
        (
            "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
            "but buffer only has 62.50ms of audio."
        ),
        True,
    ),
    "truncate past the end": (
        truncate_past_the_end,
        "invalid_value",
        None,
        "Audio content of 1000ms is already shorter than 1500ms",
        False,
    ),
    "truncate a user's item": (
        after(lambda talk: talk.add(message("user", "x", "u")), truncate("u")),
        None,
        None,
        ONLY_AUDIO,
        True,
    ),
    "truncate a text": (
        after(lambda talk: talk.add(message("assistant", "x", "a")), truncate("a")),
        None,
        None,
        ONLY_AUDIO,
        True,
    ),
    "truncate before any audio": (truncate_before_any_audio, None, None, ONLY_AUDIO, True),
    "truncate a second part": (truncate_second_part, "invalid_value", "content_index", None, True),
    "truncate nobody": (truncate("x"), "item_truncate_invalid_item_id", "item_id", None, True),
    "delete nobody": (
        send("conversation.item.delete", item_id="x"),
        "item_delete_invalid_item_id",
        "item_id",
        "Error deleting item: the item with id 'x' does not exist.",
        True,
    ),
    "retrieve nobody": (
        send("conversation.item.retrieve", item_id="x"),
        "item_retrieve_invalid_item_id",
        "item_id",
        None,
        True,
    ),
    "an id twice": (
        after(lambda talk: talk.add(message("user", "x", "u")), create(message("user", "y", "u"))),
        "item_create_duplicate_item_id",
        "item.id",
        None,
        True,
    ),
    "an output of no call": (
        create({"type": "function_call_output", "call_id": "c", "output": "x"}),
        "invalid_tool_call_id",
        None,
        "Tool call ID 'c' not found in conversation.",
        True,
    ),
    "another voice": (voice_after_audio, "cannot_update_voice", "session.audio.output.voice", VOICE, True),
    "another voice of a response": (
        voice_of_a_response,
        "cannot_update_voice",
        "response.audio.output.voice",
        VOICE,
        True,
    ),
    "no type of the session": (
        send("session.update", session={"instructions": "x"}),
        "missing_required_parameter",
        "session.type",
        "Missing required parameter: 'session.type'.",
        True,
    ),
    "another type of the session": (
        send("session.update", session={"type": "transcription"}),
        "invalid_parameter",
        None,
        "Passing a transcription session update event to a realtime session is not allowed.",
        True,
    ),
    "no type of session": (
        send("session.update", session={"type": "x"}),
        "invalid_value",
        "session.type",
        None,
        True,
    ),
    "an unknown key": (
        update(nonsense=1),
        "unknown_parameter",
        "session.nonsense",
        "Unknown parameter: 'session.nonsense'.",
        True,
    ),
    "null for a boolean": (
        update(audio={"input": {"turn_detection": {"create_response": None}}}),
        "invalid_type",
        f"{DETECTION}.create_response",
        f"Invalid type for '{DETECTION}.create_response': expected a boolean, but got null instead.",
        True,
    ),
    "a low rate": (
        update(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
        "integer_below_min_value",
        "session.audio.input.format.rate",
        (
            "Invalid 'session.audio.input.format.rate': integer below minimum value. "
            "Expected a value >= 24000, but got 16000 instead."
        ),
        True,
    ),
    "no rate": (
        update(audio={"output": {"format": {"type": "audio/pcm"}}}),
        "missing_required_parameter",
        "session.audio.output.format.rate",
        None,
        True,
    ),
    "a rate of the telephone": (
        update(audio={"output": {"format": {"type": "audio/pcmu", "rate": 8000}}}),
        "unknown_parameter",
        "session.audio.output.format.rate",
        None,
        True,
    ),
    "an unknown format": (
        update(audio={"input": {"format": {"type": "audio/opus"}}}),
        "invalid_value",
        "session.audio.input.format.type",
        "Invalid value: 'audio/opus'. Supported values are: 'audio/pcm', 'audio/pcmu', and 'audio/pcma'.",
        True,
    ),
    "a short idle timeout": (
        update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 4999}}}),
        "integer_below_min_value",
        f"{DETECTION}.idle_timeout_ms",
        None,
        True,
    ),
    "an idle timeout of semantic_vad": (
        update(audio={"input": {"turn_detection": {"type": "semantic_vad", "idle_timeout_ms": 5000}}}),
        "unknown_parameter",
        f"{DETECTION}.idle_timeout_ms",
        None,
        True,
    ),
    "a tool without a name": (
        update(tools=[{"type": "function"}]),
        "missing_required_parameter",
        "session.tools[0].name",
        None,
        True,
    ),
    "a bad name of a tool": (
        update(tools=[WEATHER, {"type": "function", "name": "get weather"}]),
        "invalid_value",
        "session.tools[1].name",
        "Invalid 'session.tools[1].name': string does not match pattern. Expected '^[a-zA-Z0-9_-]{1,64}$'.",
        True,
    ),
    "parameters that are no object": (
        update(tools=[WEATHER | {"parameters": []}]),
        "invalid_type",
        "session.tools[0].parameters",
        None,
        True,
    ),
    "an MCP tool": (
        update(tools=[{"type": "mcp", "server_label": "x", "server_url": "https://example.com"}]),
        "invalid_value",
        "session.tools[0].type",
        "Invalid value: 'mcp'. Supported values are: 'function'.",
        True,
    ),
    "too many tools": (update(tools=[WEATHER] * 129), "array_above_max_length", "session.tools", None, True),
    "tools that are too long": (
        update(tools=[WEATHER | {"description": "x" * 90_000}] * 3),
        "string_above_max_length",
        "session.tools",
        None,
        True,
    ),
    "a chosen tool that is none": (
        update(tools=[WEATHER], tool_choice={"type": "function", "name": "sing"}),
        "invalid_value",
        "session.tool_choice",
        "Tool choice 'sing' not found in 'tools'.",
        True,
    ),
    "a chosen tool of a response that is none": (
        respond(tool_choice={"type": "function", "name": "sing"}),
        "invalid_value",
        "response.tool_choice",
        None,
        True,
    ),
    "a choice that is none": (update(tool_choice="any"), "invalid_value", "session.tool_choice", None, True),
    "too many tokens": (
        update(max_output_tokens=4097),
        "integer_above_max_value",
        "session.max_output_tokens",
        None,
        True,
    ),
    "no tokens": (
        respond(max_output_tokens=0),
        "integer_below_min_value",
        "response.max_output_tokens",
        None,
        True,
    ),
    "both modalities": (
        update(output_modalities=["audio", "text"]),
        "invalid_value",
        "session.output_modalities",
        "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio'].",
        True,
    ),
    "a ratio beyond one": (
        update(truncation={"type": "retention_ratio", "retention_ratio": 1.5}),
        "decimal_above_max_value",
        "session.truncation.retention_ratio",
        None,
        True,
    ),
    "a prompt without an id": (
        update(prompt={}),
        "missing_required_parameter",
        "session.prompt.id",
        None,
        True,
    ),
    "an unknown effort": (
        update(reasoning={"effort": "much"}),
        "invalid_value",
        "session.reasoning.effort",
        None,
        True,
    ),
    "an unknown include": (update(include=["x"]), "invalid_value", "session.include[0]", None, True),
    "tracing twice": (tracing_twice, "invalid_value", "session.tracing", None, True),
    "an unknown reference": (
        respond(input=[{"type": "item_reference", "id": "x"}]),
        "invalid_value",
        "response.input[0].id",
        "Item with item_id 'x' not found.",
        True,
    ),
    "an unknown event": (send("session.nonsense"), "invalid_value", "type", None, True),
    "an event of WebRTC": (send("output_audio_buffer.clear"), "invalid_value", "type", None, True),
    "an id that is none": (
        raw('{"type": "response.cancel", "event_id": 5}'),
        "invalid_type",
        "event_id",
        None,
        False,
    ),
    "an id that is too long": (
        raw(f'{{"type": "response.cancel", "event_id": "{"e" * 513}"}}'),
        "string_above_max_length",
        "event_id",
        None,
        False,
    ),
    "no type": (raw('{"event_id": "e"}'), "invalid_event", "type", None, True),
    "no object": (raw("[]"), "invalid_event", None, None, False),
    "no JSON": (raw("{"), "invalid_json", None, None, False),
    "a number that is none": (
        raw('{"type": "session.update", "x": 1e999}'),
        "invalid_json",
        None,
        None,
        False,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_refusal(name: str) -> None:
    scene, code, param, words, named = TABLE[name]
    talk = Talk()
    (event,) = scene(talk)

    assert event["type"] == "error"
    assert event["error"] == {
        "type": "invalid_request_error",
        "code": code,
        "message": words if words is not None else event["error"]["message"],
        "param": param,
        "event_id": "e" if named else None,
    }
    assert event["error"]["message"]
    assert types(talk.add(message("user", "still there"))) == ITEM


def test_a_session_that_transcribes_answers_nothing() -> None:
    talk = Talk(kind=SessionKind.TRANSCRIPTION)

    for kind in (
        "response.create",
        "conversation.item.create",
        "conversation.item.truncate",
        "response.cancel",
    ):
        (event,) = talk.send(kind)
        assert (event["error"]["code"], event["error"]["param"]) == ("invalid_value", "type")
    (event,) = talk.send("session.update", session={"type": "realtime"})
    assert event["error"]["message"] == (
        "Passing a realtime session update event to a transcription session is not allowed."
    )


@pytest.mark.parametrize("audio", ["AAA", "!!!!", "AAAA", "", base64.b64encode(bytes(12 << 20)).decode()])
def test_audio_that_is_none_changes_nothing(audio: str) -> None:
    talk = Talk(turn_detection=None)
    talk.append(WIRE.silence(50))
    (event,) = talk.send("input_audio_buffer.append", audio=audio)
    assert (event["error"]["code"], event["error"]["param"]) == ("invalid_value", "audio")

    (event,) = talk.send("input_audio_buffer.commit")
    assert event["error"]["message"].endswith("buffer only has 50.00ms of audio.")
