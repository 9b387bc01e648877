"""The order of the embedded server's events is that of the real server, event by event."""

from typing import Any

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol.outputs import SpeakText
from support.talking import CLOSED, ITEM, OPENED, Json, Talk, message, types, voiced

DELTAS = ["response.output_audio_transcript.delta", "response.output_audio.delta"]
TRANSCRIBED = [f"conversation.item.input_audio_transcription.{end}" for end in ("delta", "completed")]
STARTED = "input_audio_buffer.speech_started"
STOPPED = "input_audio_buffer.speech_stopped"
COMMITTED = "input_audio_buffer.committed"
BESIDE = ["response.output_item.added", "response.content_part.added"]
WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
SILENCE = WIRE.silence(1000)
IDLE = {"type": "server_vad", "idle_timeout_ms": 5000}


def truncate(talk: Talk, item_id: str, ms: int) -> list[Json]:
    return talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=ms)


def of(events: list[Json], kind: str) -> Json:
    """The only event of this type."""
    (one,) = (event for event in events if event["type"] == kind)
    return one


def begun(talk: Talk, text: str, sentences: int) -> tuple[str, str]:
    """Let an answer be begun; return its response and its item."""
    talk.text(text)
    response_id, _ = talk.speak(most=sentences)
    return response_id, of(talk.told, "response.output_item.added")["item"]["id"]


def test_spoken_turn() -> None:
    talk = Talk(transcription={"model": "gpt-realtime-whisper"})
    talk.append(SILENCE + voiced("what time is it") + SILENCE)
    talk.hear("what time is it")
    response_id, _ = talk.speak()
    talk.finish(response_id)

    assert types(talk.told) == [
        STARTED,
        STOPPED,
        COMMITTED,
        *ITEM,
        "response.created",
        *TRANSCRIBED,
        *OPENED,
        *DELTAS,
        *CLOSED,
    ]
    user, assistant = talk.told[3]["item"], of(talk.told, "response.output_item.added")["item"]
    assert (user["role"], user["content"]) == ("user", [{"type": "input_audio", "transcript": None}])
    assert {talk.told[n]["item_id"] for n in range(3)} == {user["id"]}
    added = [event for event in talk.told if event["type"] == "conversation.item.added"]
    assert [event["previous_item_id"] for event in added] == [None, user["id"]]
    assert added[1]["item"] == assistant
    assert (assistant["status"], assistant["content"]) == ("in_progress", [])


def test_barge_in_while_the_answer_is_made() -> None:
    talk = Talk()
    response_id, answer = begun(talk, "tell me a story", 2)
    talk.told.clear()
    talk.append(voiced("stop"))
    truncate(talk, answer, 500)
    talk.append(SILENCE)

    assert types(talk.told) == [
        STARTED,
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
        "conversation.item.truncated",
        STOPPED,
        COMMITTED,
        *ITEM,
        "response.created",
    ]
    done = of(talk.told, "response.done")["response"]
    assert (done["id"], done["status"]) == (response_id, "cancelled")
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert of(talk.told, "response.output_item.done")["item"]["status"] == "incomplete"
    assert of(talk.told, COMMITTED)["previous_item_id"] == answer


def test_barge_in_while_only_the_client_still_plays() -> None:
    talk = Talk()
    answer = talk.answered("tell me a story")
    talk.told.clear()
    talk.append(voiced("stop"))
    truncate(talk, answer, 2500)
    talk.append(SILENCE)

    assert types(talk.told) == [
        STARTED,
        "conversation.item.truncated",
        STOPPED,
        COMMITTED,
        *ITEM,
        "response.created",
    ]


def test_barge_in_before_the_answer_began() -> None:
    talk = Talk()
    talk.append(voiced("hello") + SILENCE)
    talk.told.clear()
    talk.append(voiced("stop"))

    assert types(talk.told) == [STARTED, "response.done", "rate_limits.updated"]
    done = of(talk.told, "response.done")["response"]
    assert (done["status"], done["output"], done["usage"]["total_tokens"]) == ("cancelled", [], 0)


def test_barge_in_that_the_client_decides() -> None:
    talk = Talk(turn_detection={"type": "server_vad", "interrupt_response": False, "create_response": False})
    response_id, answer = begun(talk, "tell me a story", 2)
    talk.told.clear()
    talk.append(voiced("stop"))
    talk.send("response.cancel", response_id=response_id)
    truncate(talk, answer, 700)
    talk.append(SILENCE)

    assert types(talk.told) == [STARTED, *CLOSED, "conversation.item.truncated", STOPPED, COMMITTED, *ITEM]
    assert of(talk.told, "response.done")["response"]["status_details"]["reason"] == "client_cancelled"


def test_push_to_talk() -> None:
    talk = Talk(turn_detection=None)
    talk.append(voiced("hello"))
    talk.send("input_audio_buffer.clear")
    talk.append(voiced("what time is it"))
    talk.send("input_audio_buffer.commit")
    talk.send("response.create")
    talk.hear("what time is it")

    assert types(talk.told) == [
        "input_audio_buffer.cleared",
        COMMITTED,
        *ITEM,
        "response.created",
        *OPENED,
    ]
    assert talk.next(SpeakText).text == "It is 2:05 PM."


def test_typed_turn() -> None:
    talk = Talk()
    talk.text("hello", output_modalities=["text"])

    assert types(talk.told) == [
        *ITEM,
        "response.created",
        *OPENED,
        "response.output_text.delta",
        "response.output_text.done",
        *CLOSED[2:],
    ]


def test_tool_call() -> None:
    talk = Talk()
    talk.update(tools=[WEATHER])
    talk.told.clear()
    talk.text("use get_weather with city New York and days two")

    assert types(talk.told) == [
        *ITEM,
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    added = of(talk.told, "response.output_item.added")["item"]
    assert (added["type"], added["name"]) == ("function_call", "get_weather")
    assert (added["arguments"], added["status"]) == ("", "in_progress")
    done = of(talk.told, "response.function_call_arguments.done")
    assert (done["name"], done["call_id"]) == ("get_weather", added["call_id"])
    assert done["arguments"] == '{"city": "New York", "days": 2}'
    assert "".join(e["delta"] for e in talk.told if e["type"].endswith("delta")) == done["arguments"]
    response = of(talk.told, "response.done")["response"]
    assert (response["status"], response["output"]) == (
        "completed",
        [added | {"arguments": done["arguments"], "status": "completed"}],
    )

    talk.told.clear()
    output = {"type": "function_call_output", "call_id": added["call_id"], "output": "sunny"}
    talk.add(output)
    talk.send("response.create")
    assert types(talk.told) == [*ITEM, "response.created", *OPENED]
    assert talk.told[0]["previous_item_id"] == added["id"]
    assert talk.next(SpeakText).text == "get weather says: sunny."


def test_out_of_band() -> None:
    talk = Talk()
    response: Json = {"conversation": "none", "metadata": {"job": "x"}, "output_modalities": ["text"]}
    talk.send("response.create", response={**response, "input": [message("user", "hello")]})

    assert types(talk.told) == [
        "response.created",
        *BESIDE,
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    for event in (talk.told[0], of(talk.told, "response.done")):
        assert (event["response"]["metadata"], event["response"]["conversation_id"]) == ({"job": "x"}, None)


def test_transcription_may_come_after_the_answer() -> None:
    talk = Talk(transcription={"model": "whisper-1"}, turn_detection=None)
    talk.append(voiced("hello"))
    talk.send("input_audio_buffer.commit")
    talk.told.clear()
    talk.send("response.create", response={"input": [], "output_modalities": ["text"]})
    heard = talk.hear("hello there")

    assert types(talk.told)[-2:] == TRANSCRIBED
    assert [event.get("delta") for event in heard] == ["hello there", None]


def test_idle_timeout() -> None:
    talk = Talk(turn_detection=IDLE, transcription={"model": "gpt-realtime-whisper"})
    answer = talk.answered("hello")
    talk.told.clear()
    # The answer has two sentences of one second: they play while 2 s of silence come.
    talk.append(WIRE.silence(2000 + 4990))
    assert talk.told == []
    talk.append(WIRE.silence(40))

    assert types(talk.told) == [
        "input_audio_buffer.timeout_triggered",
        *ITEM,
        COMMITTED,
        *ITEM,
        "response.created",
        *OPENED,
        TRANSCRIBED[1],
    ]
    triggered, notice, committed, user = (talk.told[n] for n in (0, 1, 3, 4))
    assert (triggered["audio_start_ms"], triggered["audio_end_ms"]) == (2000, 7008)
    assert triggered["item_id"] == committed["item_id"] == user["item"]["id"]
    assert (notice["item"]["role"], notice["previous_item_id"]) == ("system", answer)
    assert committed["previous_item_id"] == notice["item"]["id"]
    assert (talk.told[-1]["transcript"], talk.told[-1]["item_id"]) == ("", user["item"]["id"])
    assert talk.next(SpeakText).text == "Are you still there?"


def failed(talk: Talk, text: str) -> tuple[list[str], Any]:
    talk.told.clear()
    talk.text(text)
    return types(talk.told), of(talk.told, "response.done")["response"]


def test_failed_responses_have_no_item() -> None:
    for text, code in (("simulate failure", "server_error"), ("Simulate rate limit.", "rate_limit_exceeded")):
        order, response = failed(Talk(), text)
        assert order == [*ITEM, "response.created", "response.done", "rate_limits.updated"]
        assert (response["status"], response["output"]) == ("failed", [])
        assert response["status_details"]["error"]["code"] == code
        assert response["usage"]["total_tokens"] == 0


def test_incomplete_by_a_content_filter() -> None:
    talk = Talk()
    talk.text("simulate content filter")
    response_id, _ = talk.speak()
    talk.finish(response_id)

    assert types(talk.told) == [*ITEM, "response.created", *OPENED, *DELTAS, *CLOSED]
    response = of(talk.told, "response.done")["response"]
    assert response["status_details"] == {"type": "incomplete", "reason": "content_filter"}
    assert response["output"][0]["status"] == "incomplete"


def test_incomplete_by_its_tokens() -> None:
    talk = Talk()
    talk.text("tell me a story", max_output_tokens=40)
    talk.speak(most=1, ms=4000)

    assert types(talk.told) == [*ITEM, "response.created", *OPENED, *DELTAS, *CLOSED]
    response = of(talk.told, "response.done")["response"]
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == 40
