"""The design that rtvoice is measured beside, as articles and demos build it, with nothing added.

A thread reads the microphone and queues each block as base64; a thread sends
them as `input_audio_buffer.append`; the connection's deltas are decoded and
queued; a thread writes each to the speaker, blocking. `speech_started` empties
the queue. What such programs do not have is not here either: no truncation, no
second connection, nothing against the echo.

    python article.py ws://127.0.0.1:PORT/…
"""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import pyaudio
from websockets import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

HZ = 24_000
CHUNK = 480
"""Frames of a block, and of PortAudio's buffers: 20 ms, the least that they have; 43 and 100 are as common.

So it is as quick as it can be, and sends as often as rtvoice does, which makes their CPU comparable.
"""
DELTAS = ("response.output_audio.delta", "response.audio.delta")
SESSION = {
    "type": "realtime",
    "instructions": "You are a helpful voice assistant.",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": HZ},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 500,
            },
        },
        "output": {"format": {"type": "audio/pcm", "rate": HZ}, "voice": "marin"},
    },
}


def record(stream: Any, blocks: SimpleQueue[str]) -> None:
    """The microphone's thread."""
    while True:
        blocks.put(base64.b64encode(stream.read(CHUNK, exception_on_overflow=False)).decode("ascii"))


def send(connection: ClientConnection, blocks: SimpleQueue[str]) -> None:
    """The sender's thread."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.send(json.dumps({"type": "input_audio_buffer.append", "audio": blocks.get()}))


def play(stream: Any, answer: SimpleQueue[bytes]) -> None:
    """The speaker's thread."""
    while True:
        stream.write(answer.get())


def receive(connection: ClientConnection, answer: SimpleQueue[bytes]) -> None:
    """Queue what is to be heard until the server has left."""
    for message in connection:
        event = json.loads(message)
        if event["type"] in DELTAS:
            answer.put(base64.b64decode(event["delta"]))
        elif event["type"] == "input_audio_buffer.speech_started":
            with contextlib.suppress(Empty):
                while True:
                    answer.get_nowait()


def main(url: str) -> None:
    """Talk to the server at *url* until it leaves."""
    audio = pyaudio.PyAudio()
    form = {"format": pyaudio.paInt16, "channels": 1, "rate": HZ, "frames_per_buffer": CHUNK}
    microphone, speaker = audio.open(input=True, **form), audio.open(output=True, **form)
    blocks: SimpleQueue[str] = SimpleQueue()
    answer: SimpleQueue[bytes] = SimpleQueue()
    with connect(url, proxy=None, compression=None, max_size=None) as connection:
        connection.send(json.dumps({"type": "session.update", "session": SESSION}))
        for work, *of in ((record, microphone, blocks), (send, connection, blocks), (play, speaker, answer)):
            Thread(target=work, args=of, daemon=True).start()
        receive(connection, answer)


if __name__ == "__main__":
    main(sys.argv[1])
