"""A client and the world around one session of the embedded server, without a socket."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.audio.processing import SessionAudio
from rtvoiced_server.protocol.outputs import RecogniseAudio, SendToClient, SessionOutput, SpeakText
from rtvoiced_server.protocol.session import ServerSession
from rtvoiced_server.protocol.word_end import WordEnd
from rtvoiced_server.speech.sentences import SpokenSentence, sentences
from rtvoiced_server.vocabulary import SessionKind
from support.speech import said
from support.validation import check_wire

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
Json = dict[str, Any]

ITEM = ["conversation.item.added", "conversation.item.done"]
CREATED = ["input_audio_buffer.committed", *ITEM, "response.created"]
OPENED = ["response.output_item.added", "conversation.item.added", "response.content_part.added"]
CLOSED = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def new_session(model: str = "rtvoice-local", **options: Any) -> ServerSession:
    """A session as a connection has it; it loads a VAD model of its own."""
    return ServerSession(model, lambda: NOW, SessionAudio(), **options)


class Talk:
    """A client and the world around one session: hears and speaks when told to."""

    def __init__(self, kind: SessionKind = SessionKind.REALTIME, **audio_input: Any) -> None:
        self.session = new_session(kind=kind)
        self.todo: list[SessionOutput] = []
        self.told: list[Json] = []
        """All that was sent since the settings."""
        self.take(self.session.open())
        if audio_input:
            self.send("session.update", session=listening(**audio_input))
        self.told.clear()

    def take(self, outputs: Sequence[SessionOutput]) -> list[Json]:
        """Keep what is to be done, return what was sent."""
        self.todo += [output for output in outputs if not isinstance(output, SendToClient)]
        sent = [
            json.loads(json.dumps(output.event)) for output in outputs if isinstance(output, SendToClient)
        ]
        self.told += [check_wire(event, "server") for event in sent]
        return sent

    def update(self, **session: Any) -> list[Json]:
        return self.send("session.update", session={"type": "realtime", **session})

    def updated(self, **session: Any) -> Json:
        """Update the session, and return what it is then."""
        (event,) = self.update(**session)
        assert event["type"] == "session.updated", event
        settings: Json = event["session"]
        return settings

    def add(self, item: Json, **where: Any) -> list[Json]:
        return self.send("conversation.item.create", item=item, **where)

    def send(self, kind: str, **fields: Any) -> list[Json]:
        sent = self.take(self.session.receive(json.dumps({**fields, "type": kind})))
        while self.session.has_work:
            sent += self.take(self.session.work())
        return sent

    def append(self, pcm: bytes) -> list[Json]:
        return self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    def text(self, text: str, **response: Any) -> list[Json]:
        sent = self.send("conversation.item.create", item=message("user", text))
        return sent + self.send("response.create", response=response)

    def hear(self, text: str | None) -> list[Json]:
        return self.take(self.session.on_recognised(self.next(RecogniseAudio).key, text))

    def next(self, kind: type) -> Any:
        assert isinstance(self.todo[0], kind)
        return self.todo.pop(0)

    def speak(self, most: int = 1000, ms: int = 1000) -> tuple[str, list[Json]]:
        """Say *most* sentences of the answer, each *ms* long, its words evenly spread."""
        order = self.next(SpeakText)
        sent: list[Json] = []
        for sentence in sentences(order.text)[:most]:
            words = sentence.split(" ")
            ends = [len(" ".join(words[: n + 1])) for n in range(len(words))]
            marks = tuple(WordEnd((n + 1) * ms // len(words), end) for n, end in enumerate(ends))
            spoken = SpokenSentence(sentence, WIRE.silence(ms), marks)
            sent += self.take(self.session.on_sentence(order.response_id, spoken.text, spoken.word_ends))
            sent += self.take(self.session.on_speech_audio(order.response_id, spoken.pcm))
        return order.response_id, sent

    def finish(self, response_id: str) -> list[Json]:
        return self.take(self.session.on_speech_finished(response_id))

    def answered(self, text: str) -> str:
        """Ask *text*, let it be answered, and return the assistant's item."""
        self.text(text)
        response_id, _ = self.speak()
        done = self.finish(response_id)
        return str(done[-2]["response"]["output"][0]["id"])


def types(events: Sequence[Json]) -> list[str]:
    """The types in order, runs of deltas as one."""
    return [kind for one, run in groupby(event["type"] for event in events) for kind in _shown(one, run)]


def _shown(kind: str, run: Iterator[str]) -> list[str]:
    return [kind] if kind.endswith("delta") else list(run)


def message(role: str, text: str, item_id: str | None = None) -> Json:
    kind = "output_text" if role == "assistant" else "input_text"
    named = {} if item_id is None else {"id": item_id}
    return {**named, "type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def listening(**audio_input: Any) -> Json:
    """A session update of the audio input."""
    return {"type": "realtime", "audio": {"input": audio_input}}


def refusal(events: Sequence[Json]) -> tuple[Any, Any, Any]:
    assert types(events) == ["error"]
    error = events[0]["error"]
    return error["code"], error["param"], error["event_id"]


def voiced(text: str, voice: str = "slt") -> bytes:
    """The user's speech at 24 kHz."""
    return said(text, voice, WIRE.hz)


def turn(text: str, voice: str = "slt") -> bytes:
    """The user's speech as the server's VAD cuts it out: 300 ms before, 500 ms after."""
    return WIRE.silence(300) + voiced(text, voice) + WIRE.silence(500)
