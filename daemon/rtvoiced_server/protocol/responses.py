"""The responses: one at a time in the default conversation, others beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rtvoiced_server.answers import replies, rules
from rtvoiced_server.answers.replies import CallTools, Fail, Say, Toolbox
from rtvoiced_server.protocol import new_items, schema, tokens, tools
from rtvoiced_server.protocol.conversation import Conversation
from rtvoiced_server.protocol.items import Item
from rtvoiced_server.protocol.response_events import RATE_LIMITS_DELAY_S, Plan, Response, rate_limits
from rtvoiced_server.protocol.state import State
from rtvoiced_server.protocol.wire import Hush, Json, Output, Refused, Send, Speak, new_id
from rtvoiced_server.speech.voices import Utterance

LONGEST_ANSWER = tokens.MOST_OUTPUT * tokens.CHARS_PER_TOKEN + 1
"""Characters: what is longer would only be cut off, by its tokens."""
MOST_ASIDE = 8
"""Responses out of band at a time: each has a voice running."""


class Responses:
    """All responses that are not done."""

    def __init__(self, state: State, clock: Callable[[], datetime]) -> None:
        self._state = state
        self._clock = clock
        self._active: Response | None = None
        """That of the default conversation."""
        self._aside: dict[str, Response] = {}
        """Those out of band, by id."""
        self.audio_sent = False
        """Whether the voice is known by now, and can't be changed."""

    # What the client wants.

    def create(self, told: Json) -> list[Output]:
        """Take a ``response.create``."""
        wanted = told.get("response")
        asked = {} if wanted is None else schema.RESPONSE(wanted, None, "response")
        # LiveKit's client writes null for the instructions that it leaves to the session.
        return self.respond({name: value for name, value in asked.items() if value is not None})

    def cancel(self, told: Json) -> list[Output]:
        """Take a ``response.cancel``."""
        wanted = told.get("response_id")
        response = self._active if wanted is None else self._find(wanted)
        if response is None:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found")
        return self._end(response, "cancelled", "client_cancelled")

    def respond(self, wanted: Json) -> list[Output]:
        """Begin a response that is as *wanted*, or raise `Refused`."""
        aside = wanted.get("conversation") == "none"
        self._check_room(aside=aside)
        plan = self._plan(wanted, aside=aside)
        context, told = self._context(wanted.get("input"))
        awaiting = self._state.recognition.awaited(context)
        conversation: Conversation | None = None if aside else self._state.conversation
        response = Response(plan, context, conversation, awaiting)
        if aside:
            self._aside[response.id] = response
        else:
            self._active = response
            self._state.input.wait_no_more()
        return [*map(Send, response.created()), *told, *self._answer(response)]

    def interrupt(self) -> list[Output]:
        """The user speaks: the response of the default conversation ends, if there is one."""
        return self._end(self._active, "cancelled", "turn_detected") if self._active is not None else []

    # What the recogniser and the voice report.

    def recognised(self, key: str) -> list[Output]:
        """Answer what waited for the words of *key*, which are known by now."""
        outputs: list[Output] = []
        for response in [*([self._active] if self._active else []), *self._aside.values()]:
            if key in response.awaiting:
                response.awaiting.discard(key)
                outputs += self._answer(response)
        return outputs

    def begin_sentence(self, response_id: str, spoken: Utterance) -> list[Output]:
        """Stream the words of the next sentence."""
        response = self._find(response_id)
        return [] if response is None else self._went_on(response, response.sentence(spoken))

    def play(self, response_id: str, pcm: bytes) -> list[Output]:
        """Stream the next audio."""
        response = self._find(response_id)
        if response is None:
            return []
        self.audio_sent = True
        if response.heard_from_ms is None:
            response.heard_from_ms = self._state.input.now_ms
        return self._went_on(response, response.audio(pcm))

    def finish(self, response_id: str) -> list[Output]:
        """Everything is said."""
        response = self._find(response_id)
        if response is None:
            return []
        rest: list[Output] = [*map(Send, response.rest())]
        return rest + self._end_complete(response)

    def fail(self, response_id: str, message: str) -> list[Output]:
        """It could not be said."""
        response = self._find(response_id)
        if response is None:
            return []
        failure = {"type": "server_error", "code": "server_error", "message": message}
        return self._end(response, "failed", failure=failure)

    def _find(self, response_id: object) -> Response | None:
        if self._active is not None and self._active.id == response_id:
            return self._active
        return next((each for each in self._aside.values() if each.id == response_id), None)

    def _check_room(self, *, aside: bool) -> None:
        if aside and len(self._aside) >= MOST_ASIDE:
            message = f"There are {MOST_ASIDE} responses out of band already."
            raise Refused("rate_limit_exceeded", message, "response.conversation")
        if not aside and self._active is not None:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._active.id}. "
                "Wait until the response is finished before creating a new one.",
            )

    def _plan(self, wanted: Json, *, aside: bool) -> Plan:
        settings = self._state.settings | wanted
        if "tool_choice" in wanted:
            tools.check_choice(settings, "response.tool_choice")
        declared, choice = settings["tools"], settings["tool_choice"]
        if not tools.declares(declared, choice):
            # The session's choice is none of the response's own tools.
            choice = "auto"
        output = self._state.settings["audio"]["output"] | wanted.get("audio", {}).get("output", {})
        if self.audio_sent and output["voice"] != self._state.settings["audio"]["output"]["voice"]:
            raise schema.locked_voice("response.audio.output.voice")
        return Plan(
            settings["instructions"],
            settings["output_modalities"][0],
            output["voice"],
            output["format"],
            settings["max_output_tokens"],
            wanted.get("metadata"),
            None if aside else self._state.conversation_id,
            Toolbox(declared, choice, settings.get("parallel_tool_calls", True)),
            rules.exactly(wanted.get("instructions", "")),
        )

    def _context(self, given: list[Json] | None) -> tuple[tuple[Item, ...], list[Output]]:
        """Return what a response answers, and what is to be heard for it.

        That is the conversation so far, or the items that it was *given*.
        """
        if given is None:
            return tuple(self._state.conversation), []
        context = [self._given(item, f"response.input[{n}]") for n, item in enumerate(given)]
        for item in context:
            if self._state.conversation.find(item.id) is not item:
                # Beside the conversation nobody is told of a transcription, and ids need not be its own.
                self._state.recognition.begin(new_id("item"), item, None)
        return tuple(context), [*self._state.hear()]

    def _given(self, item: object, path: str) -> Item:
        if not isinstance(item, dict) or item.get("type") != "item_reference":
            return new_items.created(item, self._state.input_form, path)
        known = self._state.conversation.find(schema.REFERENCE(item, None, path)["id"])
        if known is None:
            raise Refused("invalid_value", f"Item with item_id '{item['id']}' not found.", f"{path}.id")
        return known

    def _answer(self, response: Response) -> list[Output]:
        if response.awaiting:
            return []
        plan = response.plan
        if plan.script:
            return self._say(response, Say(plan.script))
        match replies.reply(response.context, plan.toolbox, self._clock()):
            case Say() as say:
                return self._say(response, say)
            case CallTools(calls):
                outputs: list[Output] = []
                for call in calls:
                    outputs += map(Send, response.call(call))
                    if response.exhausted:
                        break
                return outputs + self._end_complete(response)
            case Fail(failure):
                return self._end(response, "failed", failure=failure)

    def _say(self, response: Response, say: Say) -> list[Output]:
        response.filtered = say.filtered
        text = say.text[:LONGEST_ANSWER]
        outputs: list[Output] = [*map(Send, response.opened())]
        plan = response.plan
        if plan.modality == "text":
            outputs += map(Send, response.sentence(Utterance(text, b"", ())))
            return outputs + self._end_complete(response)
        response.voiced = True
        speed = self._state.settings["audio"]["output"]["speed"]
        return [*outputs, Speak(response.id, text, plan.voice_id, speed)]

    def _went_on(self, response: Response, events: list[Json]) -> list[Output]:
        outputs: list[Output] = [*map(Send, events)]
        return outputs + self._end_complete(response) if response.exhausted else outputs

    def _end_complete(self, response: Response) -> list[Output]:
        """End a response that was neither cancelled nor failed."""
        if response.exhausted:
            return self._end(response, "incomplete", "max_output_tokens")
        if response.filtered:
            return self._end(response, "incomplete", "content_filter")
        return self._end(response)

    def _end(
        self,
        response: Response,
        status: str = "completed",
        reason: str | None = None,
        failure: Json | None = None,
    ) -> list[Output]:
        if response is self._active:
            self._active = None
            self._await_idle(response, played=status in ("completed", "incomplete"))
        self._aside.pop(response.id, None)
        self._state.recognition.forget(response.awaiting)
        ladder = response.done(status, reason, failure)
        spent = ladder[-1]["response"]["usage"]["total_tokens"]
        hush: list[Output] = [Hush(response.id)] if response.voiced and status != "completed" else []
        return [*hush, *map(Send, ladder), Send(rate_limits(spent), RATE_LIMITS_DELAY_S)]

    def _await_idle(self, response: Response, *, played: bool) -> None:
        """Begin to wait for the user: from now, or from the end of the playback if that is later."""
        detection = self._state.turn_detection or {}
        timeout_ms = detection.get("idle_timeout_ms")
        if timeout_ms is None or not detection["create_response"]:
            return
        now_ms = self._state.input.now_ms
        began_ms = now_ms if response.heard_from_ms is None else response.heard_from_ms
        self._state.input.wait(max(now_ms, began_ms + response.audio_ms) if played else now_ms, timeout_ms)
