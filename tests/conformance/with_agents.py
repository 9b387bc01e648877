"""openai-agents, unmodified and with its own settings, in five scenarios: URL and speech in the arguments."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession

from conformance.scenarios import (
    ANSWER,
    BYTES_PER_S,
    CAP_S,
    CITY,
    MODEL,
    NEXT_ANSWER,
    QUESTION,
    WEATHER,
    Place,
    Unexpected,
    expect,
    main,
    microphone,
)

# Of its default, semantic_vad, each turn ends only after seconds of silence.
QUICK: Any = {"audio": {"input": {"turn_detection": {"type": "server_vad", "interrupt_response": True}}}}


def get_weather(city: str) -> str:
    """Tell the weather."""
    expect(city, CITY, "the city")
    return WEATHER


@asynccontextmanager
async def connected(place: Place, query: str = "", **settings: Any) -> AsyncIterator[RealtimeSession]:
    """Open a session of an agent with one tool."""
    agent = RealtimeAgent(name="clerk", instructions="Answer briefly.", tools=[function_tool(get_weather)])
    where: Any = {
        "url": f"{place.url}?model={MODEL}{query}",
        "api_key": "any",
        "initial_model_settings": {"model_name": MODEL, **settings},
    }
    async with await RealtimeRunner(agent).run(model_config=where) as session:
        yield session


async def until(session: RealtimeSession, true: Callable[[Any], object]) -> list[Any]:
    """Return the events up to the first of which that is *true*; raises Unexpected at an error."""
    events: list[Any] = []
    async for event in session:
        events.append(event)
        if event.type == "error":
            raise Unexpected(str(event.error))
        if true(event):
            return events
    raise Unexpected(f"the session ended: {[event.type for event in events]}")


def is_a(kind: str) -> Callable[[Any], bool]:
    return lambda event: event.type == kind


def from_server(event: Any) -> dict[str, Any]:
    """Return what the server sent, if this is that."""
    raw = event.type == "raw_model_event" and event.data.type == "raw_server_event"
    return dict(event.data.data) if raw else {}


def sent(kind: str) -> Callable[[Any], bool]:
    return lambda event: from_server(event).get("type") == kind


TRANSCRIBED = sent("conversation.item.input_audio_transcription.completed")


def said(events: list[Any], role: str) -> list[str]:
    """Return the texts of one role in the newest history."""
    history = [event for event in events if event.type in ("history_updated", "history_added")]
    newest = history[-1].history if history[-1].type == "history_updated" else [history[-1].item]
    return [
        str(getattr(part, "transcript", None) or getattr(part, "text", ""))
        for item in newest
        if item.type == "message" and item.role == role
        for part in item.content
    ]


def audio_of(events: list[Any], but: str = "") -> bytes:
    """Return all audio, without that of one item."""
    return b"".join(event.audio.data for event in events if event.type == "audio" and event.item_id != but)


async def spoken_turn(place: Place) -> None:
    async with connected(place) as session, microphone(session.send_audio) as mouth:
        mouth.say(place.said("question"))
        events = await until(session, is_a("agent_end"))
        if not any(map(TRANSCRIBED, events)):
            events += await until(session, TRANSCRIBED)
            events += await until(session, is_a("history_updated"))
    expect(said(events, "user"), [QUESTION], "what was heard")
    expect(said(events, "assistant"), [ANSWER], "what was answered")
    expect(len(audio_of(events)) > BYTES_PER_S, True, "more than a second of answer came")


async def text_turn(place: Place) -> None:
    async with connected(place, output_modalities=["text"]) as session:
        await session.send_message(QUESTION)
        events = await until(session, is_a("agent_end"))
    expect(said(events, "assistant"), [ANSWER], "what was answered")
    expect(audio_of(events), b"", "audio of a text turn")


async def tool_call(place: Place) -> None:
    async with connected(place) as session:
        await session.send_message(f"get weather with city {CITY}")
        events = await until(session, is_a("tool_end"))
        expect(events[-1].output, WEATHER, "what the tool answered")
        events = await until(session, is_a("agent_end"))
        if not audio_of(events):  # The end of the response that called.
            events = await until(session, is_a("agent_end"))
    answer = said(events, "assistant")[-1]
    expect(WEATHER in answer, True, f"the answer {answer!r} tells the output")


async def barge_in(place: Place) -> None:
    async with connected(place, **QUICK) as session, microphone(session.send_audio) as mouth:
        await session.send_message("tell me a story")
        await until(session, is_a("audio"))
        mouth.say(place.said("interruption"))
        events = await until(session, is_a("audio_interrupted"))
        item_id = events[-1].item_id
        events = await until(session, sent("conversation.item.truncated"))
        expect(from_server(events[-1])["item_id"], item_id, "what was truncated")
        events += await until(session, sent("response.output_audio_transcript.done"))
        while from_server(events[-1])["item_id"] == item_id:
            events += await until(session, sent("response.output_audio_transcript.done"))
        events += await until(session, is_a("agent_end"))
    expect(said(events, "assistant")[-1], NEXT_ANSWER, "the next answer")
    expect(len(audio_of(events, but=item_id)) > BYTES_PER_S, True, "more than a second of the next one came")


async def expiry(place: Place) -> None:
    async with connected(place, f"&session_cap={CAP_S}") as session:
        events = [event async for event in session]
    codes = [event.error.code for event in events if event.type == "error"]
    expect(codes, ["session_expired"], "errors")
    # It ends quietly after 1000 and 1001; after any other code it raises.
    raw = [event.data for event in events if event.type == "raw_model_event"]
    expect([each.type for each in raw[-2:]], ["connection_status", "end_of_stream"], "the end")


SCENARIOS = {
    "spoken turn": spoken_turn,
    "text turn": text_turn,
    "tool call": tool_call,
    "barge-in": barge_in,
    "expiry": expiry,
}

if __name__ == "__main__":
    sys.exit(main(f"openai-agents {version('openai-agents')}", SCENARIOS))
