"""The recogniser pool: what was said, by recognisers in processes of their own."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.speech.recogniser import RecognisedSpeech, RecogniserTask
from rtvoiced_server.speech.recogniser_pool import RecogniserPool
from rtvoiced_server.speech.recogniser_process import ProcessPool, RecogniserProcess
from support.talking import turn

pytestmark = pytest.mark.process

PATIENCE_S = 60
ECHO = """
import json, os, sys
sys.stdin = sys.stdin.buffer
while line := sys.stdin.readline():
    asked = json.loads(line)
    sys.stdin.read(asked["size"])
    if "die" in asked["phrases"]:
        sys.exit(1)
    print(json.dumps({"words": f"{os.getpid()}", "open_ms": None}), flush=True)
"""
"""A worker that hrecognisers its own pid, and dies when it is asked to."""


@asynccontextmanager
async def listening(recognisers: RecogniserPool) -> AsyncIterator[RecogniserPool]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield recognisers
    finally:
        await recognisers.close()


def echoing(size: int) -> ProcessPool:
    return ProcessPool(size, (sys.executable, "-c", ECHO))


def broken() -> ProcessPool:
    return ProcessPool(1, (sys.executable, "-c", "pass"))


async def pid_of(pool: ProcessPool, *phrases: str) -> str | None:
    heard = await pool.ask({"ask": RecogniserTask.COMMANDS, "phrases": phrases}, b"")
    return heard.words if heard is not None else None


def test_commands_names_and_anything_behind_say() -> None:
    async def ask() -> list[str | None]:
        async with listening(RecogniserPool()) as recognisers:
            await recognisers.warm_up()
            return [
                await recognisers.recognise(turn("hello")),
                await recognisers.recognise(turn("get weather"), ("get weather",)),
                await recognisers.recognise(turn("say the museum is closed on monday", "rms")),
                await recognisers.recognise(turn("the museum is closed on monday")),
                await recognisers.recognise(turn("say")),
                await recognisers.recognise(b""),
            ]

    said = ["hello", "get weather", "say the museum is closed on monday", "", "say", ""]
    assert asyncio.run(ask()) == said


def test_without_a_language_model_the_small_vocabulary_is_repeated() -> None:
    async def ask() -> list[str | None]:
        async with listening(RecogniserPool(dictation=broken())) as recognisers:
            return [
                await recognisers.recognise(turn("repeat after me green house river")),
                await recognisers.recognise(turn("stop")),
            ]

    assert asyncio.run(ask()) == ["repeat after me green house river", "stop"]


def test_a_broken_recogniser_is_told() -> None:
    async def ask() -> str | None:
        async with listening(RecogniserPool(commands=broken())) as recognisers:
            return await recognisers.recognise(WIRE.silence(500))

    assert asyncio.run(ask()) is None


def test_answers_come_in_order_past_a_question_that_was_cancelled() -> None:
    async def ask() -> list[str | None]:
        async with listening(RecogniserPool(commands=ProcessPool(1))) as recognisers:
            heard = [await recognisers.recognise(turn("hello"))]
            given_up = asyncio.create_task(recognisers.recognise(turn("what time is it")))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.wait([given_up])
            return heard + await asyncio.gather(
                *(recognisers.recognise(turn(text)) for text in ("stop", "thank you"))
            )

    assert asyncio.run(ask()) == ["hello", "stop", "thank you"]


def test_two_workers_answer_at_once_and_a_third_question_waits() -> None:
    async def ask() -> tuple[list[str | None], list[str | None]]:
        pool = echoing(2)
        try:
            together = await asyncio.gather(*(pid_of(pool) for _ in range(3)))
            return together, [await pid_of(pool) for _ in range(3)]
        finally:
            await pool.close()

    together, alone = asyncio.run(ask())
    assert len(set(together)) == 2
    assert len(set(alone)) == 1


def test_a_worker_that_died_is_started_again() -> None:
    async def ask() -> tuple[str | None, str | None, str | None]:
        pool = echoing(1)
        try:
            return await pid_of(pool), await pid_of(pool, "die"), await pid_of(pool)
        finally:
            await pool.close()

    first, died, again = asyncio.run(ask())
    assert died is None
    assert None not in (first, again)
    assert first != again


def test_a_program_that_is_not_there_is_none() -> None:
    async def ask() -> RecognisedSpeech | None:
        return await RecogniserProcess(["/nonexistent/program"]).ask(
            {"ask": RecogniserTask.COMMANDS, "phrases": []}, b""
        )

    assert asyncio.run(ask()) is None


@pytest.mark.parametrize("asked", [{"ask": RecogniserTask.COMMANDS, "phrases": []}])
def test_a_pool_that_is_closed_answers_first(asked: dict[str, object]) -> None:
    async def ask() -> RecognisedSpeech | None:
        pool = echoing(1)
        question = asyncio.create_task(pool.ask(asked, b""))
        await asyncio.sleep(0)
        await pool.close()
        assert question.done()
        return await question

    assert asyncio.run(ask()) is not None
