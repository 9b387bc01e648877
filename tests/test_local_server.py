"""The embedded server as its users meet it: a process, a socket, a voice."""

import asyncio
import base64
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rtvoice import errors
from rtvoice.audio.pcm import WIRE
from rtvoice.audio.resample import Resampler
from rtvoice.local.voices import speak
from validation import check_received

Json = dict[str, Any]
PATIENCE_S = 60
COMMAND = (sys.executable, "-m", "rtvoice.local.serve")
GREETING = "listening "


@asynccontextmanager
async def served(*options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server process and its URL; it is gone afterwards."""
    child = await asyncio.create_subprocess_exec(
        *COMMAND, "--while-stdin", *options, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert child.stdout is not None
            line = (await child.stdout.readline()).decode()
            assert line.startswith(f"{GREETING}ws://127.0.0.1:")
            yield child, line.removeprefix(GREETING).strip()
    finally:
        assert child.stdin is not None
        child.stdin.close()
        rest, _ = await child.communicate()
        assert rest == b""


@asynccontextmanager
async def client(url: str) -> AsyncIterator[ClientConnection]:
    async with connect(f"{url}?model=rtvoice-local", compression=None, proxy=None) as websocket:
        assert (await event(websocket))["type"] == "session.created"
        yield websocket


async def event(websocket: ClientConnection) -> Json:
    return check_received(await websocket.recv(), websocket.request)


async def send(websocket: ClientConnection, kind: str, **fields: Any) -> None:
    await websocket.send(json.dumps({"type": kind, **fields}))


async def until(websocket: ClientConnection, *kinds: str) -> list[Json]:
    """Everything up to the first event of these kinds."""
    events = [await event(websocket)]
    while events[-1]["type"] not in kinds:
        events.append(await event(websocket))
    return events


async def append(websocket: ClientConnection, pcm: bytes) -> None:
    """Send it in chunks of 20 ms, as fast as it goes: the server's clock is the audio."""
    for at in range(0, len(pcm), WIRE.size(20)):
        audio = base64.b64encode(pcm[at : at + WIRE.size(20)]).decode()
        await send(websocket, "input_audio_buffer.append", audio=audio)


async def ask(websocket: ClientConnection, text: str) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await send(websocket, "conversation.item.create", item=item)
    await send(websocket, "response.create")


def types(events: list[Json]) -> list[str]:
    """The types in order, runs of deltas as one."""
    found = [(kind, len(list(run))) for kind, run in groupby(event["type"] for event in events)]
    return [kind for kind, count in found for _ in range(1 if kind.endswith("delta") else count)]


def voiced(text: str, voice: str = "slt", silence_ms: int = 1000) -> bytes:
    pcm, hz = speak(text, voice)
    resampler = Resampler(hz, WIRE.hz)
    spoken = np.concatenate((resampler.process(np.frombuffer(pcm, np.int16)), resampler.flush()))
    return spoken.tobytes() + WIRE.silence(silence_ms)


def audio_of(events: list[Json], response_id: str) -> bytes:
    deltas = [one for one in events if one["type"] == "response.output_audio.delta"]
    return b"".join(base64.b64decode(one["delta"]) for one in deltas if one["response_id"] == response_id)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        # The children of another process can't be waited for.
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_a_spoken_question_is_heard_and_answered_aloud() -> None:
    async def talk() -> list[Json]:
        async with served() as (_, url), client(url) as websocket:
            audio = {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}
            await send(websocket, "session.update", session={"type": "realtime", "audio": audio})
            await append(websocket, voiced("what is seven plus five"))
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
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
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
    deltas = [one for one in events if one["type"] == "response.output_audio.delta"]
    sizes = [WIRE.duration_ms(len(base64.b64decode(one["delta"]))) for one in deltas]
    assert all(100 <= size <= 400 for size in sizes[:-1])
    audio = audio_of(events, response["id"])
    assert np.abs(np.frombuffer(audio, np.int16).astype(int)).max() > 3000
    tokens = response["usage"]["output_token_details"]["audio_tokens"]
    assert tokens == -(-WIRE.duration_ms(len(audio)) // 50)


def test_a_story_is_interrupted_by_voice_truncated_and_not_taken_up_again() -> None:
    async def talk() -> tuple[list[Json], list[Json]]:
        async with served() as (_, url), client(url) as websocket:
            await append(websocket, voiced("tell me a long story"))
            before = await until(websocket, "response.output_audio.delta")
            before += await until(websocket, "response.output_audio.delta")
            await append(websocket, voiced("stop", "rms"))
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
    assert len(audio_of(before, cut["id"])) >= WIRE.size(200)
    assert audio_of(after, cut["id"]) == b""
    assert all(one.get("response_id") != cut["id"] for one in after[6:])


def test_speech_comes_faster_than_it_plays() -> None:
    async def talk() -> tuple[float, float]:
        async with served() as (_, url), client(url) as websocket:
            await ask(websocket, f"repeat {'green house river ' * 12}")
            events = await until(websocket, "response.output_audio.delta")
            began = asyncio.get_running_loop().time()
            events += await until(websocket, "response.done")
            took = asyncio.get_running_loop().time() - began
            return WIRE.duration_ms(len(audio_of(events, events[-1]["response"]["id"]))) / 1000, took

    played, took = asyncio.run(talk())
    assert played > 8
    # Five times as fast; a stalled client sees it come faster, a stalled server slower.
    assert played / 10 < took < played


def test_sessions_do_not_disturb_each_other() -> None:
    async def turn(url: str, text: str, voice: str) -> list[str]:
        async with client(url) as websocket:
            transcripts = []
            for _ in range(2):
                await append(websocket, voiced(text, voice))
                done = (await until(websocket, "response.done"))[-1]
                transcripts.append(done["response"]["output"][0]["content"][0]["transcript"])
                await until(websocket, "rate_limits.updated")
            return transcripts

    async def talk() -> list[list[str]]:
        async with served() as (_, url):
            sums = turn(url, "what is two plus three", "slt")
            differences = turn(url, "what is nine minus four", "rms")
            return list(await asyncio.gather(sums, differences, turn(url, "thank you", "slt")))

    sums, differences, thanks = asyncio.run(talk())
    assert sums == ["2 plus 3 is 5."] * 2
    assert differences == ["9 minus 4 is 5."] * 2
    assert thanks == ["You are welcome."] * 2


def test_a_client_that_goes_away_mid_story_leaves_nothing_running() -> None:
    async def talk() -> None:
        async with served() as (child, url):
            async with client(url) as websocket:
                await ask(websocket, "tell me a long story")
                await until(websocket, "response.output_audio.delta")
            # The recogniser stays, for the next session.
            await eventually(lambda: len(children(child.pid)) == 1)
            async with client(url) as websocket:
                await ask(websocket, "hello")
                await until(websocket, "response.done")

    asyncio.run(talk())


def test_other_paths_are_not_found() -> None:
    async def talk() -> int:
        async with served() as (_, url):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(url.replace("/v1/realtime", "/v2/nothing"), proxy=None):
                    pass
            return refused.value.response.status_code

    assert asyncio.run(talk()) == 404


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
            await append(websocket, voiced("hello"))
            await until(websocket, "response.done")
            (worker,) = children(child.pid)
            assert child.stdin is not None
            child.stdin.close()
            return await child.wait(), lives(worker)

    assert asyncio.run(talk()) == (errors.OK, False)


def test_its_worker_ends_even_when_it_is_killed() -> None:
    async def talk() -> None:
        async with served() as (child, url), client(url) as websocket:
            await append(websocket, voiced("hello"))
            await until(websocket, "response.done")
            (worker,) = children(child.pid)
            child.kill()
            await child.wait()
            await eventually(lambda: not lives(worker))

    asyncio.run(talk())


def test_a_recogniser_that_died_is_started_again() -> None:
    async def talk() -> list[str]:
        async with served() as (child, url), client(url) as websocket:
            transcripts = []
            for _ in range(2):
                await append(websocket, voiced("thank you"))
                done = (await until(websocket, "response.done"))[-1]
                transcripts.append(done["response"]["output"][0]["content"][0]["transcript"])
                (worker,) = children(child.pid)
                os.kill(worker, signal.SIGKILL)
                await eventually(lambda: children(child.pid) == [])
            return transcripts

    assert asyncio.run(talk()) == ["You are welcome."] * 2


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    async def run() -> tuple[int | None, str]:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            child = await asyncio.create_subprocess_exec(
                *COMMAND,
                "--port",
                str(port),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, told = await child.communicate()
            return child.returncode, told.decode().replace(str(port), "PORT")

    status, told = asyncio.run(run())
    assert status == errors.UNAVAILABLE
    assert told.startswith("rtvoiced serve: cannot listen on 127.0.0.1:PORT: ")
    assert told.count("\n") == 1
