"""The session of the embedded server: every field that may be set, and what it does."""

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.protocol.outputs import SendToClient
from support.talking import NOW, Json, Talk, new_session, refusal

WEATHER: Json = {"type": "function", "name": "get_weather"}
TIME: Json = {"type": "function", "name": "get_time"}
PCM = {"type": "audio/pcm", "rate": 24000}
STARTED, STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
SILENCE = WIRE.silence(1000)

EVERY_FIELD: Json = {
    "instructions": "Be brief.",
    "output_modalities": ["text"],
    "tools": [WEATHER | {"description": "Weather.", "parameters": {"type": "object", "properties": {}}}],
    "tool_choice": {"type": "function", "name": "get_weather"},
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low"},
    "max_output_tokens": 4096,
    "truncation": {
        "type": "retention_ratio",
        "retention_ratio": 0.8,
        "token_limits": {"post_instructions": 8000},
    },
    "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"a": "b"}},
    "prompt": {"id": "pmpt_1", "version": "2", "variables": {"city": "Paris"}},
    "include": ["item.input_audio_transcription.logprobs"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "noise_reduction": {"type": "near_field"},
            "transcription": {
                "model": "gpt-realtime-whisper",
                "language": "en",
                "languages": ["en"],
                "keywords": ["rtvoice"],
                "prompt": "Names.",
                "delay": "low",
            },
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.6,
                "prefix_padding_ms": 200,
                "silence_duration_ms": 400,
                "create_response": False,
                "interrupt_response": False,
                "idle_timeout_ms": 30000,
            },
        },
        "output": {"format": {"type": "audio/pcma"}, "voice": {"id": "voice_1"}, "speed": 1.5},
    },
}


def test_every_field_is_taken_and_shown() -> None:
    session = Talk().updated(**EVERY_FIELD)

    assert {name: session[name] for name in EVERY_FIELD} == EVERY_FIELD


def test_every_field_can_be_cleared() -> None:
    talk = Talk()
    talk.updated(**{name: value for name, value in EVERY_FIELD.items() if name != "tracing"})
    nothing: Json = {
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "prompt": None,
        "include": None,
        "reasoning": None,
        "truncation": "disabled",
        "max_output_tokens": "inf",
        "audio": {"input": {"noise_reduction": None, "transcription": None, "turn_detection": None}},
    }
    session = talk.updated(**nothing)

    assert {name: session[name] for name in nothing if name != "audio"} == {
        name: value for name, value in nothing.items() if name != "audio"
    }
    assert session["audio"]["input"] == {"format": {"type": "audio/pcmu"}, **nothing["audio"]["input"]}


def test_what_is_an_object_or_a_list_of_its_own_is_replaced_whole() -> None:
    talk = Talk()
    talk.updated(**EVERY_FIELD)
    session = talk.updated(
        tools=[TIME],
        tool_choice="required",
        truncation={"type": "retention_ratio", "retention_ratio": 0.5},
        prompt={"id": "pmpt_2"},
        audio={"input": {"format": PCM}},
    )

    assert session["tools"] == [TIME]
    assert session["truncation"] == {"type": "retention_ratio", "retention_ratio": 0.5}
    assert session["prompt"] == {"id": "pmpt_2"}
    assert session["audio"]["input"]["format"] == PCM
    assert session["audio"]["input"]["turn_detection"] == EVERY_FIELD["audio"]["input"]["turn_detection"]


def test_tools_cannot_be_cleared_below_the_choice() -> None:
    talk = Talk()
    talk.updated(tools=[WEATHER], tool_choice={"type": "function", "name": "get_weather"})

    assert refusal(talk.update(tools=[]))[:2] == ("invalid_value", "session.tool_choice")
    assert talk.updated()["tools"] == [WEATHER]


def test_how_long_a_session_lives_is_told() -> None:
    (created,) = new_session(lifetime_s=60).open()

    assert isinstance(created, SendToClient)
    assert created.event["session"]["expires_at"] == NOW.timestamp() + 60
