"""Events are held against the types of the openai package; nothing else slips through."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from support.scripted_server import scripted_server
from support.validation import Dialect, NotRealtimeError, Side, check_recordings, check_wire, faults, types

Json = dict[str, Any]

CLIENT = """
conversation.item.create conversation.item.delete conversation.item.retrieve conversation.item.truncate
input_audio_buffer.append input_audio_buffer.clear input_audio_buffer.commit output_audio_buffer.clear
response.cancel response.create session.update
"""
BOTH = """
conversation.created conversation.item.created conversation.item.deleted conversation.item.retrieved
conversation.item.truncated conversation.item.input_audio_transcription.completed
conversation.item.input_audio_transcription.delta conversation.item.input_audio_transcription.failed error
input_audio_buffer.cleared input_audio_buffer.committed input_audio_buffer.speech_started
input_audio_buffer.speech_stopped output_audio_buffer.cleared output_audio_buffer.started
output_audio_buffer.stopped rate_limits.updated response.content_part.added response.content_part.done
response.created response.done response.function_call_arguments.delta response.function_call_arguments.done
response.output_item.added response.output_item.done session.created session.updated
"""
GA = """
conversation.item.added conversation.item.done conversation.item.input_audio_transcription.segment
input_audio_buffer.dtmf_event_received input_audio_buffer.timeout_triggered mcp_list_tools.completed
mcp_list_tools.failed mcp_list_tools.in_progress response.mcp_call.completed response.mcp_call.failed
response.mcp_call.in_progress response.mcp_call_arguments.delta response.mcp_call_arguments.done
response.output_audio.delta response.output_audio.done response.output_audio_transcript.delta
response.output_audio_transcript.done response.output_text.delta response.output_text.done
"""
BETA = """
response.audio.delta response.audio.done response.audio_transcript.delta response.audio_transcript.done
response.text.delta response.text.done transcription_session.updated
"""


@pytest.mark.parametrize(
    ("side", "dialect", "names"),
    [
        ("client", "ga", CLIENT),
        ("server", "ga", BOTH + GA),
        ("client", "beta", CLIENT + "transcription_session.update"),
        ("server", "beta", BOTH + BETA),
    ],
)
def test_the_package_has_the_events_that_it_had(side: Side, dialect: Dialect, names: str) -> None:
    known, here = set(types(side, dialect)), set(names.split())

    assert {"new": known - here, "removed": here - known} == {"new": set(), "removed": set()}


def session_event(**session: Any) -> Json:
    whole = {"type": "realtime", "id": "sess_1", "object": "realtime.session", "expires_at": 1, **session}
    return {"type": "session.created", "event_id": "event_1", "session": whole}


def item_event(*content: Json) -> Json:
    item = {"id": "i1", "type": "message", "role": "user", "content": list(content)}
    return {"type": "conversation.item.added", "event_id": "event_1", "item": item}


@pytest.mark.parametrize(
    "event",
    [
        session_event(),
        session_event(parallel_tool_calls=True),
        session_event(audio={"output": {"voice": {"id": "voice_1"}}}),
        session_event(reasoning={"effort": "none"}) | {"type": "session.updated"},
        item_event({"type": "input_text", "text": "hello"}),
    ],
)
def test_what_real_servers_send(event: Json) -> None:
    assert check_wire(event, "server") is event


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({"event_id": "event_1"}, "type: None is not known"),
        ({"type": "response.audio.done"}, "type: 'response.audio.done' is not known"),
        ({"type": "input_audio_buffer.cleared"}, "input_audio_buffer.cleared.event_id: Field required"),
        (
            {"type": "input_audio_buffer.cleared", "event_id": "event_1", "item": None},
            "input_audio_buffer.cleared.item: not a field",
        ),
        (session_event(voice="slt"), "session.created.session.voice: not a field"),
        (
            session_event(expires_at="soon"),
            "session.created.session.expires_at: Input should be a valid integer",
        ),
        (
            item_event(
                {"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b", "lang": "en"}
            ),
            "conversation.item.added.item.content[].lang: not a field",
        ),
    ],
)
def test_a_fault_is_told_with_its_path(event: Json, fault: str) -> None:
    assert faults(event, "server") == [fault]


def test_an_exception_is_for_one_value_alone() -> None:
    event = session_event(audio={"output": {"voice": {"id": "voice_1", "name": "me"}}})

    assert {fault.rpartition(".voice")[0] for fault in faults(event, "server")} == {
        "session.created.session.audio.output"
    }


def test_numbers_are_not_taken_for_words() -> None:
    event = {"type": "conversation.item.truncate", "item_id": "i1", "content_index": "0", "audio_end_ms": 1.5}

    assert [fault.partition(":")[0] for fault in faults(event, "client")] == [
        "conversation.item.truncate.audio_end_ms",
        "conversation.item.truncate.content_index",
    ]


def test_a_session_of_the_other_dialect_is_a_fault() -> None:
    flat = {"modalities": ["text"], "voice": "marin"}

    assert faults({"type": "session.update", "session": flat}, "client", "beta") == []
    assert faults({"type": "session.update", "session": {"type": "realtime", **flat}}, "client") == [
        "session.update.session.modalities: not a field",
        "session.update.session.voice: not a field",
    ]


def test_the_scripted_server_tells_what_was_no_event() -> None:
    async def main() -> None:
        async with scripted_server() as server, connect(server.url, proxy=None) as websocket:
            await websocket.send(json.dumps({"type": "input_audio_buffer.clear", "why": "mute"}))
            await websocket.send(json.dumps({"type": "input_audio_buffer.clear"}))
            await websocket.close()
            await (await server.visit(0)).left()

    with pytest.raises(NotRealtimeError, match=r"input_audio_buffer\.clear\.why: not a field"):
        asyncio.run(main())


def recorded(folder: Path, *lines: str, torn: str = "") -> Path:
    (folder / "1.events.jsonl").write_text("".join(f"{line}\n" for line in lines) + torn)
    return folder


def line(direction: str, event: Json | None, **further: str) -> str:
    return json.dumps({"time": 1.0, "direction": direction, "dialect": "ga", "event": event, **further})


CLEAR = line("client", {"type": "input_audio_buffer.clear"})
CLEARED = line("server", {"type": "input_audio_buffer.cleared", "event_id": "event_1"})


def test_recordings_are_read_to_the_last_whole_line(tmp_path: Path) -> None:
    assert check_recordings(tmp_path) == 0
    assert check_recordings(recorded(tmp_path, CLEAR, CLEARED, torn='{"time": 1.0, "direc')) == 2


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (line("client", {"type": "input_audio_buffer.cleared", "event_id": "event_1"}), "is not known"),
        (line("server", {"type": "input_audio_buffer.cleared"}), "event_id: Field required"),
        (line("client", None, unreadable="hello"), "a message of the client's: hello"),
    ],
)
def test_a_recorded_event_that_is_none_is_told(tmp_path: Path, wrong: str, fault: str) -> None:
    with pytest.raises(NotRealtimeError, match=fault):
        check_recordings(recorded(tmp_path, CLEAR, wrong))
