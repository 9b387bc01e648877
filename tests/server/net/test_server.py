"""The embedded server as its users meet it: a process, a socket, a voice."""

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from rtvoiced import errors
from rtvoiced.dsp.pcm import WIRE
from support.serving import Json, ask, audio_of, children, eventually, send, served, serving, talking, until
from support.talking import types, voiced

pytestmark = pytest.mark.process

RECOGNISERS = min(2, os.cpu_count() or 1)
"""For commands; that for dictation is started when it is needed."""


@asynccontextmanager
async def client(url: str) -> AsyncIterator[ClientConnection]:
    async with talking(url, "model=rtvoice-local") as websocket:
        yield websocket


async def append(websocket: ClientConnection, pcm: bytes) -> None:
    """Send it in chunks of 20 ms, as fast as it goes: the server's clock is the audio."""
    for at in range(0, len(pcm), WIRE.size(20)):
        audio = base64.b64encode(pcm[at : at + WIRE.size(20)]).decode()
        await send(websocket, "input_audio_buffer.append", audio=audio)


def question(text: str, voice: str = "slt") -> bytes:
    """Speech, and the silence that ends a turn."""
    return voiced(text, voice) + WIRE.silence(1000)


def said(events: list[Json], response_id: str) -> bytes:
    """The audio of one response."""
    return b"".join(audio_of([one for one in events if one.get("response_id") == response_id]))


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, str]]:
    """One for the tests that leave it as it was."""
    with serving() as made:
        yield made


def test_a_spoken_question_is_heard_and_answered_aloud(server: tuple[int, str]) -> None:
    async def talk() -> list[Json]:
        async with client(server[1]) as websocket:
            audio = {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}
            await send(websocket, "session.update", session={"type": "realtime", "audio": audio})
            await append(websocket, question("what is seven plus five"))
            return await until(websocket, "rate_limits.updated")

    events = asyncio.run(talk())
    prefix = "conversation.item.input_audio_transcription"
    assert types(events) == [
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        f"{prefix}.delta",
        f"{prefix}.completed",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        # The words of each stretch come before its audio.
        *(["response.output_audio_transcript.delta", "response.output_audio.delta"] * 2),
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = events[-2]["response"]
    assert response["output"][0]["content"][0]["transcript"] == "7 plus 5 is 12."
    sizes = [WIRE.duration_ms(len(pcm)) for pcm in audio_of(events)]
    assert all(100 <= size <= 400 for size in sizes[:-1])
    audio = said(events, response["id"])
    assert np.abs(np.frombuffer(audio, np.int16).astype(int)).max() > 3000
    tokens = response["usage"]["output_token_details"]["audio_tokens"]
    assert tokens == -(-WIRE.duration_ms(len(audio)) // 50)


def test_a_story_is_interrupted_by_voice_truncated_and_not_taken_up_again(server: tuple[int, str]) -> None:
    async def talk() -> tuple[list[Json], list[Json]]:
        async with client(server[1]) as websocket:
            await append(websocket, question("tell me a long story"))
            before = await until(websocket, "response.output_audio.delta")
            before += await until(websocket, "response.output_audio.delta")
            await append(websocket, question("stop", "rms"))
            heard = await until(websocket, "input_audio_buffer.speech_started")
            item_id = before[-1]["item_id"]
            await send(
                websocket, "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=150
            )
            after = await until(websocket, "conversation.item.truncated")
            while sum(one["type"] == "response.done" for one in after) < 2:
                after += await until(websocket, "response.done")
            return before + heard, after

    before, after = asyncio.run(talk())
    assert types(after)[:6] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    cut, second = (one["response"] for one in after if one["type"] == "response.done")
    assert (cut["status"], cut["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert second["output"][0]["content"][0]["transcript"] == "Okay."
    assert len(said(before, cut["id"])) >= WIRE.size(200)
    assert said(after, cut["id"]) == b""
    assert all(one.get("response_id") != cut["id"] for one in after[6:])


def test_speech_comes_faster_than_it_plays(server: tuple[int, str]) -> None:
    async def talk() -> tuple[float, float]:
        async with client(server[1]) as websocket:
            await ask(websocket, f"repeat {'green house river ' * 6}")
            events = await until(websocket, "response.output_audio.delta")
            began = asyncio.get_running_loop().time()
            events += await until(websocket, "response.done")
            took = asyncio.get_running_loop().time() - began
            return WIRE.duration_ms(len(said(events, events[-1]["response"]["id"]))) / 1000, took

    played, took = asyncio.run(talk())
    assert played > 4
    # Five times as fast; a stalled client sees it come faster, a stalled server slower.
    assert played / 10 < took < played


def test_sessions_do_not_disturb_each_other(server: tuple[int, str]) -> None:
    async def turn(url: str, text: str, voice: str) -> list[str]:
        async with client(url) as websocket:
            transcripts = []
            for _ in range(2):
                await append(websocket, question(text, voice))
                done = (await until(websocket, "response.done"))[-1]
                transcripts.append(done["response"]["output"][0]["content"][0]["transcript"])
                await until(websocket, "rate_limits.updated")
            return transcripts

    async def talk() -> list[list[str]]:
        url = server[1]
        sums = turn(url, "what is two plus three", "slt")
        differences = turn(url, "what is nine minus four", "rms")
        return list(await asyncio.gather(sums, differences, turn(url, "thank you", "slt")))

    sums, differences, thanks = asyncio.run(talk())
    assert sums == ["2 plus 3 is 5."] * 2
    assert differences == ["9 minus 4 is 5."] * 2
    assert thanks == ["You are welcome."] * 2


def test_a_client_that_goes_away_mid_story_leaves_nothing_running(server: tuple[int, str]) -> None:
    pid, url = server

    async def talk() -> None:
        async with client(url) as websocket:
            await ask(websocket, "tell me a long story")
            await until(websocket, "response.output_audio.delta")
        # The recognisers stay, for the next session.
        await eventually(lambda: len(children(pid)) == RECOGNISERS)
        async with client(url) as websocket:
            await ask(websocket, "hello")
            await until(websocket, "response.done")

    asyncio.run(talk())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_tells_the_client(number: signal.Signals) -> None:
    async def talk() -> tuple[int | None, int]:
        async with served() as (child, url), client(url) as websocket:
            await ask(websocket, "tell me a long story")
            await until(websocket, "response.output_audio.delta")
            child.send_signal(number)
            code = await child.wait()
            with pytest.raises(ConnectionClosed):
                await until(websocket, "never")
            return websocket.close_code, code

    assert asyncio.run(talk()) == (1001, errors.OK)


def test_it_ends_when_its_stdin_closes() -> None:
    async def talk() -> tuple[int, bool]:
        async with served() as (child, url), client(url) as websocket:
            await append(websocket, question("hello"))
            await until(websocket, "response.done")
            await eventually(lambda: len(children(child.pid)) == RECOGNISERS)
            workers = children(child.pid)
            assert child.stdin is not None
            child.stdin.close()
            return await child.wait(), any(map(lives, workers))

    assert asyncio.run(talk()) == (errors.OK, False)


def test_its_recognisers_end_even_when_it_is_killed() -> None:
    async def talk() -> None:
        async with served() as (child, url), client(url) as websocket:
            await append(websocket, question("hello"))
            await until(websocket, "response.done")
            workers = children(child.pid)
            child.kill()
            await child.wait()
            await eventually(lambda: not any(map(lives, workers)))

    asyncio.run(talk())


def test_a_recogniser_that_died_is_started_again() -> None:
    async def talk() -> list[str]:
        async with served() as (child, url), client(url) as websocket:
            transcripts = []
            for _ in range(2):
                await append(websocket, question("thank you"))
                done = (await until(websocket, "response.done"))[-1]
                transcripts.append(done["response"]["output"][0]["content"][0]["transcript"])
                if not transcripts[1:]:
                    await eventually(lambda: len(children(child.pid)) == RECOGNISERS)
                for worker in children(child.pid):
                    os.kill(worker, signal.SIGKILL)
                await eventually(lambda: children(child.pid) == [])
            return transcripts

    assert asyncio.run(talk()) == ["You are welcome."] * 2
