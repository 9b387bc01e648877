"""One session's protocol, without sockets: events in, events out."""

import base64
from typing import Any

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol import default_conversation
from rtvoiced_server.protocol.outputs import RecogniseAudio, SendToClient, SpeakText, StopSpeaking
from support.talking import (
    CLOSED,
    CREATED,
    ITEM,
    NOW,
    OPENED,
    Talk,
    listening,
    message,
    new_session,
    refusal,
    types,
    voiced,
)


def test_the_session_begins_with_server_vad_and_an_hour() -> None:
    (created,) = new_session("m").open()
    assert isinstance(created, SendToClient)
    session = created.event["session"]

    assert created.event["type"] == "session.created"
    assert session["expires_at"] == NOW.timestamp() + 3600
    assert session["id"].startswith("sess_")
    assert (session["type"], session["object"], session["model"]) == ("realtime", "realtime.session", "m")
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["input"]["transcription"] is None


def test_a_typed_turn_has_the_response_events_of_the_real_server() -> None:
    talk = Talk()
    sent = talk.text("what is seven plus five", metadata={"request": "r-1"})
    response_id, spoken = talk.speak()
    done = talk.finish(response_id)

    assert types(sent) == [*ITEM, "response.created", *OPENED]
    assert types(spoken) == ["response.output_audio_transcript.delta", "response.output_audio.delta"]
    assert types(done) == CLOSED
    assert "".join(event["delta"] for event in spoken[:-1]) == "7 plus 5 is 12."
    assert sent[2]["response"]["metadata"] == {"request": "r-1"}
    assert sent[2]["response"]["usage"] is None
    assert sent[3]["item"]["content"] == []
    assert sent[4]["previous_item_id"] == sent[0]["item"]["id"]
    response = done[-2]["response"]
    assert (response["id"], response["status"]) == (response_id, "completed")
    assert response["metadata"] == {"request": "r-1"}
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "7 plus 5 is 12."}]
    assert response["usage"]["output_token_details"] == {"text_tokens": 4, "audio_tokens": 20}
    assert response["usage"]["total_tokens"] == response["usage"]["input_tokens"] + 24


def test_a_text_response_has_the_events_of_text() -> None:
    talk = Talk()
    sent = talk.text("hello", output_modalities=["text"], instructions="Be brief.")

    assert types(sent[2:]) == [
        "response.created",
        *OPENED,
        "response.output_text.delta",
        "response.output_text.done",
        *CLOSED[2:],
    ]
    assert sent[-2]["response"]["output"][0]["content"] == [
        {"type": "output_text", "text": "Hello! What can I do for you?"}
    ]


def test_a_spoken_turn_is_found_committed_and_answered() -> None:
    talk = Talk()
    sent = talk.append(WIRE.silence(1000) + voiced("what time is it") + WIRE.silence(1000))

    assert types(sent) == ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", *CREATED]
    started, stopped, committed, added = sent[:4]
    assert len({event["item_id"] for event in sent[:3]} | {added["item"]["id"]}) == 1
    assert (started["audio_start_ms"] + 300) % 32 == 0
    assert 700 <= started["audio_start_ms"] <= 1200
    assert stopped["audio_end_ms"] % 32 == 0
    assert committed["previous_item_id"] is None
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    audio = talk.todo[0]
    assert isinstance(audio, RecogniseAudio)
    assert WIRE.duration_ms(len(audio.audio)) == stopped["audio_end_ms"] - started["audio_start_ms"]
    assert types(talk.hear("what time is it")) == OPENED
    assert talk.next(SpeakText).text == "It is 2:05 PM."


def test_transcription_is_told_when_it_is_configured() -> None:
    talk = Talk()
    talk.send("session.update", session=listening(transcription={"model": "gpt-realtime-whisper"}))
    talk.append(voiced("hello there") + WIRE.silence(1000))
    sent = talk.hear("hello there")

    prefix = "conversation.item.input_audio_transcription"
    assert types(sent)[:2] == [f"{prefix}.delta", f"{prefix}.completed"]
    assert [event["delta"] for event in sent[:2]] == ["hello", " there"]
    assert sent[2]["transcript"] == "hello there"
    assert sent[2]["usage"]["type"] == "duration"
    retrieved = talk.send("conversation.item.retrieve", item_id=sent[0]["item_id"])[0]["item"]["content"][0]
    assert retrieved["transcript"] == "hello there"
    assert len(base64.b64decode(retrieved["audio"])) > WIRE.size(500)


def test_a_failed_recognition_is_told_and_answered() -> None:
    talk = Talk()
    talk.send(
        "session.update",
        session={"type": "realtime", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}},
    )
    talk.append(voiced("hello") + WIRE.silence(1000))
    sent = talk.hear(None)

    assert types(sent) == ["conversation.item.input_audio_transcription.failed", *OPENED]
    assert talk.next(SpeakText).text.startswith("Sorry, I did not understand that.")


def test_barge_in_cancels_exactly_as_the_real_server_does() -> None:
    talk = Talk()
    talk.text("tell me a story")
    response_id, spoken = talk.speak(most=2)
    sent = talk.append(voiced("stop") + WIRE.silence(1000))

    assert types(sent) == [
        "input_audio_buffer.speech_started",
        *CLOSED,
        "input_audio_buffer.speech_stopped",
        *CREATED,
    ]
    done = sent[6]["response"]
    assert (done["id"], done["status"]) == (response_id, "cancelled")
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["output"][0]["status"] == "incomplete"
    streamed = "".join(event["delta"] for event in spoken if "transcript" in event["type"])
    assert sent[2]["transcript"] == streamed
    assert done["usage"]["output_token_details"]["audio_tokens"] == 40
    committed = sent[9]
    assert committed["previous_item_id"] == done["output"][0]["id"]
    assert talk.next(StopSpeaking) == StopSpeaking(response_id)
    assert talk.finish(response_id) == []
    assert talk.take(talk.session.on_speech_audio(response_id, WIRE.silence(20))) == []


def test_without_interrupt_response_the_answer_goes_on() -> None:
    talk = Talk()
    detection = {"type": "server_vad", "interrupt_response": False, "create_response": False}
    talk.send("session.update", session=listening(turn_detection=detection))
    talk.text("tell me a story")
    response_id, _ = talk.speak(most=1)
    sent = talk.append(voiced("stop") + WIRE.silence(1000))

    assert types(sent) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        *CREATED[:3],
    ]
    assert types(talk.finish(response_id)) == CLOSED


def test_cancelled_before_it_said_anything_it_has_no_item_and_costs_nothing() -> None:
    talk = Talk()
    talk.append(voiced("hello") + WIRE.silence(1000))
    sent = talk.send("response.cancel")

    assert types(sent) == ["response.done", "rate_limits.updated"]
    assert sent[0]["response"]["output"] == []
    assert sent[0]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert sent[0]["response"]["usage"]["total_tokens"] == 0
    assert talk.hear("hello") == []


def test_clear_drops_an_open_turn() -> None:
    talk = Talk()
    assert types(talk.append(voiced("tell me a story"))) == ["input_audio_buffer.speech_started"]
    assert types(talk.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert talk.append(WIRE.silence(2000)) == []


def test_audio_times_go_on_after_a_clear_and_a_new_detection() -> None:
    talk = Talk()
    talk.append(WIRE.silence(3000))
    talk.send("input_audio_buffer.clear")
    detection = {"type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 100}
    talk.send("session.update", session=listening(turn_detection=detection))
    started = talk.append(voiced("hello"))[0]

    assert 3000 <= started["audio_start_ms"] <= 3500
    assert (started["audio_start_ms"] + 100) % 32 == 0 or started["audio_start_ms"] == 3000


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        (None, "missing_required_parameter", "session"),
        ([], "invalid_type", "session"),
        ({"instructions": "lost"}, "missing_required_parameter", "session.type"),
        ({"type": "realtime", "instructions": "lost", "model": "another"}, "invalid_value", "session.model"),
        (
            {"type": "realtime", "instructions": "lost", "audio": {"output": {"speed": 9}}},
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
    ],
)
def test_a_bad_update_is_refused_whole(session: Any, code: str, param: str) -> None:
    talk = Talk()
    before = talk.updated()

    assert refusal(talk.send("session.update", event_id="u-1", session=session)) == (code, param, "u-1")
    assert talk.updated() == before


def test_an_update_merges_deeply() -> None:
    talk = Talk()
    change = listening(turn_detection={"type": "server_vad", "threshold": 0.7})
    session = talk.send("session.update", session=change)[0]["session"]

    assert session["audio"]["input"]["turn_detection"] | {"threshold": 0.5} == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    assert session["audio"]["output"]["voice"] == "slt"


def test_the_voice_is_locked_once_it_was_heard() -> None:
    talk = Talk()
    rms = {"type": "realtime", "audio": {"output": {"voice": "rms"}}}
    slt = {"type": "realtime", "audio": {"output": {"voice": "slt"}}}
    assert types(talk.send("session.update", session=rms)) == ["session.updated"]
    talk.answered("hello")

    refused = talk.send("session.update", session=slt)
    assert refusal(refused)[0] == "cannot_update_voice"
    assert refused[0]["error"]["message"] == (
        "Cannot update a conversation's voice if assistant audio is present."
    )
    assert types(talk.send("session.update", session=rms)) == ["session.updated"]


def test_truncate_forgets_the_words_that_were_not_heard() -> None:
    talk = Talk()
    item_id = talk.answered("say one two three four")
    sent = talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=600)

    assert types(sent) == ["conversation.item.truncated"]
    assert (sent[0]["item_id"], sent[0]["content_index"], sent[0]["audio_end_ms"]) == (item_id, 0, 600)
    item = talk.send("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert item["content"][0]["transcript"] == "one two"
    assert len(base64.b64decode(item["content"][0]["audio"])) == WIRE.size(600)
    talk.text("what did you say")
    assert talk.next(SpeakText).text == "one two"


def test_truncate_at_nothing_is_accepted() -> None:
    talk = Talk()
    item_id = talk.answered("hello")
    for _ in range(2):
        sent = talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0)
        assert types(sent) == ["conversation.item.truncated"]


def test_truncate_while_it_is_still_said_ends_the_item_there() -> None:
    talk = Talk()
    talk.text("tell me a story")
    response_id, _ = talk.speak(most=1)
    item_id = talk.send("response.cancel")[4]["item"]["id"]
    talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=500)

    item = talk.send("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert item["status"] == "incomplete"
    assert item["content"][0]["transcript"].startswith("Once upon a time")
    assert not item["content"][0]["transcript"].endswith(".")
    assert talk.finish(response_id) == []


def test_items_are_put_where_the_client_wants_them() -> None:
    talk = Talk()
    previous = [
        talk.send("conversation.item.create", item=message("user", "b", "b")),
        talk.send("conversation.item.create", item=message("assistant", "d", "d")),
        talk.send("conversation.item.create", item=message("system", "a", "a"), previous_item_id="root"),
        talk.send("conversation.item.create", item=message("user", "c", "c"), previous_item_id="b"),
        talk.send("conversation.item.create", item=message("user", "e", "e"), previous_item_id=None),
    ]
    assert [types(sent) for sent in previous] == [ITEM] * 5
    assert [sent[0]["previous_item_id"] for sent in previous] == [None, "b", None, "b", "d"]

    assert types(talk.send("conversation.item.delete", item_id="e")) == ["conversation.item.deleted"]
    after = talk.send("conversation.item.create", item=message("user", "f", "f"))
    assert after[0]["previous_item_id"] == "d"


def test_a_seeded_history_is_remembered() -> None:
    talk = Talk()
    talk.send("conversation.item.create", item=message("user", "what is two plus two", "u"))
    talk.send("conversation.item.create", item=message("assistant", "2 plus 2 is 4.", "a"))
    talk.text("what did I say before?")

    assert talk.next(SpeakText).text == "You said: what is two plus two"


def test_without_a_question_it_greets() -> None:
    talk = Talk()
    talk.send("response.create")

    assert talk.next(SpeakText).text == "Hello. What can I do for you?"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ("[]", "invalid_event"),
        ("{}", "invalid_event"),
        ('{"type": 1}', "invalid_event"),
        ('{"type": "session.nonsense"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append"}', "missing_required_parameter"),
        ('{"type": "input_audio_buffer.append", "audio": 1}', "invalid_type"),
        ('{"type": "input_audio_buffer.append", "audio": "AAA"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "!!!!"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "AAAA"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": ""}', "invalid_value"),
        ('{"type": "response.create", "response": []}', "invalid_type"),
        ('{"type": "response.create", "response": {"conversation": "mine"}}', "invalid_value"),
        ('{"type": "response.create", "response": {"metadata": {"a": 1}}}', "invalid_type"),
        ('{"type": "response.create", "response": {"nonsense": 1}}', "unknown_parameter"),
        ('{"type": "conversation.item.delete"}', "missing_required_parameter"),
        ('{"type": "conversation.item.delete", "item_id": []}', "invalid_type"),
        ('{"type": "session.update", "session": {"type": []}}', "invalid_type"),
        (
            '{"type": "session.update", "session": {"type": "realtime", "max_output_tokens": NaN}}',
            "invalid_json",
        ),
    ],
)
def test_nonsense_is_an_error_and_no_crash(raw: str | bytes, code: str) -> None:
    talk = Talk()

    assert refusal(talk.take(talk.session.receive(raw)))[0] == code
    assert types(talk.text("hello")) == [*ITEM, "response.created", *OPENED]


def test_the_conversation_is_bounded() -> None:
    talk = Talk()
    for n in range(default_conversation.MOST_ITEMS + 1):
        talk.send("conversation.item.create", item=message("user", "x", f"i{n}"))

    assert (
        refusal(talk.send("conversation.item.retrieve", item_id="i0"))[0] == "item_retrieve_invalid_item_id"
    )
    assert types(talk.send("conversation.item.retrieve", item_id="i1")) == ["conversation.item.retrieved"]


def test_an_endless_nest_is_refused() -> None:
    talk = Talk()
    deep = "[" * 500 + "]" * 500
    tool = f'{{"type": "function", "name": "x", "parameters": {{"x": {deep}}}}}'
    raw = f'{{"type": "session.update", "session": {{"type": "realtime", "tools": [{tool}]}}}}'

    assert refusal(talk.take(talk.session.receive(raw)))[0] == "invalid_value"
