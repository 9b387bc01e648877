"""One session's protocol: client events in, outputs out. No socket, no clock, no process."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rtvoice.audio.pcm import WIRE
from rtvoice.local import checks, rules, schema
from rtvoice.local.hearing import Began, Ended, InputBuffer
from rtvoice.local.items import Conversation, Item, created
from rtvoice.local.messages import announced, appended, decoded, transcribed
from rtvoice.local.responses import RATE_LIMITS_DELAY_S, Response, rate_limits
from rtvoice.local.voices import Utterance
from rtvoice.local.wire import Hear, Hush, Json, Output, Refused, Send, Speak, error, event, new_id

LIFETIME_S = 3_600
MOST_ASIDE = 8
"""Responses out of band at a time: each has a voice running."""


class Session:
    """The state of one connection; every method returns what is to be done, in order."""

    def __init__(self, model: str, clock: Callable[[], datetime], lifetime_s: int = LIFETIME_S) -> None:
        self._clock = clock
        expires_at = int(clock().timestamp()) + lifetime_s
        self._session = schema.default_session(new_id("sess"), model, expires_at)
        self._conversation = Conversation()
        self._conversation_id = new_id("conv")
        self._input = InputBuffer(self._session["audio"]["input"]["turn_detection"])
        self._active: Response | None = None
        """The response of the default conversation."""
        self._aside: dict[str, Response] = {}
        """Responses out of band, by id."""
        self._hearing: dict[str, Json | None] = {}
        """Items that are being recognised, each with the transcription settings of its commit."""
        self._audio_sent = False
        self._events: dict[str, Callable[[Json], list[Output]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete,
            "conversation.item.retrieve": self._retrieve,
            "response.create": self._create_response,
            "response.cancel": self._cancel,
        }

    def open(self) -> list[Output]:
        """Greet the client."""
        return [Send(event("session.created", session=self._session))]

    # What the client sends.

    def receive(self, message: str | bytes) -> list[Output]:
        """Take one message of the client; whatever is wrong with it is an error event."""
        told: Json = {}
        try:
            told = decoded(message)
            kind = told.get("type")
            if not isinstance(kind, str):
                raise Refused("invalid_event", "The 'type' field is missing.", "type")
            if kind not in self._events:
                raise checks.bad_value("type", kind, *self._events)
            return self._events[kind](told)
        except Refused as refused:
            return [Send(error(refused, told.get("event_id")))]

    @property
    def listening(self) -> bool:
        """Whether `listen` has something to do."""
        return self._input.waiting

    def listen(self) -> list[Output]:
        """Look at the next 100 ms of the audio that came."""
        outputs: list[Output] = []
        for found in self._input.listen():
            outputs += self._began(found) if isinstance(found, Began) else self._ended(found)
        return outputs

    # What the recogniser and the voice report.

    def heard(self, item_id: str, text: str | None) -> list[Output]:
        """Take what the recogniser heard in the item's audio; None when it failed."""
        transcription = self._hearing.pop(item_id, None)
        item = self._conversation.find(item_id)
        outputs: list[Output] = []
        if item is not None:
            item.text = text or ""
            if transcription is not None:
                outputs += map(Send, transcribed(item, text, transcription))
        for response in [*([self._active] if self._active else []), *self._aside.values()]:
            if item_id in response.awaiting:
                response.awaiting.discard(item_id)
                outputs += self._answer(response)
        return outputs

    def begin_sentence(self, response_id: str, spoken: Utterance) -> list[Output]:
        """Stream the words of the next sentence."""
        response = self._response(response_id)
        if response is None:
            return []
        return [Send(one) for one in response.text(spoken.text, spoken.marks)]

    def play(self, response_id: str, pcm: bytes) -> list[Output]:
        """Stream the next audio."""
        response = self._response(response_id)
        if response is None:
            return []
        self._audio_sent = True
        return [Send(one) for one in response.audio(pcm)]

    def finish(self, response_id: str) -> list[Output]:
        """Everything is said."""
        response = self._response(response_id)
        return self._end(response) if response is not None else []

    def fail(self, response_id: str, message: str) -> list[Output]:
        """It could not be said."""
        response = self._response(response_id)
        if response is None:
            return []
        return self._end(
            response, "failed", failure={"type": "server_error", "code": "server_error", "message": message}
        )

    # Client events.

    def _update(self, told: Json) -> list[Output]:
        before = self._session["audio"]["input"]["turn_detection"]
        self._session = schema.updated(self._session, told.get("session"), voice_locked=self._audio_sent)
        after = self._session["audio"]["input"]["turn_detection"]
        if after != before:
            self._input.detect(after)
        return [Send(event("session.updated", session=self._session))]

    def _append(self, told: Json) -> list[Output]:
        self._input.append(appended(told.get("audio")))
        return []

    def _commit(self, _: Json) -> list[Output]:
        return self._committed(*self._input.commit())

    def _clear(self, _: Json) -> list[Output]:
        self._input.clear()
        return [Send(event("input_audio_buffer.cleared"))]

    def _create_item(self, told: Json) -> list[Output]:
        item = created(told.get("item"))
        after = checks.optional(checks.string)(told.get("previous_item_id"), None, "previous_item_id")
        if self._conversation.find(item.id) is not None:
            raise Refused(
                "item_create_duplicate_item_id",
                f"Error adding item: an item with id '{item.id}' already exists.",
                "item.id",
            )
        previous = self._conversation.add(
            item, checks.optional(checks.string)(after, None, "previous_item_id")
        )
        return [*map(Send, announced(item, previous))]

    def _truncate(self, told: Json) -> list[Output]:
        item = self._known(told, "truncat", "truncate")
        for name in ("content_index", "audio_end_ms"):
            if name not in told:
                raise checks.missing(name)
            checks.number(0, 1 << 40, whole=True)(told[name], None, name)
        if item.kind != "output_audio" or not (item.ms or item.cut):
            raise Refused(None, "Only model output audio messages can be truncated")
        if told["content_index"] != 0:
            raise Refused("invalid_value", "Only content index 0 can be truncated.", "content_index")
        wanted, ms = told["audio_end_ms"], item.ms
        item.truncate(min(wanted, ms))
        done = event("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=item.ms)
        if wanted <= ms:
            return [Send(done)]
        # The only error that does not say which event it answers; and the item is truncated all the same.
        refused = Refused("invalid_value", f"Audio content of {ms}ms is already shorter than {wanted}ms")
        return [Send(error(refused)), Send(done)]

    def _delete(self, told: Json) -> list[Output]:
        item = self._known(told, "delet", "delete")
        self._conversation.remove(item)
        return [Send(event("conversation.item.deleted", item_id=item.id))]

    def _retrieve(self, told: Json) -> list[Output]:
        item = self._known(told, "retriev", "retrieve")
        return [
            Send(event("conversation.item.retrieved", item=item.wire(audio=base64.b64encode(item.audio))))
        ]

    def _create_response(self, told: Json) -> list[Output]:
        wanted = told.get("response")
        checked: Json = {} if wanted is None else schema.RESPONSE(wanted, None, "response")
        return self._respond(checked)

    def _cancel(self, told: Json) -> list[Output]:
        wanted = told.get("response_id")
        response = self._active if wanted is None else self._response(wanted)
        if response is None:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found")
        return self._end(response, "cancelled", "client_cancelled")

    def _known(self, told: Json, stem: str, name: str) -> Item:
        item_id = told.get("item_id")
        if item_id is None:
            raise checks.missing("item_id")
        item = self._conversation.find(checks.string(item_id, None, "item_id"))
        if item is None:
            message = f"Error {stem}ing item: the item with id '{item_id}' does not exist."
            raise Refused(f"item_{name}_invalid_item_id", message, "item_id")
        return item

    # Turns.

    def _began(self, found: Began) -> list[Output]:
        started = event(
            "input_audio_buffer.speech_started", audio_start_ms=found.start_ms, item_id=found.item_id
        )
        detection = self._session["audio"]["input"]["turn_detection"]
        if self._active is None or not detection["interrupt_response"]:
            return [Send(started)]
        return [Send(started), *self._end(self._active, "cancelled", "turn_detected")]

    def _ended(self, found: Ended) -> list[Output]:
        stopped = event("input_audio_buffer.speech_stopped", audio_end_ms=found.end_ms, item_id=found.item_id)
        outputs: list[Output] = [Send(stopped), *self._committed(found.item_id, found.audio)]
        if not self._session["audio"]["input"]["turn_detection"]["create_response"]:
            return outputs
        try:
            return outputs + self._respond({})
        except Refused as refused:
            # Possible with interrupt_response false only: the answer before is still being made.
            return [*outputs, Send(error(refused))]

    def _committed(self, item_id: str, audio: bytes) -> list[Output]:
        item = Item(item_id, "user", "input_audio", audio=bytearray(audio), ms=WIRE.duration_ms(len(audio)))
        previous = self._conversation.add(item)
        self._hearing[item_id] = self._session["audio"]["input"]["transcription"]
        committed = event("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)
        return [Send(committed), *map(Send, announced(item, previous)), Hear(item_id, audio)]

    # Responses.

    def _response(self, response_id: object) -> Response | None:
        if self._active is not None and self._active.id == response_id:
            return self._active
        return next((each for each in self._aside.values() if each.id == response_id), None)

    def _respond(self, wanted: Json) -> list[Output]:
        aside = wanted.get("conversation") == "none"
        if aside and len(self._aside) >= MOST_ASIDE:
            message = f"There are {MOST_ASIDE} responses out of band already."
            raise Refused("rate_limit_exceeded", message, "response.conversation")
        if not aside and self._active is not None:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        settings = self._session | wanted
        context = self._context(wanted.get("input"))
        response = Response(
            context,
            None if aside else self._conversation,
            None if aside else self._conversation_id,
            settings["instructions"],
            settings["output_modalities"][0],
            self._voice(wanted),
            settings["max_output_tokens"],
            wanted.get("metadata"),
            awaiting={item_id for item_id in self._hearing if context.find(item_id) is not None},
            script=rules.exactly(wanted.get("instructions", "")),
        )
        if aside:
            self._aside[response.id] = response
        else:
            self._active = response
        return [*map(Send, response.created()), *self._answer(response)]

    def _context(self, given: list[Json] | None) -> Conversation:
        """Return what a response answers: the conversation so far, or the items that it was *given*."""
        if given is None:
            return self._conversation
        context = Conversation()
        for n, item in enumerate(given):
            path = f"response.input[{n}]"
            if item.get("type") != "item_reference":
                context.add(created(item, path))
                continue
            known = self._conversation.find(item.get("id"))
            if known is None:
                raise Refused(
                    "invalid_value", f"Item with item_id '{item.get('id')}' not found.", f"{path}.id"
                )
            context.add(known)
        return context

    def _voice(self, wanted: Json) -> Any:
        voice = self._session["audio"]["output"]["voice"]
        chosen = wanted.get("audio", {}).get("output", {}).get("voice", voice)
        if self._audio_sent and chosen != voice:
            raise schema.locked_voice("response.audio.output.voice")
        return chosen

    def _answer(self, response: Response) -> list[Output]:
        if response.awaiting:
            return []
        reply = response.script or self._reply(response)
        outputs: list[Output] = [Send(one) for one in response.opened()]
        if response.modality == "text":
            return [*outputs, *map(Send, response.text(reply)), *self._end(response)]
        voice = response.voice if isinstance(response.voice, str) else response.voice["id"]
        return [*outputs, Speak(response.id, reply, voice, self._session["audio"]["output"]["speed"])]

    def _reply(self, response: Response) -> str:
        text, history = response.context.history()
        return rules.greeting() if text is None else rules.answer(text, history, self._clock())

    def _end(
        self,
        response: Response,
        status: str = "completed",
        reason: str | None = None,
        failure: Json | None = None,
    ) -> list[Output]:
        if response is self._active:
            self._active = None
        self._aside.pop(response.id, None)
        ladder = response.done(status, reason, failure)
        spent = ladder[-1]["response"]["usage"]["total_tokens"]
        hush: list[Output] = [] if status == "completed" else [Hush(response.id)]
        return [*hush, *map(Send, ladder), Send(rate_limits(spent), RATE_LIMITS_DELAY_S)]
