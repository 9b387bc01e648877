"""The models of the embedded server's VAD: loaded once, lent to one session after the other."""

from __future__ import annotations

import numpy as np

from rtvoiced.dsp.pcm import WIRE
from rtvoiced.dsp.vad import VadModel
from rtvoiced_server.audio.processing import SessionAudio
from rtvoiced_server.audio.voice_activity import VadModelPool
from rtvoiced_server.protocol.input_buffer import InputBuffer
from rtvoiced_server.protocol.session_schema import SERVER_VAD

LOUD, SOFT = (np.full(WIRE.frames(500), level, np.int16).tobytes() for level in (20_000, 2_000))


class Memory:
    """Takes everything for speech from the first loud window on, until it is reset."""

    def __init__(self) -> None:
        self._probability = 0.0

    def process_chunk(self, audio: bytes, /) -> float:
        if np.frombuffer(audio, np.int16).max() > 10_000:
            self._probability = 1.0
        return self._probability

    def reset(self) -> None:
        self._probability = 0.0


def found(model: VadModel, audio: bytes) -> list[str]:
    """What a new session with this *model* finds in *audio*."""
    buffer = InputBuffer(SERVER_VAD, SessionAudio(model).detector)
    buffer.append(audio)
    events = []
    while buffer.waiting:
        events += buffer.listen()
    return [type(each).__name__ for each in events]


def test_no_more_models_are_loaded_than_there_were_sessions_at_once() -> None:
    models = VadModelPool()
    with models.lent() as first, models.lent() as second:
        assert first is not second
    with models.lent() as third, models.lent() as fourth:
        assert {id(third), id(fourth)} == {id(first), id(second)}


def test_a_model_remembers_nothing_of_the_session_before() -> None:
    model = Memory()

    assert found(model, LOUD) == ["BufferSpeechStarted"]
    assert found(model, SOFT) == []
