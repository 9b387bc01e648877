"""openai's own client, unmodified, in five scenarios against the server of the arguments: URL, speech."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.websocket_reconnection import ReconnectingEvent, ReconnectingOverrides
from websockets.exceptions import ConnectionClosed

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

TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def client(place: Place) -> AsyncOpenAI:
    base = place.url.replace("ws://", "http://").removesuffix("/realtime")
    return AsyncOpenAI(api_key="any", base_url=base)


@asynccontextmanager
async def connected(place: Place, **session: Any) -> AsyncIterator[AsyncRealtimeConnection]:
    """Open a session and configure it."""
    async with client(place).realtime.connect(model=MODEL) as connection:
        expect((await connection.recv()).type, "session.created", "first event")
        update: Any = {"type": "realtime", **session}
        await connection.session.update(session=update)
        expect((await connection.recv()).type, "session.updated", "answer to the update")
        yield connection


async def until(connection: AsyncRealtimeConnection, kind: str) -> list[Any]:
    """Return the events up to the first of this kind; raises Unexpected at any other error."""
    events: list[Any] = []
    async for event in connection:
        events.append(event)
        if event.type == kind:
            return events
        if event.type == "error":
            raise Unexpected(event.error.message)
    raise Unexpected(f"the connection ended before {kind}")


def all_of(events: list[Any], kind: str) -> list[Any]:
    return [event for event in events if event.type == kind]


def audio_of(events: list[Any], item_id: str | None = None) -> bytes:
    deltas = all_of(events, "response.output_audio.delta")
    return b"".join(base64.b64decode(each.delta) for each in deltas if item_id in (None, each.item_id))


async def ask(connection: AsyncRealtimeConnection, text: str) -> None:
    await connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )
    await connection.response.create()


def sender(connection: AsyncRealtimeConnection) -> Any:
    async def send(pcm: bytes) -> None:
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode("ascii"))

    return send


async def spoken_turn(place: Place) -> None:
    heard = {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}
    async with connected(place, audio=heard) as connection, microphone(sender(connection)) as mouth:
        mouth.say(place.said("question"))
        events = await until(connection, "response.done")
        transcripts = all_of(events, "conversation.item.input_audio_transcription.completed")
        if not transcripts:
            transcripts = await until(connection, "conversation.item.input_audio_transcription.completed")
    expect(transcripts[-1].transcript, QUESTION, "what was heard")
    (said,) = all_of(events, "response.output_audio_transcript.done")
    expect(said.transcript, ANSWER, "what was answered")
    expect(len(audio_of(events)) > BYTES_PER_S, True, "more than a second of answer came")
    expect(events[-1].response.status, "completed", "status of the response")


async def text_turn(place: Place) -> None:
    async with connected(place, output_modalities=["text"]) as connection:
        await ask(connection, QUESTION)
        events = await until(connection, "response.done")
    deltas = "".join(each.delta for each in all_of(events, "response.output_text.delta"))
    (done,) = all_of(events, "response.output_text.done")
    expect((deltas, done.text), (ANSWER, ANSWER), "the answer in pieces and whole")
    expect(audio_of(events), b"", "audio of a text turn")


async def tool_call(place: Place) -> None:
    async with connected(place, output_modalities=["text"], tools=[TOOL]) as connection:
        await ask(connection, f"get weather with city {CITY}")
        events = await until(connection, "response.done")
        (call,) = events[-1].response.output
        expect((call.type, call.name), ("function_call", "get_weather"), "the item")
        expect(json.loads(call.arguments), {"city": CITY}, "the arguments")
        (done,) = all_of(events, "response.function_call_arguments.done")
        expect((done.call_id, done.arguments), (call.call_id, call.arguments), "the arguments once more")
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": WEATHER}
        )
        await connection.response.create()
        events = await until(connection, "response.done")
    (answer,) = all_of(events, "response.output_text.done")
    expect(WEATHER in answer.text, True, f"the answer {answer.text!r} tells the output")


async def barge_in(place: Place) -> None:
    async with connected(place) as connection, microphone(sender(connection)) as mouth:
        await ask(connection, "tell me a story")
        events = await until(connection, "response.output_audio.delta")
        mouth.say(place.said("interruption"))
        events += await until(connection, "input_audio_buffer.speech_started")
        item_id = all_of(events, "response.output_audio.delta")[-1].item_id
        played_ms = 500
        await connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=played_ms)
        events = await until(connection, "response.done")
        status = events[-1].response.status, events[-1].response.status_details.reason
        expect(status, ("cancelled", "turn_detected"), "how the story ended")
        events = await until(connection, "response.done")
    (truncated,) = all_of(events, "conversation.item.truncated")
    expect((truncated.item_id, truncated.audio_end_ms), (item_id, played_ms), "what was truncated")
    expect(audio_of(events, item_id), b"", "late audio of the story")
    (answer,) = all_of(events, "response.output_audio_transcript.done")
    expect(answer.transcript, NEXT_ANSWER, "the next answer")
    expect(len(audio_of(events)) > BYTES_PER_S, True, "more than a second of the next one came")
    expect(events[-1].response.status, "completed", "status of the next response")


async def expiry(place: Place) -> None:
    """The end as `recv` tells it, and as the client itself copes with it: it connects again."""
    cap = {"session_cap": str(CAP_S)}
    async with client(place).realtime.connect(model=MODEL, extra_query=cap) as connection:
        expect((await connection.recv()).type, "session.created", "first event")
        told: Any = await connection.recv()
        expect((told.type, told.error.code), ("error", "session_expired"), "how the end is told")
        try:
            after = await connection.recv()
        except ConnectionClosed as closed:
            frame = closed.rcvd
        else:
            raise Unexpected(f"after the end: {after}")
        expect(frame and (frame.code, frame.reason), (1001, told.error.message), "how it closes")

    codes = []

    def again(event: ReconnectingEvent) -> ReconnectingOverrides:
        codes.append(event.close_code)
        return {"extra_query": {"model": MODEL}}

    connecting = client(place).realtime.connect(
        model=MODEL, extra_query=cap, on_reconnecting=again, initial_delay=0.1
    )
    async with connecting as connection:
        first = await until(connection, "error")
        second = await until(connection, "session.created")
    expect(first[0].session.id != second[0].session.id, True, "another session after the first")
    expect(codes, [1001], "close codes that the client reconnected after")


SCENARIOS = {
    "spoken turn": spoken_turn,
    "text turn": text_turn,
    "tool call": tool_call,
    "barge-in": barge_in,
    "expiry": expiry,
}

if __name__ == "__main__":
    sys.exit(main(f"openai {openai.__version__}", SCENARIOS))
