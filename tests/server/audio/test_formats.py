"""The embedded server's audio formats: G.711 by the ITU's values, and streams from and to 24 kHz."""

import base64
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.audio import g711
from rtvoiced_server.audio.converters import StreamDecoder, StreamEncoder
from rtvoiced_server.audio.processing import SessionAudio
from rtvoiced_server.protocol.audio_port import converted
from rtvoiced_server.protocol.formats import FORMATS, PCM, AudioFormat
from rtvoiced_server.protocol.outputs import RecogniseAudio, SendToClient, SpeakText
from rtvoiced_server.vocabulary import AudioEncoding
from support.talking import Json, Talk, listening, refusal, types, voiced

EVERY_CODE = bytes(range(256))
G711 = (AudioEncoding.ULAW, AudioEncoding.ALAW)
AUDIO = SessionAudio()


def tone(hz: int, ms: int = 1000) -> NDArray[np.int16]:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(hz * ms // 1000) / hz)).astype(np.int16)


def written(pcm: bytes, form: AudioFormat) -> bytes:
    return b"".join(converted(AUDIO, pcm, PCM, form))


def read(data: bytes, form: AudioFormat) -> bytes:
    return b"".join(converted(AUDIO, data, form, PCM))


# The values of ITU-T G.711, tables 2a and 2b (µ-law, to 8031 of 14 bits) and 1a and 1b (A-law, to 4032 of
# 13 bits), here of 16 bits: four and eight times as large. Each is the code of a segment's end.
@pytest.mark.parametrize(
    ("code", "sample"),
    list(
        zip(
            (0x80, 0x8F, 0x9F, 0xAF, 0xBF, 0xCF, 0xDF, 0xEF, 0xFE, 0xFF, 0x7F, 0x00, 0x0F, 0x6F),
            (32124, 16764, 8316, 4092, 1980, 924, 396, 132, 8, 0, 0, -32124, -16764, -132),
            strict=True,
        )
    ),
)
def test_ulaw_values(code: int, sample: int) -> None:
    assert g711.ulaw_decode(bytes([code])).tolist() == [sample]


@pytest.mark.parametrize(
    ("code", "sample"),
    list(
        zip(
            (0xD5, 0x55, 0xDA, 0xC5, 0xF5, 0xE5, 0x95, 0x85, 0xB5, 0xA5, 0xAA, 0x2A),
            (8, -8, 248, 264, 528, 1056, 2112, 4224, 8448, 16896, 32256, -32256),
            strict=True,
        )
    ),
)
def test_alaw_values(code: int, sample: int) -> None:
    assert g711.alaw_decode(bytes([code])).tolist() == [sample]


def test_every_code_comes_back() -> None:
    assert g711.alaw_encode(g711.alaw_decode(EVERY_CODE)) == EVERY_CODE
    # µ-law has two zeros; the positive one is sent.
    assert g711.ulaw_encode(g711.ulaw_decode(EVERY_CODE)) == EVERY_CODE.replace(b"\x7f", b"\xff")


@pytest.mark.parametrize(
    ("encode", "decode", "clip"),
    [(g711.ulaw_encode, g711.ulaw_decode, 32635), (g711.alaw_encode, g711.alaw_decode, 32767)],
)
def test_no_sample_is_off_by_more_than_half_a_step_and_louder_stays_louder(
    encode: Any, decode: Any, clip: int
) -> None:
    samples = np.arange(-clip, clip + 1).astype(np.int16)
    coded = decode(encode(samples)).astype(int)
    # A segment of 16 steps begins at 16 of its steps, or at 16.5 of them with the bias of µ-law.
    half_step = np.maximum(8, (np.abs(samples.astype(int)) + 132) / 32)

    assert np.all(np.abs(coded - samples) <= half_step)
    assert np.all(np.diff(coded) >= 0)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_stream_is_as_long_as_what_went_in_however_it_is_cut(name: AudioEncoding) -> None:
    form = FORMATS[name]
    pcm = tone(WIRE.hz, 250).tobytes()
    encoder = StreamEncoder(form)
    cuts = [0, 1, 2, 5, 500, 2001, 2002, 7777, len(pcm)]
    wire = b"".join(encoder.take(pcm[a:b]) for a, b in pairwise(cuts)) + encoder.flush()

    assert wire == written(pcm, form)
    assert form.duration_ms(len(wire)) == 250
    decoder = StreamDecoder(form)
    halves = wire[: form.size(100)], wire[form.size(100) :]
    back = b"".join(map(decoder.take, halves)) + decoder.flush()
    assert back == read(wire, form)
    assert WIRE.duration_ms(len(back)) == 250


@pytest.mark.parametrize("name", G711)
def test_a_tone_survives_the_telephone(name: AudioEncoding) -> None:
    form = FORMATS[name]
    clean, dirty = tone(WIRE.hz), np.frombuffer(read(written(tone(WIRE.hz).tobytes(), form), form), np.int16)
    noise = dirty[1000:-1000].astype(float) - clean[1000:-1000]

    assert 10 * np.log10(np.mean(clean.astype(float) ** 2) / np.mean(noise**2)) > 33


def append(talk: Talk, name: AudioEncoding, pcm: bytes) -> list[Json]:
    """Append *pcm* in the telephone's format, 20 ms a time."""
    wire = written(pcm, FORMATS[name])
    pieces = [wire[at : at + 160] for at in range(0, len(wire), 160)]
    sent: list[Json] = []
    for piece in pieces:
        sent += talk.send("input_audio_buffer.append", audio=base64.b64encode(piece).decode())
    return sent


@pytest.mark.parametrize("name", G711)
def test_a_turn_over_the_telephone(name: AudioEncoding) -> None:
    talk = Talk(format={"type": name})
    sent = append(talk, name, WIRE.silence(1000) + voiced("what time is it") + WIRE.silence(1000))

    assert types(sent)[:3] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]
    started, stopped = sent[0]["audio_start_ms"], sent[1]["audio_end_ms"]
    assert 700 <= started <= 1200
    heard = talk.todo[0]
    assert isinstance(heard, RecogniseAudio)
    # What is recognised is PCM at 24 kHz whatever came.
    assert WIRE.duration_ms(len(heard.audio)) == stopped - started
    item = talk.send("conversation.item.retrieve", item_id=heard.key)[0]["item"]
    assert len(base64.b64decode(item["content"][0]["audio"])) == FORMATS[name].size(stopped - started)


@pytest.mark.parametrize("name", G711)
@pytest.mark.parametrize(("size", "had"), [(799, "99.88"), (80, "10.00")])
def test_the_telephone_may_commit_100_ms_and_no_less(name: AudioEncoding, size: int, had: str) -> None:
    talk = Talk(format={"type": name}, turn_detection=None)
    talk.send("input_audio_buffer.append", audio=base64.b64encode(bytes(size)).decode())
    refused = talk.send("input_audio_buffer.commit")
    assert refused[0]["error"]["message"].endswith(f"buffer only has {had}ms of audio.")

    talk.send("input_audio_buffer.clear")
    talk.send("input_audio_buffer.append", audio=base64.b64encode(bytes(800)).decode())
    assert types(talk.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_the_format_may_change_between_two_appends() -> None:
    talk = Talk(turn_detection=None)
    talk.append(WIRE.silence(60))
    talk.send("session.update", session=listening(format={"type": "audio/pcmu"}))
    talk.send("input_audio_buffer.append", audio=base64.b64encode(bytes(320)).decode())
    talk.send("session.update", session=listening(format={"type": "audio/pcm", "rate": 24000}))
    talk.append(WIRE.silence(10))
    talk.send("input_audio_buffer.commit")

    assert WIRE.duration_ms(len(talk.next(RecogniseAudio).audio)) == 110


def test_audio_that_is_none_is_refused_by_the_name_of_its_format() -> None:
    talk = Talk(format={"type": "audio/pcma"})
    sent = talk.send("input_audio_buffer.append", audio="!")

    assert refusal(sent)[:2] == ("invalid_value", "audio")
    assert "(mono G.711 A-law at 8kHz)" in sent[0]["error"]["message"]


@pytest.mark.parametrize("name", G711)
def test_an_answer_over_the_telephone(name: AudioEncoding) -> None:
    talk = Talk()
    talk.update(audio={"output": {"format": {"type": name}}})
    talk.text("say one two three four")
    response_id, spoken = talk.speak()
    done = talk.finish(response_id)
    deltas = [e["delta"] for e in [*spoken, *done] if e["type"] == "response.output_audio.delta"]

    assert len(b"".join(map(base64.b64decode, deltas))) == 8000
    response = done[-2]["response"]
    assert response["audio"]["output"]["format"] == {"type": name}
    assert response["usage"]["output_token_details"]["audio_tokens"] == 20
    item_id = response["output"][0]["id"]
    refused, truncated = talk.send(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=1001
    )
    assert refused["error"]["message"] == "Audio content of 1000ms is already shorter than 1001ms"
    assert truncated["audio_end_ms"] == 1000
    talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=600)
    part = talk.send("conversation.item.retrieve", item_id=item_id)[0]["item"]["content"][0]
    assert (part["transcript"], len(base64.b64decode(part["audio"]))) == ("one two", 4800)


def test_one_response_may_have_a_format_of_its_own() -> None:
    talk = Talk()
    sent = talk.text("hello", audio={"output": {"format": {"type": "audio/pcmu"}}})
    order = talk.next(SpeakText)
    (delta,) = talk.take(talk.session.on_speech_audio(order.response_id, bytes(4801)))

    assert sent[2]["response"]["audio"]["output"]["format"] == {"type": "audio/pcmu"}
    # 100 ms, less what the resampler holds back; the odd byte waits.
    assert len(base64.b64decode(delta["delta"])) == 800 - 15
    assert json.loads(json.dumps(talk.update()))[0]["session"]["audio"]["output"]["format"] == {
        "type": "audio/pcm",
        "rate": 24000,
    }


def test_pcm_goes_out_as_it_came_odd_or_not() -> None:
    talk = Talk()
    talk.text("hello")
    order = talk.next(SpeakText)
    sent = [
        talk.take(talk.session.on_speech_audio(order.response_id, bytes(size))) for size in (1, 1, 7, 100)
    ]

    assert [len(base64.b64decode(events[0]["delta"])) for events in sent] == [1, 1, 7, 100]


def test_what_is_long_is_done_in_slices_and_in_its_order() -> None:
    session = Talk(format={"type": "audio/pcmu"}, turn_detection=None).session
    minute = base64.b64encode(bytes(60 * 8000)).decode()
    append = json.dumps({"type": "input_audio_buffer.append", "audio": minute})
    assert session.receive(append) == []
    assert session.has_work
    assert session.work() == []

    # Whoever does not wait for it is answered in the order of what was sent, all the same.
    committed, *_, hear = session.receive('{"type": "input_audio_buffer.commit"}')
    assert isinstance(committed, SendToClient)
    assert isinstance(hear, RecogniseAudio)
    assert WIRE.duration_ms(len(hear.audio)) == 60_000
    retrieve = {"type": "conversation.item.retrieve", "item_id": hear.key}
    assert session.receive(json.dumps(retrieve)) == []
    (retrieved, cleared) = session.receive('{"type": "input_audio_buffer.clear"}')
    assert isinstance(retrieved, SendToClient)
    assert isinstance(cleared, SendToClient)
    assert [retrieved.event["type"], cleared.event["type"]] == [
        "conversation.item.retrieved",
        "input_audio_buffer.cleared",
    ]
    assert not session.has_work
