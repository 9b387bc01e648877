"""Measures how the embedded server hears and answers (`make bench`); ``--short`` writes nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection

from bench.table import Row, machine, printed, write
from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.speech.word_times import AUDIBLE
from support.measuring import percentile
from support.serving import send, served
from support.speaking import COMMANDS, REPEATS, heard, speaking, uttered
from support.talking import voiced

ASKED = ("what time is it", "what is seven plus five", "thank you very much", "how are you today")
"""All are answered in a sentence."""
VOICES = ("slt", "rms", "awb", "kal16")
SESSIONS = 5
PIECE_MS = 20
PIECE = WIRE.size(PIECE_MS)
ANSWER_MS = 250
ONSET_MS = 100
DELAY_MS = 200
RIGHT_PERCENT = 95
TEXT = f"""\
The server runs in a process of its own, its clients in another, over a real WebSocket. Audio is sent as a
microphone gives it, {PIECE_MS} ms at a time, with a noise of -66 dB; a voice begins where its first sample is
louder than -40 dB. Of {SESSIONS} sessions all say the same at the same moment and want their answers at once;
how much later they come is told beside the median of one session, for the same question. Voices are
flite's. Of what is to be repeated the request itself is not counted; all words are wrong where it was not
understood."""
PATIENCE_S = 1_800.0


@dataclass(frozen=True)
class Size:
    """How much of each is done."""

    rounds: int
    """In which each question is asked once, by one session and by all."""
    commands: int
    repeats: int


WHOLE = Size(rounds=5, commands=len(COMMANDS), repeats=len(REPEATS))
SHORT = Size(rounds=1, commands=3, repeats=2)


@dataclass(frozen=True)
class Answered:
    """How long it took, in milliseconds."""

    started_ms: float
    """From the voice's onset until its client knew of it."""
    answer_ms: float
    """From when its client knew that the voice had ended until the first audio of the answer came."""


async def asked(websocket: ClientConnection, pcm: bytes) -> Answered:
    """Send *pcm*, and silence after it, as time goes by, until it is answered."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    sender = asyncio.create_task(_stream(websocket, pcm, begun))
    at: dict[str, float] = {}
    try:
        while "response.done" not in at:
            told: dict[str, Any] = json.loads(await websocket.recv())
            assert told["type"] != "error", told
            at.setdefault(told["type"], loop.time())
    finally:
        sender.cancel()
        await asyncio.wait([sender])
    onset_ms = WIRE.ms_of_frames(
        int(np.argmax(np.abs(np.frombuffer(pcm, np.int16).astype(np.int32)) > AUDIBLE))
    )
    started_ms = (at["input_audio_buffer.speech_started"] - begun) * 1000 - onset_ms
    answer_ms = (at["response.output_audio.delta"] - at["input_audio_buffer.speech_stopped"]) * 1000
    return Answered(started_ms, answer_ms)


async def _stream(websocket: ClientConnection, pcm: bytes, begun: float) -> None:
    """Send each piece when a microphone has it, which is at its end."""
    loop = asyncio.get_running_loop()
    sent = 0
    while True:
        piece = pcm[sent : sent + PIECE].ljust(PIECE, b"\0")
        sent += PIECE
        await asyncio.sleep(begun + WIRE.duration_ms(sent) / 1000 - loop.time())
        await send(websocket, "input_audio_buffer.append", audio=base64.b64encode(piece).decode())


async def answers(url: str, size: Size) -> list[Row]:
    """Ask by one session, and by five at once."""
    alone: dict[str, list[Answered]] = defaultdict(list)
    together: dict[str, list[Answered]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(speaking(url, create_response=True)) for _ in range(SESSIONS)
        ]
        for number in range(size.rounds + 1):
            for question in ASKED:
                pcm = uttered(question, "slt")
                one = [await asked(sessions[number % SESSIONS], pcm)]
                all_at_once = await asyncio.gather(*(asked(each, pcm) for each in sessions))
                # Of the first round everything is new to the server, and to the disk's cache.
                if number:
                    alone[question] += one
                    together[question] += all_at_once
    usual = {question: percentile([one.answer_ms for one in took], 50) for question, took in alone.items()}
    later = [one.answer_ms - usual[question] for question, took in together.items() for one in took]
    return [
        _most("voice in the audio → `speech_started`", [one.started_ms for one in _all(alone)], ONSET_MS, 95),
        _most(
            "`speech_stopped` → first audio of the answer",
            [one.answer_ms for one in _all(alone)],
            ANSWER_MS,
            50,
        ),
        Row(
            f"the same, {SESSIONS} sessions at the same moment",
            "ms",
            "",
            [one.answer_ms for one in _all(together)],
        ),
        _most(f"later than in one session, {SESSIONS} at the same moment", later, DELAY_MS, 100),
        Row(
            f"voice in the audio → `speech_started`, {SESSIONS} sessions",
            "ms",
            "",
            [one.started_ms for one in _all(together)],
        ),
    ]


def _all(took: dict[str, list[Answered]]) -> list[Answered]:
    return [one for each in took.values() for one in each]


def _most(name: str, values: Sequence[float], limit: float, percent: int) -> Row:
    word = {50: "median", 95: "p95", 100: "max"}[percent]
    return Row(name, "ms", f"{word} ≤ {limit:g}", values, percentile(values, percent) <= limit)


async def words(url: str, size: Size) -> list[Row]:
    """Say all commands and all that is to be repeated, in each voice."""
    commands, repeats = COMMANDS[: size.commands], REPEATS[: size.repeats]
    rows = []
    wrong = total = 0
    for voice in VOICES:
        async with speaking(url) as websocket:
            right = 0
            for command in commands:
                got = await heard(websocket, command, voice)
                right += got == command
                if got != command:
                    print(f"{voice}: {command!r} was heard as {got!r}", file=sys.stderr)
            for each in repeats:
                wrong += each.wrong(await heard(websocket, each.text, voice))
                total += len(each.sentence.split())
        percent = 100 * right / len(commands)
        name = f"commands heard right, of {len(commands)}: {voice}"
        rows.append(Row(name, "%", f"≥ {RIGHT_PERCENT}", [percent], percent >= RIGHT_PERCENT))
    rows.append(Row(f"words to be repeated heard wrong, of {total}", "%", "", [100 * wrong / total]))
    return rows


async def measured(size: Size) -> list[Row]:
    """Return all rows."""
    for text in (*ASKED, *COMMANDS[: size.commands], *(each.text for each in REPEATS[: size.repeats])):
        for voice in VOICES:
            # Made before, and kept.
            voiced(text, voice)
    rows: list[Row] = []
    async with served(patience_s=PATIENCE_S) as (_, url):
        for measure in (answers, words):
            print(f"{measure.__name__} …", file=sys.stderr, flush=True)
            rows += await measure(url, size)
    return rows


def main() -> int:
    """Measure all, print the table, write the page; 1 where a target is missed."""
    short = "--short" in sys.argv
    rows = asyncio.run(measured(SHORT if short else WHOLE))
    print(f"\n{machine()}\n\n{printed(rows)}")
    if not short:
        write("server", "The embedded server", rows, TEXT)
    return int(any(row.kept is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
