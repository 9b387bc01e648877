"""One session's protocol, without sockets: events in, events out."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtvoice.audio.pcm import WIRE
from rtvoice.audio.resample import Resampler
from rtvoice.local import items
from rtvoice.local.session import Session
from rtvoice.local.voices import Mark, Utterance, sentences, speak
from rtvoice.local.wire import Hear, Hush, Output, Send, Speak
from validation import check_wire

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
Json = dict[str, Any]

ITEM = ["conversation.item.added", "conversation.item.done"]
CREATED = ["input_audio_buffer.committed", *ITEM, "response.created"]
OPENED = ["response.output_item.added", "conversation.item.added", "response.content_part.added"]
CLOSED = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


KEYS = (  # noqa: SIM905 - thirty lines else
    "session type audio input output turn_detection transcription format rate threshold item role content "
    "text id previous_item_id item_id content_index audio_end_ms response metadata output_modalities voice "
    "tools instructions event_id response_id"
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


class Talk:
    """A client and the world around one session: hears and speaks when told to."""

    def __init__(self) -> None:
        self.session = Session("rtvoice-local", lambda: NOW)
        self.todo: list[Output] = []
        self.take(self.session.open())

    def take(self, outputs: Sequence[Output]) -> list[Json]:
        """Keep what is to be done, return what was sent."""
        self.todo += [output for output in outputs if not isinstance(output, Send)]
        sent = [json.loads(json.dumps(output.event)) for output in outputs if isinstance(output, Send)]
        return [check_wire(event, "server") for event in sent]

    def send(self, kind: str, **fields: Any) -> list[Json]:
        sent = self.take(self.session.receive(json.dumps({**fields, "type": kind})))
        while self.session.listening:
            sent += self.take(self.session.listen())
        return sent

    def append(self, pcm: bytes) -> list[Json]:
        return self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    def text(self, text: str, **response: Any) -> list[Json]:
        sent = self.send("conversation.item.create", item=message("user", text))
        return sent + self.send("response.create", response=response)

    def hear(self, text: str | None) -> list[Json]:
        return self.take(self.session.heard(self.next(Hear).item_id, text))

    def next(self, kind: type) -> Any:
        assert isinstance(self.todo[0], kind)
        return self.todo.pop(0)

    def speak(self, most: int = 1000, ms: int = 1000) -> tuple[str, list[Json]]:
        """Say *most* sentences of the answer, each *ms* long, its words evenly spread."""
        order = self.next(Speak)
        sent: list[Json] = []
        for sentence in sentences(order.text)[:most]:
            words = sentence.split(" ")
            ends = [len(" ".join(words[: n + 1])) for n in range(len(words))]
            marks = tuple(Mark((n + 1) * ms // len(words), end) for n, end in enumerate(ends))
            spoken = Utterance(sentence, WIRE.silence(ms), marks)
            sent += self.take(self.session.begin_sentence(order.response_id, spoken))
            sent += self.take(self.session.play(order.response_id, spoken.pcm))
        return order.response_id, sent

    def finish(self, response_id: str) -> list[Json]:
        return self.take(self.session.finish(response_id))

    def answered(self, text: str) -> str:
        """Ask *text*, let it be answered, and return the assistant's item."""
        self.text(text)
        response_id, _ = self.speak()
        done = self.finish(response_id)
        return str(done[-2]["response"]["output"][0]["id"])


def types(events: Sequence[Json]) -> list[str]:
    """The types in order, runs of deltas as one."""
    return [kind for one, run in groupby(event["type"] for event in events) for kind in _shown(one, run)]


def _shown(kind: str, run: Iterator[str]) -> list[str]:
    return [kind] if kind.endswith("delta") else list(run)


def message(role: str, text: str, item_id: str | None = None) -> Json:
    kind = "output_text" if role == "assistant" else "input_text"
    named = {} if item_id is None else {"id": item_id}
    return {**named, "type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def listening(**audio_input: Any) -> Json:
    """A session update of the audio input."""
    return {"type": "realtime", "audio": {"input": audio_input}}


def refusal(events: Sequence[Json]) -> tuple[Any, Any, Any]:
    assert types(events) == ["error"]
    error = events[0]["error"]
    return error["code"], error["param"], error["event_id"]


def voiced(text: str, voice: str = "slt") -> bytes:
    """The user's speech at 24 kHz."""
    pcm, hz = speak(text, voice)
    resampler = Resampler(hz, WIRE.hz)
    return np.concatenate((resampler.process(np.frombuffer(pcm, np.int16)), resampler.flush())).tobytes()


def test_the_session_begins_with_server_vad_and_an_hour() -> None:
    (created,) = Session("m", lambda: NOW).open()
    assert isinstance(created, Send)
    session = created.event["session"]

    assert created.event["type"] == "session.created"
    assert session["expires_at"] == NOW.timestamp() + 3600
    assert session["id"].startswith("sess_")
    assert (session["type"], session["object"], session["model"]) == ("realtime", "realtime.session", "m")
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["input"]["transcription"] is None


def test_a_typed_turn_has_the_ladder_of_the_real_server() -> None:
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


def test_a_text_response_has_the_text_ladder() -> None:
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
    assert isinstance(audio, Hear)
    assert WIRE.duration_ms(len(audio.audio)) == stopped["audio_end_ms"] - started["audio_start_ms"]
    assert types(talk.hear("what time is it")) == OPENED
    assert talk.next(Speak).text == "It is 2:05 PM."


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
    assert talk.next(Speak).text.startswith("Sorry, I did not understand that.")


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
    assert talk.next(Hush) == Hush(response_id)
    assert talk.finish(response_id) == []
    assert talk.take(talk.session.play(response_id, WIRE.silence(20))) == []


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


def test_cancel_with_nothing_active_is_refused() -> None:
    talk = Talk()
    sent = talk.send("response.cancel", event_id="c-1")

    assert refusal(sent) == ("response_cancel_not_active", None, "c-1")
    assert sent[0]["error"]["message"] == "Cancellation failed: no active response found"


def test_a_second_response_is_refused() -> None:
    talk = Talk()
    talk.text("tell me a story")

    sent = talk.send("response.create", event_id="r-2")
    assert refusal(sent) == ("conversation_already_has_active_response", None, "r-2")


def test_push_to_talk_commits_by_hand() -> None:
    talk = Talk()
    talk.send("session.update", session=listening(turn_detection=None))
    assert talk.append(voiced("what time is it")) == []
    committed = talk.send("input_audio_buffer.commit")
    created = talk.send("response.create")

    assert types(committed) == CREATED[:3]
    assert types(created) == ["response.created"]
    assert types(talk.hear("what time is it")) == OPENED


def test_too_little_to_commit_is_refused_in_the_words_of_the_real_server() -> None:
    talk = Talk()
    talk.send("session.update", session=listening(turn_detection=None))
    talk.append(WIRE.silence(50))
    sent = talk.send("input_audio_buffer.commit")

    assert refusal(sent) == ("input_audio_buffer_commit_empty", None, None)
    assert sent[0]["error"]["message"] == (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        "but buffer only has 50.00ms of audio."
    )


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
        ({}, "missing_required_parameter", "session.type"),
        ({"type": "realtime", "nonsense": 1}, "unknown_parameter", "session.nonsense"),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "x": 1}}}},
            "unknown_parameter",
            "session.audio.input.turn_detection.x",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"create_response": None}}}},
            "invalid_type",
            "session.audio.input.turn_detection.create_response",
        ),
        (
            {"type": "realtime", "output_modalities": ["audio", "text"]},
            "invalid_value",
            "session.output_modalities",
        ),
        (
            {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm"}}}},
            "missing_required_parameter",
            "session.audio.input.format.rate",
        ),
        (
            {"type": "realtime", "audio": {"output": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            "integer_below_min_value",
            "session.audio.output.format.rate",
        ),
        (
            {"type": "realtime", "audio": {"output": {"speed": 9}}},
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
        ({"type": "realtime", "model": "another"}, "invalid_value", "session.model"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ([], "invalid_type", "session"),
    ],
)
def test_a_bad_update_is_refused_whole(session: Any, code: str, param: str) -> None:
    talk = Talk()
    if isinstance(session, dict) and session:
        session = {**session, "instructions": "lost"}

    assert refusal(talk.send("session.update", event_id="u-1", session=session)) == (code, param, "u-1")
    after = talk.send("session.update", session={"type": "realtime"})[0]["session"]
    assert after["instructions"] != "lost"


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
    assert talk.next(Speak).text == "one two"


def test_truncate_at_nothing_is_accepted() -> None:
    talk = Talk()
    item_id = talk.answered("hello")
    for _ in range(2):
        sent = talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0)
        assert types(sent) == ["conversation.item.truncated"]


def test_truncate_past_the_end_is_an_error_and_truncates_at_the_end() -> None:
    talk = Talk()
    item_id = talk.answered("say one two three four")
    sent = talk.send(
        "conversation.item.truncate", event_id="t-1", item_id=item_id, content_index=0, audio_end_ms=1500
    )

    assert sent[0]["error"] == {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "message": "Audio content of 1000ms is already shorter than 1500ms",
        "param": None,
        "event_id": None,
    }
    assert sent[1]["audio_end_ms"] == 1000


def test_truncate_of_what_is_no_answer_is_refused() -> None:
    talk = Talk()
    user = talk.text("hello", output_modalities=["text"])[0]["item"]["id"]
    known = {"content_index": 0, "audio_end_ms": 0}

    sent = talk.send("conversation.item.truncate", item_id=user, **known)
    assert refusal(sent)[0] is None
    assert sent[0]["error"]["message"] == "Only model output audio messages can be truncated"
    unknown = talk.send("conversation.item.truncate", event_id="t", item_id="nobody", **known)
    assert refusal(unknown) == ("item_truncate_invalid_item_id", "item_id", "t")
    assert refusal(talk.send("conversation.item.truncate", item_id=user))[0] == "missing_required_parameter"


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


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"item": message("user", "x", "a")}, "item_create_duplicate_item_id", "item.id"),
        (
            {"item": message("user", "x", "b"), "previous_item_id": "z"},
            "item_create_invalid_previous_item_id",
            "previous_item_id",
        ),
        ({}, "missing_required_parameter", "item"),
        ({"item": {"type": "message", "role": "user"}}, "missing_required_parameter", "item.content"),
        ({"item": message("bishop", "x", "b")}, "invalid_value", "item.role"),
        (
            {"item": message("user", "x", "b") | {"role": "assistant"}},
            "invalid_value",
            "item.content[0].type",
        ),
        ({"item": {"type": "message", "role": "user", "content": ["x"]}}, "invalid_type", "item.content[0]"),
        ({"item": {"type": "message", "role": [], "content": []}}, "invalid_type", "item.role"),
        ({"item": "x"}, "invalid_type", "item"),
    ],
)
def test_a_bad_item_is_refused(event: Json, code: str, param: str) -> None:
    talk = Talk()
    talk.send("conversation.item.create", item=message("user", "x", "a"))

    assert refusal(talk.send("conversation.item.create", event_id="i", **event)) == (code, param, "i")


def test_unknown_items_are_refused() -> None:
    talk = Talk()

    for name in ("delete", "retrieve"):
        sent = talk.send(f"conversation.item.{name}", item_id="nobody", event_id="x")
        assert refusal(sent) == (f"item_{name}_invalid_item_id", "item_id", "x")


def test_a_seeded_history_is_remembered() -> None:
    talk = Talk()
    talk.send("conversation.item.create", item=message("user", "what is two plus two", "u"))
    talk.send("conversation.item.create", item=message("assistant", "2 plus 2 is 4.", "a"))
    talk.text("what did I say before?")

    assert talk.next(Speak).text == "You said: what is two plus two"


def test_without_a_question_it_greets() -> None:
    talk = Talk()
    talk.send("response.create")

    assert talk.next(Speak).text == "Hello. What can I do for you?"


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
            "invalid_type",
        ),
    ],
)
def test_nonsense_is_an_error_and_no_crash(raw: str | bytes, code: str) -> None:
    talk = Talk()

    assert refusal(talk.take(talk.session.receive(raw)))[0] == code
    assert types(talk.text("hello")) == [*ITEM, "response.created", *OPENED]


def test_the_conversation_is_bounded() -> None:
    talk = Talk()
    for n in range(items.MOST_ITEMS + 1):
        talk.send("conversation.item.create", item=message("user", "x", f"i{n}"))

    assert (
        refusal(talk.send("conversation.item.retrieve", item_id="i0"))[0] == "item_retrieve_invalid_item_id"
    )
    assert types(talk.send("conversation.item.retrieve", item_id="i1")) == ["conversation.item.retrieved"]


NAMES = st.sampled_from(KEYS)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["item", "user"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=4),
    max_leaves=12,
)
EVENT = st.tuples(st.sampled_from(CLIENT_EVENTS), st.dictionaries(NAMES, JSON))


@given(st.lists(EVENT, max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_the_session_goes_on(events: list[tuple[str, Json]]) -> None:
    talk = Talk()
    for kind, fields in events:
        talk.send(kind, **fields)
    talk.send("response.cancel")

    sent = talk.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
    assert types(sent) == ["session.updated"]
    assert types(talk.text("hello", output_modalities=["text"])[:3]) == [*ITEM, "response.created"]


def test_an_endless_nest_is_refused() -> None:
    talk = Talk()
    deep = "[" * 500 + "]" * 500
    raw = f'{{"type": "session.update", "session": {{"type": "realtime", "tools": [{{"x": {deep}}}]}}}}'

    assert refusal(talk.take(talk.session.receive(raw)))[0] == "invalid_value"
