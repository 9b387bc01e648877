"""What is played in the tests of the playback queue, and what a card gets of it."""

from __future__ import annotations

import time
from threading import Event, Thread

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.playback.queue import PlaybackQueue
from rtvoiced.dsp.pcm import Part, Pcm

HZ = 24_000
A = Part("r1", "i1")
B = Part("r1", "i2")
NEXT = Part("r2", "i3")


def level(ms: float, value: int = 1000, hz: int = HZ) -> bytes:
    """PCM that stays at *value*: any frame of it is told from silence."""
    return np.full(Pcm(hz).frames(ms), value, np.int16).tobytes()


def sine(ms: float, hz: int = HZ, pitch: float = 440.0) -> bytes:
    return (
        (10_000 * np.sin(2 * np.pi * pitch * np.arange(Pcm(hz).frames(ms)) / hz)).astype(np.int16).tobytes()
    )


def samples(pcm: bytes) -> NDArray[np.int32]:
    return np.frombuffer(pcm, np.int16).astype(np.int32)


def take(playback: PlaybackQueue, ms: float) -> NDArray[np.int32]:
    """What the card gets in *ms*, block by block; it plays each at once."""
    blocks = []
    frames = Pcm(playback.hz).frames(ms)
    while frames:
        size = min(frames, Pcm(playback.hz).block)
        blocks.append(samples(playback.take(size)))
        playback.note(0, 0)
        frames -= size
    return np.concatenate(blocks)


def latest_flushes(count: int, rounds: int) -> list[float]:
    """Push and flush so often while a thread takes as a card does.

    Return how long the longest of each round took, in seconds.
    """
    playback, stop = PlaybackQueue(HZ), Event()
    pcm, latest = level(20), [0.0] * rounds

    def take_on() -> None:
        while not stop.is_set():
            playback.take(240)
            playback.note(240, 0)

    thread = Thread(target=take_on)
    thread.start()
    try:
        for number in range(count):
            before = time.monotonic()
            playback.push(A, pcm, HZ)
            if not number % 10:
                playback.hold()
                playback.resume()
            playback.cut()
            round_ = number * rounds // count
            latest[round_] = max(latest[round_], time.monotonic() - before)
    finally:
        stop.set()
        thread.join()
    assert not playback.reports()
    return latest
