"""The beta protocol (``OpenAI-Beta: realtime=v1``), put over the GA session at the socket's edge.

`BetaDialect.read` turns a client's message into GA before the session sees it;
`BetaDialect.write` turns each event of the session into what a beta client is told:
one event, several or none. It keeps what only the beta has: the temperatures and
the conversation's id.
"""

from __future__ import annotations

import json
from typing import Any

from rtvoiced_server.beta import shapes
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol.ids import new_id
from rtvoiced_server.protocol.response import TOKENS_A_MINUTE
from rtvoiced_server.protocol.wire import Refused, decoded_event, event
from rtvoiced_server.vocabulary import DialectName, SessionKind

REQUESTS_A_MINUTE = 500
"""The limit of requests that is told beside that of tokens; neither is kept."""
MOST_RESPONSES = 50
"""How many responses' temperatures are kept: more than a session has at a time."""
RENAMED = {
    "response.output_audio.": "response.audio.",
    "response.output_audio_transcript.": "response.audio_transcript.",
    "response.output_text.": "response.text.",
}
"""The beginnings of types of server events: GA's, and the beta's in their place."""
TRANSCRIPTION_UPDATE = "transcription_session.update"
TRANSLATED = ("session.update", TRANSCRIPTION_UPDATE, "conversation.item.create", "response.create")
"""The types of the client's events that aren't the same in both."""


class BetaDialect:
    """Translates one connection, both ways."""

    name = DialectName.BETA

    def __init__(self, kind: SessionKind = SessionKind.REALTIME) -> None:
        """*kind* is that of the session."""
        self._transcribes = kind == SessionKind.TRANSCRIPTION
        self._conversation_id = new_id("conv")
        self._temperature = shapes.TEMPERATURE
        self._asked: float | None = None
        """The temperature in the client's last event: it counts once the session has taken the event."""
        self._of_response: dict[str, float] = {}
        """The temperature of each response, by its id, while it runs."""
        self._tokens: Json = {
            "name": "tokens",
            "limit": TOKENS_A_MINUTE,
            "remaining": TOKENS_A_MINUTE,
            "reset_seconds": 0.0,
        }

    def read(self, message: str | bytes) -> str | bytes:
        """Return the client's *message* as GA, or raise `Refused` in the client's own words."""
        self._asked = None
        try:
            request = decoded_event(message)
        except Refused:
            # The session finds the same, and says so.
            return message
        kind = request.get("type")
        if kind not in TRANSLATED:
            return message
        if kind == "conversation.item.create" and "item" in request:
            request["item"] = shapes.ga_item(request["item"])
        elif kind == "session.update" and "session" in request:
            request["session"], self._asked = shapes.session_update(request["session"])
        elif kind == TRANSCRIPTION_UPDATE and self._transcribes:
            request = {**request, "type": "session.update", **_transcription(request)}
        elif kind == "response.create" and "response" in request:
            request["response"], self._asked = shapes.response_create(request["response"])
        try:
            return json.dumps(request)
        except RecursionError:
            # It nests more deeply than the session takes it, too.
            return message

    def write(self, sent: Json) -> list[Json]:
        """Return what a beta client is told in place of the GA event *sent*."""
        kind: str = sent["type"]
        match kind:
            case "session.created" | "session.updated":
                return self._session(sent)
            case "response.created" | "response.done":
                return self._response(sent)
            case "rate_limits.updated":
                self._tokens = sent["rate_limits"][0]
                return []
            case "conversation.item.done":
                return []
            case "conversation.item.added":
                return [{**sent, "type": "conversation.item.created", "item": shapes.beta_item(sent["item"])}]
            case "conversation.item.retrieved" | "response.output_item.added" | "response.output_item.done":
                return [{**sent, "item": shapes.beta_item(sent["item"])}]
            case "response.function_call_arguments.done":
                return [{key: value for key, value in sent.items() if key != "name"}]
            case "error":
                self._asked = None
                return [{**sent, "error": shapes.beta_error(sent["error"])}]
            case _:
                return [{**sent, "type": _renamed(kind)}]

    def _session(self, sent: Json) -> list[Json]:
        if self._transcribes:
            name = f"transcription_{sent['type']}"
            return [{**sent, "type": name, "session": shapes.beta_transcription(sent["session"])}]
        if sent["type"] == "session.updated" and self._asked is not None:
            self._temperature, self._asked = self._asked, None
        translated = {**sent, "session": shapes.beta_session(sent["session"], self._temperature)}
        if sent["type"] == "session.updated":
            return [translated]
        conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
        return [translated, event("conversation.created", conversation=conversation)]

    def _response(self, sent: Json) -> list[Json]:
        response = sent["response"]
        if sent["type"] == "response.created":
            asked, self._asked = self._asked, None
            self._of_response[response["id"]] = self._temperature if asked is None else asked
            for oldest in list(self._of_response)[:-MOST_RESPONSES]:
                # Its end was never told.
                del self._of_response[oldest]
        temperature = self._of_response.get(response["id"], self._temperature)
        translated = {**sent, "response": shapes.beta_response(response, temperature, self._conversation_id)}
        if sent["type"] == "response.created":
            return [translated, self._rate_limits()]
        self._of_response.pop(response["id"], None)
        return [translated]

    def _rate_limits(self) -> Json:
        requests: dict[str, Any] = {
            "name": "requests",
            "limit": REQUESTS_A_MINUTE,
            "remaining": REQUESTS_A_MINUTE - 1,
            "reset_seconds": 60 / REQUESTS_A_MINUTE,
        }
        return event("rate_limits.updated", rate_limits=[requests, self._tokens])


def _transcription(request: Json) -> Json:
    return {"session": shapes.transcription_update(request["session"])} if "session" in request else {}


def _renamed(kind: str) -> str:
    for ga, beta in RENAMED.items():
        if kind.startswith(ga):
            return beta + kind.removeprefix(ga)
    return kind
