"""Whatever a client sends, and whatever is heard and spoken meanwhile, the session goes on."""

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol.outputs import RecogniseAudio, SpeakText
from rtvoiced_server.protocol.word_end import WordEnd
from support.examples import examples
from support.talking import ITEM, Json, Talk, message, types

KEYS = (  # noqa: SIM905 - thirty lines else
    "session type audio input output turn_detection transcription format rate threshold item role content "
    "text id previous_item_id item_id content_index audio_end_ms response metadata output_modalities voice "
    "tools instructions event_id response_id tool_choice name parameters properties required call_id "
    "arguments image_url detail conversation max_output_tokens truncation tracing prompt reasoning include"
).split()
CLIENT_EVENTS = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
)
NAMES = st.sampled_from(KEYS)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["item", "user", 10**400])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=4),
    max_leaves=6,
)
EVENT = st.tuples(st.sampled_from(CLIENT_EVENTS), st.dictionaries(NAMES, JSON, max_size=5))

IDS = st.sampled_from(["a", "b", "c"])
TELEPHONE = ({"type": "audio/pcmu"}, {"type": "audio/pcma"})
FORMATS = st.sampled_from([{"type": "audio/pcm", "rate": 24000}, *TELEPHONE])
TOOL: Json = {"type": "function", "name": "get_weather"}
VOICE = base64.b64encode(WIRE.silence(200)).decode()
PICTURE = "data:image/gif;base64," + base64.b64encode(b"GIF89a").decode()
TEXTS = ("hello", "get weather", "simulate failure", "simulate content filter", "say " + "x " * 50)
PART = st.sampled_from(
    [
        {"type": "input_audio", "audio": VOICE},
        {"type": "input_image", "image_url": PICTURE},
        *({"type": "input_text", "text": text} for text in TEXTS),
    ]
)


def fields(optional: dict[str, Any] | None = None, **always: Any) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(always, optional=optional or {})


USER = fields(type=st.just("message"), role=st.just("user"), content=st.lists(PART, max_size=3), id=IDS)
CALL = fields(type=st.just("function_call"), name=st.just("x"), arguments=st.just("{}"), call_id=IDS, id=IDS)
OUTPUT = fields(type=st.just("function_call_output"), call_id=IDS, output=st.just("o"))
REFERENCE = fields(type=st.just("item_reference"), id=IDS)
PREVIOUS = st.none() | st.just("root") | IDS
DETECTION = st.none() | fields(
    {"create_response": st.booleans(), "interrupt_response": st.booleans(), "idle_timeout_ms": st.just(5000)},
    type=st.just("server_vad"),
)
OF_AUDIO = {
    "format": FORMATS,
    "turn_detection": DETECTION,
    "transcription": st.none() | st.just({"model": "whisper-1"}),
}
OF_RESPONSE = {
    "conversation": st.sampled_from(["auto", "none"]),
    "input": st.lists(USER | CALL | OUTPUT | REFERENCE, max_size=2),
    "output_modalities": st.sampled_from([["audio"], ["text"]]),
    "max_output_tokens": st.sampled_from([1, 5, 60, "inf"]),
    "tools": st.sampled_from([[], [TOOL]]),
    "tool_choice": st.sampled_from(["auto", "none", "required"]),
    "audio": fields(output=fields(format=FORMATS)),
}
SESSION = fields(
    {
        "tools": OF_RESPONSE["tools"],
        "output_modalities": OF_RESPONSE["output_modalities"],
        "audio": fields(input=fields(OF_AUDIO)),
    },
    type=st.just("realtime"),
)


def event(kind: str, **its: Any) -> st.SearchStrategy[tuple[str, Json]]:
    return st.tuples(st.just(kind), fields(**its))


WORLD = ("heard", "unheard", "sentence", "audio", "finish", "fail")
STEP: st.SearchStrategy[tuple[str, Json]] = (
    event("session.update", session=SESSION)
    | event("input_audio_buffer.append", audio=st.just(VOICE))
    | event("input_audio_buffer.commit")
    | event("input_audio_buffer.clear")
    | event("conversation.item.create", item=USER | CALL | OUTPUT, previous_item_id=PREVIOUS)
    | event("conversation.item.truncate", item_id=IDS, content_index=st.just(0), audio_end_ms=st.just(100))
    | event("conversation.item.delete", item_id=IDS)
    | event("conversation.item.retrieve", item_id=IDS)
    | event("response.create", response=fields(OF_RESPONSE))
    | event("response.cancel")
    | st.tuples(st.sampled_from(WORLD), st.just({}))
)


@given(st.lists(EVENT, max_size=6))
@examples(60)
def test_whatever_comes_the_session_goes_on(events: list[tuple[str, Json]]) -> None:
    talk = Talk()
    for kind, fields in events:
        talk.send(kind, **fields)
    talk.send("response.cancel")

    assert types(talk.update(output_modalities=["text"], tools=[], tool_choice="auto")) == ["session.updated"]
    assert types(talk.text("hello", output_modalities=["text"])[:3]) == [*ITEM, "response.created"]


def happen(talk: Talk, what: str) -> None:
    """Let the recogniser or the voice do their next work, if there is some."""
    hears = [order for order in talk.todo if isinstance(order, RecogniseAudio)]
    speaks = [order for order in talk.todo if isinstance(order, SpeakText)]
    if what in ("heard", "unheard") and hears:
        talk.todo.remove(hears[0])
        talk.take(talk.session.on_recognised(hears[0].key, "get weather" if what == "heard" else None))
    elif speaks:
        session, response_id = talk.session, speaks[0].response_id
        if what in ("finish", "fail"):
            talk.todo.remove(speaks[0])
        match what:
            case "sentence":
                talk.take(session.on_sentence(response_id, "one two", (WordEnd(100, 3),)))
            case "audio":
                talk.take(session.on_speech_audio(response_id, bytes(4801)))
            case "finish":
                talk.take(session.on_speech_finished(response_id))
            case "fail":
                talk.take(session.on_speech_failed(response_id, "It has no voice."))


@given(st.lists(STEP, max_size=25))
@examples(60)
def test_every_response_is_created_once_and_done_once(steps: list[tuple[str, Json]]) -> None:
    talk = Talk()
    for kind, fields in steps:
        if kind in WORLD:
            happen(talk, kind)
        else:
            talk.send(kind, **fields)
    while [order for order in talk.todo if isinstance(order, RecogniseAudio)]:
        happen(talk, "heard")
    while [order for order in talk.todo if isinstance(order, SpeakText)]:
        happen(talk, "finish")

    begun = [one["response"]["id"] for one in talk.told if one["type"] == "response.created"]
    ended = [one["response"]["id"] for one in talk.told if one["type"] == "response.done"]
    assert sorted(begun) == sorted(ended)
    assert len(set(begun)) == len(begun)
    assert types(talk.add(message("user", "hello"))) == ITEM
    check_items(talk.told)
    check_budgets(talk.told)


def check_items(told: list[Json]) -> None:
    """No item of the conversation is added twice before it is deleted, and its chain is true."""
    order: list[str] = []
    for one in told:
        if one["type"] == "conversation.item.added":
            previous, item_id = one["previous_item_id"], one["item"]["id"]
            assert item_id not in order
            at = order.index(previous) + 1 if previous is not None else 0
            order.insert(at, item_id)
        elif one["type"] == "conversation.item.deleted":
            order.remove(one["item_id"])


def check_budgets(told: list[Json]) -> None:
    """No response costs more than it may, and each is told in JSON that any parser takes."""
    for one in told:
        if one["type"] == "response.done":
            most = one["response"]["max_output_tokens"]
            assert one["response"]["usage"]["output_tokens"] <= (4096 if most == "inf" else most)
        assert json.loads(json.dumps(one, allow_nan=False)) == one
