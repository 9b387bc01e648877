"""The user's turns at the embedded server: voice activity, silence, and what is heard."""

import base64

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.vocabulary import SessionKind
from support.talking import CREATED, ITEM, Json, Talk, listening, types, voiced

STARTED, STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
SILENCE = WIRE.silence(1000)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("interrupt", [True, False])
def test_turn_detection_creates_and_interrupts_as_it_is_told(create: bool, interrupt: bool) -> None:
    detection = {"type": "server_vad", "create_response": create, "interrupt_response": interrupt}
    talk = Talk(turn_detection=detection)
    talk.text("tell me a story")
    talk.speak(most=1)
    talk.told.clear()
    talk.append(voiced("stop") + SILENCE)

    ended = ["response.done", "rate_limits.updated"]
    order = [
        kind
        for kind in types(talk.told)
        if not kind.startswith("response.") or kind in ("response.created", ended[0])
    ]
    order = [
        kind for n, kind in enumerate(order) if kind != "conversation.item.done" or order[n - 1] == ITEM[0]
    ]
    answered = (["response.created"] if interrupt else ["error"]) if create else []
    assert order == [STARTED, *(ended if interrupt else []), STOPPED, *CREATED[:3], *answered]
    if answered == ["error"]:
        assert talk.told[-1]["error"]["code"] == "conversation_already_has_active_response"


@pytest.mark.parametrize(
    ("eagerness", "silence_ms"), [("high", 500), ("auto", 1000), ("medium", 1000), ("low", 2000)]
)
def test_semantic_vad_is_a_longer_silence(eagerness: str, silence_ms: int) -> None:
    talk = Talk(turn_detection={"type": "semantic_vad", "eagerness": eagerness})
    server = Talk(turn_detection={"type": "server_vad", "silence_duration_ms": silence_ms})
    pcm = voiced("hello") + WIRE.silence(2500)

    ends = [one.append(pcm)[1] for one in (talk, server)]
    assert [end["type"] for end in ends] == [STOPPED, STOPPED]
    assert ends[0]["audio_end_ms"] == ends[1]["audio_end_ms"]


def test_an_update_amid_speech_drops_nothing_but_a_new_detection_does() -> None:
    talk = Talk()
    assert types(talk.append(voiced("tell me a story"))) == [STARTED]
    session = talk.updated(
        instructions="Be brief.", audio={"input": {"transcription": {"model": "whisper-1"}}}
    )
    talk.updated(audio={"input": {"turn_detection": session["audio"]["input"]["turn_detection"]}})
    assert types(talk.append(SILENCE)) == [STOPPED, *CREATED]

    assert types(talk.append(voiced("stop")))[0] == STARTED
    talk.send("session.update", session=listening(turn_detection={"type": "server_vad", "threshold": 0.6}))
    assert talk.append(SILENCE) == []


def test_a_wide_prefix_and_a_short_silence() -> None:
    detection = {"type": "server_vad", "prefix_padding_ms": 700, "silence_duration_ms": 200}
    narrow, wide = Talk(turn_detection=detection | {"prefix_padding_ms": 0}), Talk(turn_detection=detection)
    pcm = SILENCE + voiced("hello") + SILENCE
    (first, first_end, *_), (second, second_end, *_) = narrow.append(pcm), wide.append(pcm)

    assert first["audio_start_ms"] - second["audio_start_ms"] == 700
    assert first_end["audio_end_ms"] == second_end["audio_end_ms"]


def test_no_voice_passes_the_highest_threshold() -> None:
    talk = Talk(turn_detection={"type": "server_vad", "threshold": 1.0})

    assert talk.append(voiced("hello") + SILENCE) == []


IDLE = {"type": "server_vad", "idle_timeout_ms": 5000}
LONG = WIRE.silence(8000)


def test_idle_time_does_not_run_before_the_first_response() -> None:
    assert Talk(turn_detection=IDLE).append(LONG) == []


def test_idle_time_begins_anew_with_every_answer() -> None:
    talk = Talk(turn_detection=IDLE)
    talk.text("hello", output_modalities=["text"])
    first = talk.append(WIRE.silence(5100))
    # The answer to a silence is an answer.
    response_id, _ = talk.speak()
    talk.finish(response_id)
    second = talk.append(WIRE.silence(6500))

    assert [types(sent)[0] for sent in (first, second)] == ["input_audio_buffer.timeout_triggered"] * 2
    assert (first[0]["audio_start_ms"], second[0]["audio_start_ms"]) == (0, 6100)


@pytest.mark.parametrize(
    "detection",
    [
        {"type": "server_vad", "create_response": False, "idle_timeout_ms": 5000},
        {"type": "server_vad", "idle_timeout_ms": None},
        {"type": "semantic_vad"},
        None,
    ],
)
def test_without_a_timeout_silence_is_silence(detection: Json | None) -> None:
    talk = Talk(turn_detection=detection)
    talk.answered("hello")

    assert talk.append(LONG) == []


def test_a_voice_or_a_response_ends_the_wait() -> None:
    talk = Talk(turn_detection=IDLE)
    talk.text("hello", output_modalities=["text"])
    spoken = talk.append(WIRE.silence(4000) + voiced("hello") + SILENCE)
    assert types(spoken) == [STARTED, STOPPED, *CREATED]
    assert talk.append(LONG) == []

    other = Talk(turn_detection=IDLE)
    other.text("hello", output_modalities=["text"])
    other.text("tell me a story")
    assert other.append(LONG) == []


def test_a_cancelled_answer_is_played_no_more() -> None:
    talk = Talk(turn_detection=IDLE)
    talk.text("tell me a story")
    talk.speak(most=3, ms=3000)
    talk.send("response.cancel")

    assert types(talk.append(WIRE.silence(5100)))[0] == "input_audio_buffer.timeout_triggered"


def test_a_session_that_only_transcribes() -> None:
    talk = Talk(kind=SessionKind.TRANSCRIPTION)
    (update,) = talk.send(
        "session.update",
        session={
            "type": "transcription",
            "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
        },
    )
    assert update["session"]["type"] == "transcription"
    assert set(update["session"]) == {"type", "object", "id", "expires_at", "include", "audio"}
    sent = talk.append(SILENCE + voiced("hello") + SILENCE)
    assert types(sent) == [STARTED, STOPPED, *CREATED[:3]]
    heard = talk.hear("hello there")

    prefix = "conversation.item.input_audio_transcription"
    assert types(heard) == [f"{prefix}.delta", f"{prefix}.completed"]
    item = talk.send("conversation.item.retrieve", item_id=sent[0]["item_id"])[0]["item"]
    assert item["content"][0]["transcript"] == "hello there"
    assert len(base64.b64decode(item["content"][0]["audio"])) > 0


def test_a_transcription_may_fail_on_demand() -> None:
    talk = Talk(transcription={"model": "whisper-1"}, turn_detection=None)
    talk.append(SILENCE)
    talk.send("input_audio_buffer.commit")
    (event,) = talk.hear("simulate transcription failure")

    assert event["type"] == "conversation.item.input_audio_transcription.failed"
    assert event["error"]["code"] == "transcription_failed"


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("whisper-1", "duration"),
        ("gpt-live-transcribe", "duration"),
        ("gpt-4o-mini-transcribe", "tokens"),
        ("mine", "tokens"),
    ],
)
def test_transcription_costs_seconds_or_tokens_as_its_model_does(model: str, kind: str) -> None:
    talk = Talk(transcription={"model": model}, turn_detection=None)
    talk.append(SILENCE)
    talk.send("input_audio_buffer.commit")

    assert talk.hear("hello")[-1]["usage"]["type"] == kind
