"""Responses out of band of the embedded server: beside the conversation, and leaving no trace in it."""

from __future__ import annotations

from typing import Any

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced.realtime.dialects import ga
from rtvoiced.realtime.events import CreateSpeech
from rtvoiced_server.answers.rules import words_to_say_exactly
from rtvoiced_server.protocol.outputs import SpeakText, StopSpeaking
from rtvoiced_server.protocol.response_handler import MOST_OUT_OF_BAND
from support.talking import CLOSED, OPENED, Json, Talk, message, refusal, types, voiced

BESIDE_OPENED = [each for each in OPENED if not each.startswith("conversation.")]
BESIDE_CLOSED = [each for each in CLOSED if not each.startswith("conversation.")]


def aside(talk: Talk, **response: Any) -> list[Json]:
    return talk.send("response.create", response={"conversation": "none", **response})


def say(talk: Talk, text: str) -> list[Json]:
    """Ask for *text* as rtvoiced does."""
    wire = ga.encode(CreateSpeech("say-1", "q1", text))
    return talk.send(wire.pop("type"), **wire)


@pytest.mark.parametrize(
    ("instructions", "said"),
    [
        (ga.EXACTLY + '"Dinner is ready."', "Dinner is ready."),
        (ga.EXACTLY + r'"He said: \"Grüße!\" \\ and left."', 'He said: "Grüße!" \\ and left.'),
        ('Say exactly: "Hello."', "Hello."),
        ('Say exactly this, and nothing else: "Tell "them" all"', 'Tell "them" all'),
        ("Please say word for word: 'don't panic'.", "don't panic"),
        ("Speak the user's text verbatim: “Guten Tag”.", "Guten Tag"),
        ("Read word-for-word: «Bonjour»", "Bonjour"),
        ("Repeat exactly: one two three", "one two three"),
        ("Say exactly what you think.", None),
        ('You are brief. The word "exactly" is yours to say.', None),
        ("Say hello.", None),
        ('Say exactly: ""', None),
        ('Say exactly: "', None),
        ("", None),
    ],
)
def test_what_is_to_be_said_word_for_word(instructions: str, said: str | None) -> None:
    assert words_to_say_exactly(instructions) == said


def test_response_events_without_an_item_in_the_conversation() -> None:
    talk = Talk()
    begun = say(talk, "Dinner is ready.")
    response_id, spoken = talk.speak()
    done = talk.finish(response_id)

    assert types(begun) == ["response.created", *BESIDE_OPENED]
    assert types(done) == BESIDE_CLOSED
    assert "".join(each["delta"] for each in spoken[:-1]) == "Dinner is ready."
    first, last = begun[0]["response"], done[-2]["response"]
    assert (first["conversation_id"], last["conversation_id"]) == (None, None)
    assert first["metadata"] == last["metadata"] == {"request": "q1", "kind": "say"}
    assert last["usage"]["input_token_details"]["audio_tokens"] == 0
    item_id = last["output"][0]["id"]
    assert (
        refusal(talk.send("conversation.item.retrieve", item_id=item_id))[0]
        == "item_retrieve_invalid_item_id"
    )
    assert (
        refusal(talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=10))[0]
        == "item_truncate_invalid_item_id"
    )


def test_it_runs_beside_the_default_response() -> None:
    talk = Talk()
    talk.text("tell me a story")
    story = talk.next(SpeakText).response_id
    say(talk, "Dinner is ready.")
    dinner, spoken = talk.speak()
    told = talk.take(talk.session.on_speech_audio(story, WIRE.silence(200)))

    assert {each["response_id"] for each in spoken} == {dinner}
    assert [each["response_id"] for each in told] == [story]
    assert talk.finish(dinner)[-2]["response"]["id"] == dinner
    assert talk.finish(story)[-2]["response"]["id"] == story


def test_the_user_who_speaks_does_not_end_it() -> None:
    talk = Talk()
    say(talk, "Dinner is ready.")
    response_id, _ = talk.speak()
    talk.append(voiced("hello") + WIRE.silence(1000))

    assert types(talk.finish(response_id)) == BESIDE_CLOSED


def test_it_is_cancelled_by_its_id_alone() -> None:
    talk = Talk()
    begun = say(talk, "Dinner is ready.")
    response_id, _ = talk.speak()

    assert refusal(talk.send("response.cancel"))[0] == "response_cancel_not_active"
    cancelled = talk.send("response.cancel", response_id=begun[0]["response"]["id"])
    assert types(cancelled) == BESIDE_CLOSED
    assert cancelled[-2]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert talk.next(StopSpeaking) == StopSpeaking(response_id)


def test_without_an_input_it_knows_the_conversation_and_is_forgotten_there() -> None:
    talk = Talk()
    talk.answered("what is seven plus five")
    talk.send("conversation.item.create", item=message("user", "what did you say"))
    aside(talk, output_modalities=["text"])
    told = talk.send("response.create", response={"output_modalities": ["text"]})

    assert told[-2]["response"]["output"][0]["content"][0]["text"] == "7 plus 5 is 12."


def test_its_input_is_all_that_it_knows() -> None:
    talk = Talk()
    talk.send("conversation.item.create", item=message("user", "what is one plus one", "u1"))
    asked = [message("user", "what is two plus two")]
    known = [{"type": "item_reference", "id": "u1"}]

    texts = [
        aside(talk, output_modalities=["text"], input=given)[-2]["response"]["output"][0]["content"][0][
            "text"
        ]
        for given in (asked, known, [])
    ]
    assert texts == ["2 plus 2 is 4.", "1 plus 1 is 2.", "Hello. What can I do for you?"]


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ([{"type": "item_reference", "id": "nobody"}], "invalid_value", "response.input[0].id"),
        (
            [message("user", "hi"), {"type": "message"}],
            "missing_required_parameter",
            "response.input[1].role",
        ),
        (["hello"], "invalid_type", "response.input[0]"),
        ("hello", "invalid_type", "response.input"),
    ],
)
def test_a_bad_input_is_refused(given: Any, code: str, param: str) -> None:
    assert refusal(aside(Talk(), input=given))[:2] == (code, param)


def test_too_many_are_refused_and_the_conversation_goes_on() -> None:
    talk = Talk()
    for _ in range(MOST_OUT_OF_BAND):
        say(talk, "Dinner is ready.")

    assert refusal(say(talk, "One more.")) == ("rate_limit_exceeded", "response.conversation", "say-1")
    assert "response.created" in types(talk.text("hello"))
