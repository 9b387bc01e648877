"""People who speak to the embedded server over a real WebSocket, and what it heard of them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from websockets.asyncio.client import ClientConnection

from rtvoiced.dsp.pcm import WIRE
from support.serving import Place, send, talking, until
from support.talking import listening, voiced

COMMANDS = (
    "what time is it",
    "what is the date today",
    "what day is it",
    "what is seven plus five",
    "how much is ninety nine times three",
    "what is forty two minus seventeen",
    "tell me a long story",
    "hello computer",
    "good morning",
    "who are you",
    "what is your name",
    "how are you today",
    "what can you do",
    "thank you very much",
    "goodbye",
    "stop talking",
    "be quiet",
    "what did i say before",
    "what did you say",
    "what was my last question",
)
"""Twenty of what docs/server.md says it hears."""
SENTENCES = (
    "the weather in london is rainy and cold",
    "my brother works in a factory near the station",
    "we went to the cinema on saturday night",
    "she sold her bicycle to a friend of mine",
    "the meeting was moved to thursday afternoon",
    "i do not think that this is a good idea",
    "please write a letter to the bank",
    "there is no milk left in the fridge",
)
"""That it is asked to repeat."""
REQUESTS = ("say", "repeat", "repeat after me")
NOISE = 16
"""Its deviation: -66 dB of full scale, a quiet room."""
BEFORE_MS = 100
"""Of the room before a voice."""
PAUSE_MS = 600
"""More than the silence that ends a turn."""
STOPPED = "input_audio_buffer.speech_stopped"
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


@asynccontextmanager
async def speaking(server: Place, **detection: object) -> AsyncIterator[ClientConnection]:
    """A session with server VAD whose client is told what was heard; it answers nothing, unless told to."""
    async with talking(server) as websocket:
        turns = {"type": "server_vad", "create_response": False, **detection}
        update = listening(transcription={"model": "whisper-1"}, turn_detection=turns)
        await send(websocket, "session.update", session=update)
        await until(websocket, "session.updated")
        yield websocket


def uttered(text: str, voice: str) -> bytes:
    """A voice in a room that is not silent, and the pause that ends the turn."""
    pcm = WIRE.silence(BEFORE_MS) + voiced(text, voice) + WIRE.silence(PAUSE_MS)
    samples = np.frombuffer(pcm, np.int16)
    noise = np.random.default_rng(len(pcm)).normal(0, NOISE, len(samples))
    return np.clip(samples + np.rint(noise), -32768, 32767).astype(np.int16).tobytes()


async def heard(websocket: ClientConnection, text: str, voice: str) -> str:
    """Say *text*, in pieces of 20 ms, as fast as it goes; return what was heard, turns parted by a bar."""
    pcm = uttered(text, voice)
    for at in range(0, len(pcm), WIRE.size(20)):
        audio = base64.b64encode(pcm[at : at + WIRE.size(20)]).decode()
        await send(websocket, "input_audio_buffer.append", audio=audio)
    # Its answer comes when all audio before it was listened to.
    await send(websocket, "input_audio_buffer.clear")
    told = await until(websocket, "input_audio_buffer.cleared")
    turns = sum(one["type"] == STOPPED for one in told)
    words = [one["transcript"] for one in told if one["type"] == TRANSCRIBED]
    while len(words) < turns:
        words.append((await until(websocket, TRANSCRIBED))[-1]["transcript"])
    return " | ".join(words)


def words_wrong(said: str, heard: str) -> int:
    """The least number of words to change, leave out or put in that makes *said* of what was *heard*."""
    wanted, got = said.split(), heard.split()
    row = list(range(len(got) + 1))
    for n, word in enumerate(wanted, 1):
        above = row
        row = [n]
        for m, other in enumerate(got, 1):
            row.append(min(above[m] + 1, row[m - 1] + 1, above[m - 1] + (word != other)))
    return row[-1]


@dataclass(frozen=True)
class Repeat:
    """A request to repeat a sentence."""

    request: str
    sentence: str

    @property
    def text(self) -> str:
        """What is said."""
        return f"{self.request} {self.sentence}"

    def wrong(self, heard: str) -> int:
        """How many words of the sentence are wrong in what was *heard*; all without the request."""
        if not heard.startswith(f"{self.request} "):
            return len(self.sentence.split())
        return words_wrong(self.sentence, heard.removeprefix(f"{self.request} "))


REPEATS = tuple(Repeat(REQUESTS[n % len(REQUESTS)], sentence) for n, sentence in enumerate(SENTENCES))
