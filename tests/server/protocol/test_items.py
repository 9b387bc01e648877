"""The items that clients of the embedded server make: of every kind, at any place, and what is answered."""

import base64
from typing import Any

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol import recognition_queue
from rtvoiced_server.protocol.content_parts import ImagePart, InputAudioPart, TextPart
from rtvoiced_server.protocol.default_conversation import MOST_AUDIO, MOST_CHARACTERS, DefaultConversation
from rtvoiced_server.protocol.formats import PCM
from rtvoiced_server.protocol.items import ConversationEntry, FunctionCallOutputItem, MessageItem
from rtvoiced_server.protocol.outputs import RecogniseAudio, SendToClient, SpeakText
from rtvoiced_server.vocabulary import ImageDetail, ItemRole, PartKind
from support.talking import ITEM, OPENED, Json, Talk, listening, message, refusal, types

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n and more").decode()
JPEG = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff\xe0 and more").decode()
WEBP = "data:image/webp;base64," + base64.b64encode(b"RIFF\x10\0\0\0WEBPVP8 ").decode()
GIF = "data:image/gif;base64," + base64.b64encode(b"GIF89a and more").decode()
VOICE = WIRE.silence(300)
BLIND = "I got a picture, but I cannot look at it."


def user(*parts: Json, **fields: Any) -> Json:
    return {"type": "message", "role": "user", "content": list(parts), **fields}


def text(words: str) -> Json:
    return {"type": "input_text", "text": words}


def image(url: str, **detail: str) -> Json:
    return {"type": "input_image", "image_url": url, **detail}


def audio(pcm: bytes = VOICE, **transcript: Any) -> Json:
    return {"type": "input_audio", "audio": base64.b64encode(pcm).decode(), **transcript}


def call(**fields: Any) -> Json:
    return {"type": "function_call", "name": "get_weather", "arguments": "{}", **fields}


def retrieved(talk: Talk, item_id: str) -> Json:
    item: Json = talk.send("conversation.item.retrieve", item_id=item_id)[0]["item"]
    return item


def answer(talk: Talk) -> str:
    """Let the conversation be answered, and return what is said."""
    talk.send("response.create")
    said: str = talk.next(SpeakText).text
    return said


def test_a_message_of_several_parts_is_one_sentence() -> None:
    talk = Talk()
    sent = talk.add(user(text("what is two"), text("plus two"), id="u"))

    assert types(sent) == ITEM
    assert sent[0]["item"]["content"] == [text("what is two"), text("plus two")]
    assert answer(talk) == "2 plus 2 is 4."


@pytest.mark.parametrize("url", [PNG, JPEG, WEBP, GIF, JPEG.replace("jpeg", "jpg")])
def test_a_picture_is_taken_and_shown_again(url: str) -> None:
    talk = Talk()
    added = talk.add(user(image(url, detail="low"), id="u"))[0]["item"]

    assert added["content"] == [{"type": "input_image", "image_url": url, "detail": "low"}]
    assert retrieved(talk, "u") == added
    assert answer(talk) == BLIND


def test_the_answer_to_pictures_says_that_nobody_looks_at_them() -> None:
    talk = Talk()
    talk.add(user(image(PNG)))
    talk.add(user(image(GIF), text("what is two plus two")))

    assert answer(talk) == "I got 2 pictures, but I cannot look at them. 2 plus 2 is 4."


def test_a_picture_is_old_once_it_was_answered() -> None:
    talk = Talk()
    talk.add(user(image(PNG)))
    talk.add(message("assistant", "A picture."))
    talk.add(message("user", "hello"))

    assert answer(talk) == "Hello! What can I do for you?"


@pytest.mark.parametrize(("detail", "cost"), [("low", 85), ("high", 765), (None, 765)])
def test_pictures_cost_tokens(detail: str | None, cost: int) -> None:
    talk = Talk()
    talk.add(user(image(PNG) if detail is None else image(PNG, detail=detail)))
    done = talk.send("response.create", response={"output_modalities": ["text"], "instructions": ""})[-2]
    usage = done["response"]["usage"]

    assert usage["input_token_details"]["image_tokens"] == cost
    assert usage["input_tokens"] == cost


def test_audio_in_an_item_is_recognised_like_a_voice() -> None:
    talk = Talk(transcription={"model": "gpt-4o-transcribe"})
    sent = talk.add(user(text("please"), audio(), id="u"))
    assert types(sent) == ITEM
    assert sent[0]["item"]["content"][1] == {"type": "input_audio", "transcript": None}
    assert types(talk.send("response.create")) == ["response.created"]
    assert talk.todo[0].audio == VOICE  # type: ignore[union-attr]
    heard = talk.hear("what time is it")

    prefix = "conversation.item.input_audio_transcription"
    assert types(heard) == [f"{prefix}.delta", f"{prefix}.completed", *OPENED]
    completed = next(event for event in heard if event["type"].endswith("completed"))
    assert (completed["item_id"], completed["content_index"]) == ("u", 1)
    assert completed["usage"]["type"] == "tokens"
    assert talk.next(SpeakText).text == "It is 2:05 PM."
    part = retrieved(talk, "u")["content"][1]
    assert (part["transcript"], base64.b64decode(part["audio"])) == ("what time is it", VOICE)


def test_several_voices_in_one_item_are_heard_one_after_the_other() -> None:
    talk = Talk(transcription={"model": "whisper-1"})
    talk.add(user(audio(), audio(WIRE.silence(200))))
    talk.send("response.create")
    first = talk.hear("what is two")
    assert talk.todo[0].audio == WIRE.silence(200)  # type: ignore[union-attr]
    second = talk.hear("plus two")

    assert [event["content_index"] for event in first] == [0, 0]
    assert [event["content_index"] for event in second[:2]] == [1, 1]
    assert talk.next(SpeakText).text == "2 plus 2 is 4."


def test_what_the_client_knows_of_its_audio_is_believed() -> None:
    talk = Talk()
    talk.add(user(audio(transcript="what is two plus two")))

    assert answer(talk) == "2 plus 2 is 4."


def test_audio_of_an_item_is_in_the_sessions_format() -> None:
    talk = Talk(format={"type": "audio/pcmu"})
    talk.add(user(audio(b"\xff" * 800, transcript=None), id="u"))

    assert WIRE.duration_ms(len(talk.next(RecogniseAudio).audio)) == 100
    assert base64.b64decode(retrieved(talk, "u")["content"][0]["audio"]) == b"\xff" * 800


def test_the_words_of_a_deleted_item_are_not_given_to_another_of_its_name() -> None:
    talk = Talk(transcription={"model": "whisper-1"})
    talk.add(user(audio(), id="u"))
    talk.send("conversation.item.delete", item_id="u")
    talk.add(user(audio(), id="u"))
    assert talk.hear("the first") == []

    assert [event.get("delta") for event in talk.hear("the second")] == ["the second", None]


def test_a_call_and_its_output_are_history() -> None:
    talk = Talk()
    added = talk.add(call(call_id="c1", id="f"))[0]["item"]
    output = talk.add({"type": "function_call_output", "call_id": "c1", "output": "rain"})[0]["item"]

    assert added == call(call_id="c1", id="f", status="completed")
    assert {**output, "id": "o"} == {
        "id": "o",
        "type": "function_call_output",
        "status": "completed",
        "call_id": "c1",
        "output": "rain",
    }
    assert retrieved(talk, "f") == added
    assert answer(talk) == "get weather says: rain."


def test_outputs_of_several_calls_are_told_in_one_answer() -> None:
    talk = Talk()
    talk.add(call(call_id="c1"))
    talk.add(call(call_id="c2", name="tellTime"))
    talk.add({"type": "function_call_output", "call_id": "c2", "output": "It is noon."})
    talk.add({"type": "function_call_output", "call_id": "c1", "output": ""})

    assert answer(talk) == "tell time says: It is noon. get weather says: nothing."


def test_a_call_without_its_output_is_waited_for() -> None:
    talk = Talk()
    talk.add(call())

    assert answer(talk) == "I have no result of get weather yet."


def test_an_output_of_no_call_is_refused() -> None:
    talk = Talk()
    sent = talk.add({"type": "function_call_output", "call_id": "c9", "output": "x"}, event_id="e")

    assert refusal(sent) == ("invalid_tool_call_id", None, "e")
    assert sent[0]["error"]["message"] == "Tool call ID 'c9' not found in conversation."


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        (user(image("https://example.com/x.png")), "invalid_value", "item.content[0].image_url"),
        (user(image("data:image/bmp;base64,Qk0=")), "invalid_value", "item.content[0].image_url"),
        (user(image(PNG.replace("png", "gif"))), "invalid_value", "item.content[0].image_url"),
        (user(image("data:image/png;base64,")), "invalid_value", "item.content[0].image_url"),
        (user(image("data:image/png;base64,!")), "invalid_value", "item.content[0].image_url"),
        (user(image(PNG, detail="huge")), "invalid_value", "item.content[0].detail"),
        (user({"type": "input_image"}), "missing_required_parameter", "item.content[0].image_url"),
        (user({"type": "input_image", "image_url": 1}), "invalid_type", "item.content[0].image_url"),
        (user({"type": "input_audio"}), "missing_required_parameter", "item.content[0].audio"),
        (user({"type": "input_audio", "audio": None}), "missing_required_parameter", "item.content[0].audio"),
        (user({"type": "input_audio", "audio": "AAA"}), "invalid_value", "item.content[0].audio"),
        (user(audio(b"")), "invalid_value", "item.content[0].audio"),
        (user(audio(b"odd")), "invalid_value", "item.content[0].audio"),
        (user(audio(x=1)), "unknown_parameter", "item.content[0].x"),
        (user({"text": "x"}), "missing_required_parameter", "item.content[0].type"),
        (user({"type": "input_text"}), "missing_required_parameter", "item.content[0].text"),
        (user({"type": "input_text", "text": None}), "invalid_type", "item.content[0].text"),
        (user(text("x"), id="i" * 33), "string_above_max_length", "item.id"),
        (user(*[text("x")] * 129), "array_above_max_length", "item.content"),
        (
            {"type": "message", "role": "system", "content": [audio()]},
            "invalid_value",
            "item.content[0].type",
        ),
        (
            {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "audio": "AAAA"}]},
            "invalid_value",
            "item.content[0].type",
        ),
        (call(arguments=None), "invalid_type", "item.arguments"),
        ({"type": "function_call", "name": "x"}, "missing_required_parameter", "item.arguments"),
        (call(call_id="a/b"), "invalid_value", "item.call_id"),
        ({"type": "function_call_output", "output": "x"}, "missing_required_parameter", "item.call_id"),
        (
            {"type": "mcp_approval_response", "approval_request_id": "x", "approve": True},
            "invalid_value",
            "item.type",
        ),
        ({"type": "item_reference", "id": "x"}, "invalid_value", "item.type"),
        ({"role": "user", "content": []}, "missing_required_parameter", "item.type"),
    ],
)
def test_a_bad_item_is_refused(item: Json, code: str, param: str) -> None:
    talk = Talk()

    assert refusal(talk.add(item, event_id="i")) == (code, param, "i")
    assert types(talk.add(message("user", "x", "first"))) == ITEM
    assert talk.told[-1]["previous_item_id"] is None


def test_the_real_server_takes_no_spoken_history_either() -> None:
    sent = Talk().add({"type": "message", "role": "assistant", "content": [{"type": "output_audio"}]})

    assert (
        sent[0]["error"]["message"] == "Invalid value: 'output_audio'. Supported values are: 'output_text'."
    )


def test_what_follows_a_deleted_item_follows_the_one_before_it() -> None:
    talk = Talk()
    for name in ("a", "b", "c"):
        talk.add(message("user", name, name))
    talk.send("conversation.item.delete", item_id="b")
    talk.send("conversation.item.delete", item_id="c")

    assert talk.add(message("user", "d", "d"))[0]["previous_item_id"] == "a"
    assert refusal(talk.add(message("user", "e"), previous_item_id="c"))[:2] == (
        "item_create_invalid_previous_item_id",
        "previous_item_id",
    )
    assert talk.add(message("user", "c", "c"), previous_item_id="root")[0]["previous_item_id"] is None


def kept(*items: ConversationEntry) -> list[ConversationEntry]:
    """What a conversation keeps of *items*."""
    conversation = DefaultConversation()
    for item in items:
        conversation.add(item)
    return list(conversation)


def test_of_texts_and_pictures_the_oldest_go() -> None:
    third = "x" * (MOST_CHARACTERS // 3)
    a = MessageItem(
        "a", ItemRole.USER, [TextPart(PartKind.INPUT_TEXT, third), TextPart(PartKind.INPUT_TEXT, "more")]
    )
    b = MessageItem("b", ItemRole.USER, [ImagePart(third, ImageDetail.LOW)])
    c = FunctionCallOutputItem("c", "call", third)
    assert kept(a, b) == [a, b]
    assert kept(a, b, c) == [b, c]
    # One that is too large alone is kept, alone.
    d = MessageItem("d", ItemRole.USER, [TextPart(PartKind.INPUT_TEXT, third * 4)])
    assert kept(b, c, d) == [d]


def test_of_old_audio_only_the_words_stay() -> None:
    half = bytes(MOST_AUDIO // 2 + 1)
    a, b = (
        MessageItem(name, ItemRole.USER, [InputAudioPart(half, PCM, 1000, "hello")]) for name in ("a", "b")
    )
    silent = MessageItem("a", ItemRole.USER, [InputAudioPart(b"", PCM, 1000, "hello")])

    assert kept(a, b) == [silent, b]


def test_the_recogniser_holds_four_at_a_time_and_some_hundreds_wait() -> None:
    talk = Talk(transcription={"model": "whisper-1"})
    for _ in range(recognition_queue.MOST_WAITING):
        talk.add(user(audio()))
    assert [type(order) for order in talk.todo] == [RecogniseAudio] * recognition_queue.MOST_AT_ONCE
    refused = talk.add(user(audio(), id="late"))

    assert types(refused) == [*ITEM, "conversation.item.input_audio_transcription.failed"]
    talk.hear("one")
    assert [type(order) for order in talk.todo] == [RecogniseAudio] * recognition_queue.MOST_AT_ONCE


def test_names_of_tools_may_be_said() -> None:
    talk = Talk()
    tools = [{"type": "function", "name": name} for name in ("get_weather", "tellTime", "get-weather", "__")]
    talk.update(tools=tools)
    talk.send("session.update", session=listening(turn_detection=None))
    talk.append(VOICE)
    talk.send("input_audio_buffer.commit")

    assert talk.next(RecogniseAudio).phrases == ("get weather", "tell time")


def test_what_nobody_asked_for_changes_nothing() -> None:
    talk = Talk()

    assert talk.session.on_recognised("nobody", "hello") == []
    assert talk.session.on_speech_finished("nobody") == []
    assert [output for output in talk.session.open() if not isinstance(output, SendToClient)] == []
