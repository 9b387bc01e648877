"""openai's client of the beta protocol, unmodified, in two scenarios: URL and speech in the arguments."""

from __future__ import annotations

import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
from openai import AsyncOpenAI
from openai.resources.beta.realtime.realtime import AsyncRealtimeConnection

from conformance.scenarios import (
    ANSWER,
    BYTES_PER_S,
    MODEL,
    QUESTION,
    Place,
    Unexpected,
    expect,
    main,
    microphone,
)


@asynccontextmanager
async def connected(place: Place, session: Any) -> AsyncIterator[AsyncRealtimeConnection]:
    """Open a session and configure it."""
    # From an http base URL it would make wss.
    client = AsyncOpenAI(api_key="any", websocket_base_url=place.url.removesuffix("/realtime"))
    async with client.beta.realtime.connect(model=MODEL) as connection:
        await until(connection, "session.created")
        await connection.session.update(session=session)
        await until(connection, "session.updated")
        yield connection


async def until(connection: AsyncRealtimeConnection, kind: str) -> list[Any]:
    """Return the events up to the first of this kind."""
    events: list[Any] = []
    async for event in connection:
        events.append(event)
        if event.type == "error":
            raise Unexpected(event.error.message)
        if event.type == kind:
            return events
    raise Unexpected(f"the connection ended before {kind}")


def all_of(events: list[Any], kind: str) -> list[Any]:
    return [event for event in events if event.type == kind]


async def spoken_turn(place: Place) -> None:
    async with connected(place, {"input_audio_transcription": {"model": "whisper-1"}}) as connection:

        async def send(pcm: bytes) -> None:
            await connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode("ascii"))

        async with microphone(send) as mouth:
            mouth.say(place.said("question"))
            events = await until(connection, "response.done")
            heard = "conversation.item.input_audio_transcription.completed"
            transcripts = all_of(events, heard) or await until(connection, heard)
    expect(transcripts[-1].transcript, QUESTION, "what was heard")
    (said,) = all_of(events, "response.audio_transcript.done")
    expect(said.transcript, ANSWER, "what was answered")
    audio = b"".join(base64.b64decode(each.delta) for each in all_of(events, "response.audio.delta"))
    expect(len(audio) > BYTES_PER_S, True, "more than a second of answer came")


async def text_turn(place: Place) -> None:
    async with connected(place, {"modalities": ["text"]}) as connection:
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}
        )
        await connection.response.create()
        events = await until(connection, "response.done")
    deltas = "".join(each.delta for each in all_of(events, "response.text.delta"))
    (done,) = all_of(events, "response.text.done")
    expect((deltas, done.text), (ANSWER, ANSWER), "the answer in pieces and whole")


SCENARIOS = {"spoken turn": spoken_turn, "text turn": text_turn}

if __name__ == "__main__":
    sys.exit(main(f"openai {openai.__version__} beta", SCENARIOS))
