"""How client events are written: GA, and what the beta protocol has different."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from rtvoiced.realtime import dialects, events
from rtvoiced.realtime.decode import READERS
from rtvoiced.realtime.events import ClientEvent
from rtvoiced.vocabulary import DialectName, words
from support.validation import Dialect, check_wire

CONFIG = events.SessionConfig("marin", "Be brief.", language="en", speed=1.25, transcription="whisper-1")
PLAIN = events.SessionConfig("marin", "Be brief.")
PCM = {"type": "audio/pcm", "rate": 24000}
VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
}
USER = events.CreateItem("u1", "user", "Grüße")
ASSISTANT = events.CreateItem("a1", "assistant", "hello", "root")


def written(event: ClientEvent, dialect: Dialect = "ga") -> Any:
    return check_wire(json.loads(dialects.encode(event, dialect)), "client", dialect)


def item(item_id: str, role: str, kind: str, text: str) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "role": role, "content": [{"type": kind, "text": text}]}


SAME: list[tuple[ClientEvent, dict[str, Any]]] = [
    (events.AppendAudio(b"\1\2\3\4"), {"type": "input_audio_buffer.append", "audio": "AQIDBA=="}),
    (events.ClearAudio(), {"type": "input_audio_buffer.clear"}),
    (USER, {"type": "conversation.item.create", "item": item("u1", "user", "input_text", "Grüße")}),
    (
        events.TruncateItem("a1", 1, 840),
        {"type": "conversation.item.truncate", "item_id": "a1", "content_index": 1, "audio_end_ms": 840},
    ),
    (events.DeleteItem("a1"), {"type": "conversation.item.delete", "item_id": "a1"}),
    (
        events.CreateResponse("ask-1", "q1"),
        {"type": "response.create", "event_id": "ask-1", "response": {"metadata": {"request": "q1"}}},
    ),
    (events.CommitAudio(), {"type": "input_audio_buffer.commit"}),
    (
        events.CreateResponse("turn-1", None, events.TURN),
        {"type": "response.create", "event_id": "turn-1", "response": {"metadata": {"kind": "turn"}}},
    ),
    (
        events.CreateResponse("ask-1", None),
        {"type": "response.create", "event_id": "ask-1", "response": {}},
    ),
    (events.CancelResponse("r1"), {"type": "response.cancel", "response_id": "r1"}),
]


@pytest.mark.parametrize("dialect", ["ga", "beta"])
@pytest.mark.parametrize(("event", "wire"), SAME)
def test_written_the_same_in_every_dialect(
    event: ClientEvent, wire: dict[str, Any], dialect: Dialect
) -> None:
    assert written(event, dialect) == wire


@pytest.mark.parametrize(
    ("dialect", "modalities"),
    [("ga", {"output_modalities": ["audio"]}), ("beta", {"modalities": ["text", "audio"]})],
)
def test_say_is_out_of_band_and_its_text_is_quoted(dialect: Dialect, modalities: dict[str, Any]) -> None:
    say = events.CreateSpeech("say-1", "q1", 'He said:\n"Grüße!"')

    assert written(say, dialect) == {
        "type": "response.create",
        "event_id": "say-1",
        "response": {
            "conversation": "none",
            "input": [],
            "instructions": dialects.ga.EXACTLY + r'"He said: \"Grüße!\""',
            "metadata": {"request": "q1", "kind": "say"},
            **modalities,
        },
    }


def test_say_without_a_request_is_known_by_its_kind() -> None:
    response = written(events.CreateSpeech("say-1", None, "Hi."))["response"]

    assert response["metadata"] == {"kind": "say"}


def test_every_client_event_has_its_line() -> None:
    with_own_tests = {
        *(events.CreateSpeech, events.UpdateSession, events.UpdateVoice, events.UpdateTurnDetection)
    }

    assert {type(event) for event, _ in SAME} | with_own_tests == set(get_args(ClientEvent))


@pytest.mark.parametrize(("dialect", "kind"), [("ga", "output_text"), ("beta", "text")])
def test_text_of_the_assistant(dialect: Dialect, kind: str) -> None:
    assert written(ASSISTANT, dialect) == {
        "type": "conversation.item.create",
        "previous_item_id": "root",
        "item": item("a1", "assistant", kind, "hello"),
    }


def test_session_in_ga() -> None:
    assert written(events.UpdateSession(CONFIG, "session-1")) == {
        "type": "session.update",
        "event_id": "session-1",
        "session": {
            "type": "realtime",
            "instructions": "Be brief.",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": PCM,
                    "transcription": {"model": "whisper-1", "language": "en"},
                    "turn_detection": VAD,
                },
                "output": {"format": PCM, "voice": "marin", "speed": 1.25},
            },
        },
    }


def test_session_in_beta() -> None:
    assert written(events.UpdateSession(CONFIG, "session-1"), "beta") == {
        "type": "session.update",
        "event_id": "session-1",
        "session": {
            "modalities": ["text", "audio"],
            "instructions": "Be brief.",
            "voice": "marin",
            "speed": 1.25,
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_transcription": {"model": "whisper-1", "language": "en"},
            "turn_detection": VAD,
        },
    }


def test_default_speed_and_no_transcription_are_not_forced_on_servers_without_them() -> None:
    ga = written(events.UpdateSession(PLAIN, "s"))["session"]["audio"]
    beta = written(events.UpdateSession(PLAIN, "s"), "beta")["session"]

    assert (ga["input"]["transcription"], ga["output"]) == (None, {"format": PCM, "voice": "marin"})
    assert (beta["input_audio_transcription"], "speed" in beta) == (None, False)


def test_turn_detection_is_written_whole() -> None:
    config = replace(PLAIN, threshold=0.7, prefix_ms=100, silence_ms=900)
    vad = VAD | {"threshold": 0.7, "prefix_padding_ms": 100, "silence_duration_ms": 900}

    assert written(events.UpdateSession(config, "s"))["session"]["audio"]["input"]["turn_detection"] == vad
    assert written(events.UpdateSession(config, "s"), "beta")["session"]["turn_detection"] == vad


def detections(config: events.SessionConfig) -> list[Any]:
    """How the turn detection of *config* is written: with the whole session and alone, GA and beta."""
    whole, alone = events.UpdateSession(config, "s"), events.UpdateTurnDetection(config, "talk-1")
    ga = [written(event)["session"]["audio"]["input"]["turn_detection"] for event in (whole, alone)]
    return ga + [written(event, "beta")["session"]["turn_detection"] for event in (whole, alone)]


def test_server_that_leaves_interrupting_to_us_creates_nothing_either() -> None:
    vad = VAD | {"create_response": False, "interrupt_response": False}

    assert detections(replace(PLAIN, client_managed_turns=True)) == [vad] * 4


def test_semantic_vad_has_an_eagerness_and_no_times() -> None:
    vad = {"type": "semantic_vad", "eagerness": "low", "create_response": True, "interrupt_response": True}

    assert detections(replace(PLAIN, detection="semantic_vad", eagerness="low")) == [vad] * 4


def test_no_turn_detection_is_null() -> None:
    assert detections(replace(PLAIN, detection="none", client_managed_turns=True)) == [None] * 4


def test_turn_detection_alone_changes_nothing_else() -> None:
    event = events.UpdateTurnDetection(replace(PLAIN, detection="none"), "talk-1")

    assert written(event) == {
        "type": "session.update",
        "event_id": "talk-1",
        "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
    }
    assert written(event, "beta") == {
        "type": "session.update",
        "event_id": "talk-1",
        "session": {"turn_detection": None},
    }


def test_voice_alone() -> None:
    event = events.UpdateVoice("cedar", "voice-2")

    assert written(event) == {
        "type": "session.update",
        "event_id": "voice-2",
        "session": {"type": "realtime", "audio": {"output": {"voice": "cedar"}}},
    }
    assert written(event, "beta") == {
        "type": "session.update",
        "event_id": "voice-2",
        "session": {"voice": "cedar"},
    }


def test_message_is_ascii_without_spaces() -> None:
    assert dialects.encode(events.CreateItem("u1", "user", "é"), "ga").isascii()
    assert ": " not in dialects.encode(events.ClearAudio(), "ga")


# ------------------------------------------------------------------ which dialect it is


def test_every_dialect_of_the_vocabulary_is_registered() -> None:
    assert set(dialects.DIALECTS) == set(words(DialectName))


@pytest.mark.parametrize(
    ("session", "dialect"),
    [
        ({}, "ga"),
        ({"type": "realtime"}, "ga"),
        ({"output_modalities": ["audio"]}, "ga"),
        ({"audio": {}}, "ga"),
        ({"modalities": ["text", "audio"]}, "beta"),
        ({"input_audio_format": "pcm16"}, "beta"),
        ({"modalities": ["text", "audio"], "type": "realtime"}, "ga"),
    ],
)
def test_a_new_session_is_known_by_its_fields(session: dict[str, Any], dialect: DialectName) -> None:
    assert dialects.dialect_of(session) == dialect


def test_names_of_other_dialects_stand_for_events_that_are_read() -> None:
    assert set(dialects.ALIASES.values()) <= set(READERS)
    assert set(dialects.ALIASES).isdisjoint(READERS)
