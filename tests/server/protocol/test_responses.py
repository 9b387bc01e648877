"""The responses of the embedded server: tools, limits, and those beside the conversation."""

import base64
from typing import Any

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol.items import MOST_DELTAS
from rtvoiced_server.protocol.outputs import RecogniseAudio, SpeakText
from rtvoiced_server.protocol.recognition_queue import MOST_AT_ONCE
from rtvoiced_server.protocol.response_handler import LONGEST_ANSWER
from support.talking import OPENED, Json, Talk, message, types, voiced

WEATHER: Json = {"type": "function", "name": "get_weather"}
TIME: Json = {"type": "function", "name": "get_time"}
SILENCE = WIRE.silence(1000)


def test_a_response_may_have_tools_of_its_own() -> None:
    talk = Talk()
    talk.updated(tools=[WEATHER], tool_choice={"type": "function", "name": "get_weather"})

    def names(**response: Any) -> list[str]:
        done = next(e for e in talk.text("get time", **response) if e["type"] == "response.done")
        return [item["name"] for item in done["response"]["output"]]

    assert names() == ["get_weather"]
    assert names(tools=[TIME]) == ["get_time"]
    assert names(tools=[WEATHER, TIME], tool_choice="required") == ["get_time"]
    assert names(tools=[TIME, WEATHER], tool_choice={"type": "function", "name": "get_time"}) == ["get_time"]
    sent = talk.text("get time", tools=[TIME], tool_choice="none", output_modalities=["text"])
    assert sent[-2]["response"]["output"][0]["type"] == "message"


def test_a_null_of_a_response_is_left_to_the_session() -> None:
    talk = Talk()
    talk.updated(output_modalities=["text"], tools=[WEATHER], tool_choice="none")
    nulls = dict.fromkeys(
        [
            "conversation",
            "input",
            "instructions",
            "metadata",
            "output_modalities",
            "audio",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "reasoning",
            "max_output_tokens",
            "prompt",
        ]
    )
    done = talk.text("get weather", **nulls)[-2]["response"]

    assert (done["status"], done["output_modalities"], done["metadata"]) == ("completed", ["text"], None)
    assert done["output"][0]["type"] == "message"


def test_several_tools_in_one_text_are_called_in_one_response() -> None:
    talk = Talk()
    talk.updated(tools=[WEATHER, TIME])
    sent = talk.text("get time and get weather")
    added = [e for e in sent if e["type"] == "response.output_item.added"]
    done = sent[-2]["response"]

    assert [(e["output_index"], e["item"]["name"]) for e in added] == [(0, "get_time"), (1, "get_weather")]
    assert [item["id"] for item in done["output"]] == [e["item"]["id"] for e in added]
    chain = [e["previous_item_id"] for e in sent if e["type"] == "conversation.item.added"]
    assert chain == [None, sent[0]["item"]["id"], added[0]["item"]["id"]]
    talk.updated(parallel_tool_calls=False)
    assert len(talk.text("get time and get weather")[-2]["response"]["output"]) == 1


def test_a_spoken_name_calls_the_tool() -> None:
    talk = Talk(turn_detection=None)
    talk.updated(tools=[WEATHER])
    talk.append(voiced("get weather"))
    talk.send("input_audio_buffer.commit")
    talk.send("response.create")
    assert talk.todo[0] == RecogniseAudio(
        talk.told[-2]["item"]["id"], voiced("get weather"), ("get weather",)
    )
    sent = talk.hear("get weather")

    assert sent[-2]["response"]["output"][0]["name"] == "get_weather"


def test_whoever_is_not_understood_learns_of_the_tools() -> None:
    talk = Talk()
    talk.updated(tools=[WEATHER])
    talk.text("sing")

    assert talk.next(SpeakText).text.endswith(" Say get weather, and I call that tool.")


def test_words_to_be_repeated_call_nothing() -> None:
    talk = Talk()
    talk.updated(tools=[WEATHER])
    talk.text("say get weather")

    assert talk.next(SpeakText).text == "get weather"


def test_tokens_are_counted_and_no_more_are_made() -> None:
    talk = Talk()
    done = talk.text("say one two three four", output_modalities=["text"], max_output_tokens=2)[-2][
        "response"
    ]
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    # Two tokens are eight characters: "one two" has seven.
    assert done["output"][0]["content"][0]["text"] == "one two"
    assert done["usage"]["output_tokens"] == 2

    whole = talk.text("say one two", output_modalities=["text"], max_output_tokens=2)[-2]["response"]
    assert whole["status"] == "completed"

    talk.text("say one two", max_output_tokens=4)
    _, spoken = talk.speak()
    audio = next(e for e in spoken if e["type"] == "response.output_audio.delta")
    assert len(base64.b64decode(audio["delta"])) == WIRE.size(100)
    assert spoken[-2]["response"]["usage"]["output_token_details"] == {"text_tokens": 2, "audio_tokens": 2}
    assert spoken[-2]["response"]["status"] == "incomplete"


def test_without_a_limit_an_answer_ends_after_4096_tokens() -> None:
    talk = Talk()
    talk.text("say one two")
    _, spoken = talk.speak(ms=300_000)

    assert spoken[-2]["response"]["status"] == "incomplete"
    assert spoken[-2]["response"]["usage"]["output_tokens"] == 4096


def test_arguments_are_tokens_too() -> None:
    talk = Talk()
    talk.updated(tools=[WEATHER, TIME])
    sent = talk.text('get weather {"city": "Paris"} and get time', max_output_tokens=3)
    done = sent[-2]["response"]

    assert done["status_details"]["reason"] == "max_output_tokens"
    assert [item["status"] for item in done["output"]] == ["incomplete"]


def test_several_responses_out_of_band_with_tools_voices_and_references() -> None:
    talk = Talk()
    talk.updated(tools=[WEATHER])
    talk.add(message("user", "get weather", "u"))
    audio = {"type": "input_audio", "audio": base64.b64encode(SILENCE).decode()}
    asked = {"type": "message", "role": "user", "content": [audio], "id": "u"}
    story = talk.text("tell me a story")
    aside: Json = {"conversation": "none"}
    called = talk.send("response.create", response=aside | {"input": [{"type": "item_reference", "id": "u"}]})
    waiting = [
        talk.send("response.create", response=aside | {"input": [asked], "metadata": {"n": n}}) for n in "ab"
    ]

    assert called[-2]["response"]["output"][0]["name"] == "get_weather"
    assert not [e for e in called if e["type"].startswith("conversation.")]
    assert [types(sent) for sent in waiting] == [["response.created"]] * 2
    assert types(story)[-4:] == ["response.created", *OPENED]
    assert talk.next(SpeakText).response_id == story[2]["response"]["id"]
    # Both inputs call their item "u", as the conversation does: each is heard for itself.
    first, second = talk.next(RecogniseAudio), talk.next(RecogniseAudio)
    heard = talk.take(talk.session.on_recognised(second.key, "hello"))
    assert {e["response_id"] for e in heard} == {waiting[1][0]["response"]["id"]}
    cancelled = talk.send("response.cancel", response_id=waiting[0][0]["response"]["id"])
    assert cancelled[0]["response"]["metadata"] == {"n": "a"}
    assert talk.take(talk.session.on_recognised(first.key, "hello")) == []


def test_audio_that_only_a_cancelled_response_was_given_is_let_go() -> None:
    talk = Talk(turn_detection=None)
    audio = {"type": "input_audio", "audio": base64.b64encode(SILENCE).decode()}
    given = {"type": "message", "role": "user", "content": [audio]}
    for _ in range(MOST_AT_ONCE + 1):
        talk.send("response.create", response={"input": [given]})
        talk.send("response.cancel")
    talk.append(SILENCE)
    talk.send("input_audio_buffer.commit")
    for _ in range(MOST_AT_ONCE):
        talk.hear("hello")

    # What is no longer wanted, and what the conversation still has.
    assert [talk.next(RecogniseAudio).audio for _ in range(2)] == [b"", SILENCE]


def test_an_input_may_also_be_given_to_the_default_conversation() -> None:
    talk = Talk()
    talk.add(message("user", "what is one plus one"))
    sent = talk.send(
        "response.create",
        response={"input": [message("user", "what is two plus two")], "output_modalities": ["text"]},
    )

    assert sent[-2]["response"]["output"][0]["content"][0]["text"] == "2 plus 2 is 4."
    assert sent[-2]["response"]["conversation_id"] is not None
    assert "conversation.item.added" in types(sent)


def test_what_is_said_later_does_not_change_what_is_answered() -> None:
    talk = Talk(turn_detection=None)
    talk.append(SILENCE)
    talk.send("input_audio_buffer.commit")
    talk.send("response.create")
    talk.add(message("user", "tell me a story"))
    talk.hear("what is two plus two")

    assert talk.next(SpeakText).text == "2 plus 2 is 4."


def test_of_a_text_without_end_no_more_is_said_than_4096_tokens() -> None:
    talk = Talk()
    parts = [{"type": "input_text", "text": "say " + "x " * 49_000}] * 5
    talk.add({"type": "message", "role": "user", "content": parts})
    aside: Json = {"conversation": "none"}
    talk.send("response.create", response=aside)

    assert len(talk.todo[0].text) == LONGEST_ANSWER  # type: ignore[union-attr]
    done = talk.send("response.create", response=aside | {"output_modalities": ["text"]})[-2]
    assert done["response"]["status_details"]["reason"] == "max_output_tokens"
    assert done["response"]["usage"]["output_tokens"] == 4096


def test_a_long_text_comes_in_no_more_deltas_than_leave_the_others_their_turn() -> None:
    talk = Talk()
    words = " ".join(map(str, range(1, 3_000)))
    sent = talk.text(f"say {words}", output_modalities=["text"])
    deltas = [event["delta"] for event in sent if event["type"] == "response.output_text.delta"]

    assert len(deltas) <= MOST_DELTAS
    assert "".join(deltas) == words
