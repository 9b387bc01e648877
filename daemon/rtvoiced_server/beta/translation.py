"""The beta protocol (``OpenAI-Beta: realtime=v1``), put over the GA session at the socket's edge. Pure."""

from __future__ import annotations

import json
from typing import Any

from rtvoiced_server.beta import shapes
from rtvoiced_server.protocol.messages import decoded
from rtvoiced_server.protocol.response_events import TOKENS_A_MINUTE
from rtvoiced_server.protocol.schema import REALTIME, TRANSCRIPTION
from rtvoiced_server.protocol.wire import Json, Refused, event, new_id

REQUESTS_A_MINUTE = 500
"""Told with the tokens' limit, and as little kept."""
MOST_RESPONSES = 50
"""That run at a time, more than a session has."""
RENAMED = {
    "response.output_audio.": "response.audio.",
    "response.output_audio_transcript.": "response.audio_transcript.",
    "response.output_text.": "response.text.",
}
"""Beginnings of types; GA's come first."""
TRANSCRIPTION_UPDATE = "transcription_session.update"
TRANSLATED = ("session.update", TRANSCRIPTION_UPDATE, "conversation.item.create", "response.create")
"""Types of the client's events that aren't the same in both."""


class Beta:
    """Translates both ways; keeps what only the beta has: temperatures, the conversation's id."""

    name = "beta"

    def __init__(self, kind: str = REALTIME) -> None:
        """*kind* is that of the session: ``realtime`` or ``transcription``."""
        self._transcribes = kind == TRANSCRIPTION
        self._conversation_id = new_id("conv")
        self._temperature = shapes.TEMPERATURE
        self._asked: float | None = None
        """The temperature of the client's last event: it counts once the session has taken the event."""
        self._of_response: dict[str, float] = {}
        """While each runs."""
        self._tokens: Json = {
            "name": "tokens",
            "limit": TOKENS_A_MINUTE,
            "remaining": TOKENS_A_MINUTE,
            "reset_seconds": 0.0,
        }

    def read(self, message: str | bytes) -> str | bytes:
        """Return the client's *message* as GA; raises `Refused`."""
        self._asked = None
        try:
            told = decoded(message)
        except Refused:
            # The session finds the same, and says so.
            return message
        kind = told.get("type")
        if kind not in TRANSLATED:
            return message
        if kind == "conversation.item.create" and "item" in told:
            told["item"] = shapes.ga_item(told["item"])
        elif kind == "session.update" and "session" in told:
            told["session"], self._asked = shapes.session_update(told["session"])
        elif kind == TRANSCRIPTION_UPDATE and self._transcribes:
            told = {**told, "type": "session.update", **_transcription(told)}
        elif kind == "response.create" and "response" in told:
            told["response"], self._asked = shapes.response_create(told["response"])
        try:
            return json.dumps(told)
        except RecursionError:
            # It nests more deeply than the session takes it, too.
            return message

    def write(self, one: Json) -> list[Json]:
        """Return what a beta client is told in place of a GA event."""
        kind: str = one["type"]
        match kind:
            case "session.created" | "session.updated":
                return self._session(one)
            case "response.created" | "response.done":
                return self._response(one)
            case "rate_limits.updated":
                self._tokens = one["rate_limits"][0]
                return []
            case "conversation.item.done":
                return []
            case "conversation.item.added":
                return [{**one, "type": "conversation.item.created", "item": shapes.beta_item(one["item"])}]
            case "conversation.item.retrieved" | "response.output_item.added" | "response.output_item.done":
                return [{**one, "item": shapes.beta_item(one["item"])}]
            case "response.function_call_arguments.done":
                return [{key: value for key, value in one.items() if key != "name"}]
            case "error":
                self._asked = None
                return [{**one, "error": shapes.beta_error(one["error"])}]
            case _:
                return [{**one, "type": _renamed(kind)}]

    def _session(self, one: Json) -> list[Json]:
        if self._transcribes:
            name = f"transcription_{one['type']}"
            return [{**one, "type": name, "session": shapes.beta_transcription(one["session"])}]
        if one["type"] == "session.updated" and self._asked is not None:
            self._temperature, self._asked = self._asked, None
        told = {**one, "session": shapes.beta_session(one["session"], self._temperature)}
        if one["type"] == "session.updated":
            return [told]
        conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
        return [told, event("conversation.created", conversation=conversation)]

    def _response(self, one: Json) -> list[Json]:
        response = one["response"]
        if one["type"] == "response.created":
            asked, self._asked = self._asked, None
            self._of_response[response["id"]] = self._temperature if asked is None else asked
            for oldest in list(self._of_response)[:-MOST_RESPONSES]:
                # Its end was never told.
                del self._of_response[oldest]
        temperature = self._of_response.get(response["id"], self._temperature)
        told = {**one, "response": shapes.beta_response(response, temperature, self._conversation_id)}
        if one["type"] == "response.created":
            return [told, self._rate_limits()]
        self._of_response.pop(response["id"], None)
        return [told]

    def _rate_limits(self) -> Json:
        requests: dict[str, Any] = {
            "name": "requests",
            "limit": REQUESTS_A_MINUTE,
            "remaining": REQUESTS_A_MINUTE - 1,
            "reset_seconds": 60 / REQUESTS_A_MINUTE,
        }
        return event("rate_limits.updated", rate_limits=[requests, self._tokens])


def _transcription(told: Json) -> Json:
    return {"session": shapes.transcription_update(told["session"])} if "session" in told else {}


def _renamed(kind: str) -> str:
    for ga, beta in RENAMED.items():
        if kind.startswith(ga):
            return beta + kind.removeprefix(ga)
    return kind
