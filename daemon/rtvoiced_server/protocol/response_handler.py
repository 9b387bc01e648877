"""The events ``response.*``: one response at a time in the default conversation, others beside it.

A response is created by the client, or by a turn that ended. It waits until the
words of everything in its context are known; then the rules
(`rtvoiced_server.answers.replies`) say what it does. A text is spoken outside of
the session (`SpeakText`), whose reports come back here; a response ends when all is
spoken, when its tokens are spent, or when it is cancelled. Responses out of band
(``conversation: "none"``) leave no trace in the conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtvoiced_server.answers import replies, rules
from rtvoiced_server.answers.local_time import LocalTime
from rtvoiced_server.answers.replies import CallTools, FailResponse, SayText, Toolbox
from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import item_schema, session_schema, tokens, tools
from rtvoiced_server.protocol.default_conversation import DefaultConversation
from rtvoiced_server.protocol.ids import new_id
from rtvoiced_server.protocol.items import ConversationEntry, chat_of
from rtvoiced_server.protocol.outputs import SendToClient, SessionOutput, SpeakText, StopSpeaking
from rtvoiced_server.protocol.response import RATE_LIMITS_DELAY_S, ResponsePlan, ServerResponse, rate_limits
from rtvoiced_server.protocol.session_state import SessionState
from rtvoiced_server.protocol.wire import Refused
from rtvoiced_server.protocol.word_end import WordEnd
from rtvoiced_server.vocabulary import Modality, ServerResponseStatus, StatusReason, ToolChoice

LONGEST_ANSWER = tokens.MOST_OUTPUT * tokens.CHARS_PER_TOKEN + 1
"""Characters: 4096 tokens of 4 and one more; what is longer would only be cut off, by its tokens."""
MOST_OUT_OF_BAND = 8
"""How many responses out of band there may be at a time: each has a voice running."""


class SessionResponses:
    """All responses of a session that are not done."""

    def __init__(self, state: SessionState, clock: Callable[[], LocalTime]) -> None:
        self._state = state
        self._clock = clock
        self._active: ServerResponse | None = None
        """The one in the default conversation."""
        self._out_of_band: dict[str, ServerResponse] = {}
        """The others, by id."""
        self.audio_sent = False
        """Whether the client has heard the voice, which can't be changed any more then."""

    # What the client asks for.

    def on_response_create(self, request: Json) -> list[SessionOutput]:
        """Begin the response that the client asks for."""
        given = request.get("response")
        asked = {} if given is None else session_schema.RESPONSE(given, None, "response")
        # LiveKit's client writes null for the instructions that it leaves to the session.
        return self.respond({name: value for name, value in asked.items() if value is not None})

    def on_response_cancel(self, request: Json) -> list[SessionOutput]:
        """Cancel a response: the one in the conversation unless the client names another."""
        named = request.get("response_id")
        response = self._active if named is None else self._find(named)
        if response is None:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found")
        return self._end(response, ServerResponseStatus.CANCELLED, StatusReason.CLIENT_CANCELLED)

    def respond(self, wanted: Json) -> list[SessionOutput]:
        """Begin a response that is as *wanted*, or raise `Refused`."""
        out_of_band = wanted.get("conversation") == "none"
        self._check_room(out_of_band=out_of_band)
        plan = self._plan(wanted, out_of_band=out_of_band)
        context, recognitions = self._context(wanted.get("input"))
        awaiting = self._state.recognition.awaited(context)
        conversation: DefaultConversation | None = None if out_of_band else self._state.conversation
        response = ServerResponse(plan, self._state.audio, context, conversation, awaiting)
        if out_of_band:
            self._out_of_band[response.id] = response
        else:
            self._active = response
            self._state.input.wait_no_more()
        return [*map(SendToClient, response.created()), *recognitions, *self._answer(response)]

    def interrupt(self) -> list[SessionOutput]:
        """End the response in the default conversation, if there is one: the user speaks."""
        if self._active is None:
            return []
        return self._end(self._active, ServerResponseStatus.CANCELLED, StatusReason.TURN_DETECTED)

    # What the recogniser and the voice report.

    def on_recognised(self, key: str) -> list[SessionOutput]:
        """Answer what waited for the words of *key*, which are known by now."""
        outputs: list[SessionOutput] = []
        for response in [*([self._active] if self._active else []), *self._out_of_band.values()]:
            if key in response.awaiting:
                response.awaiting.discard(key)
                outputs += self._answer(response)
        return outputs

    def on_sentence(self, response_id: str, words: str, word_ends: Sequence[WordEnd]) -> list[SessionOutput]:
        """Stream the words of the next sentence."""
        response = self._find(response_id)
        return [] if response is None else self._went_on(response, response.sentence(words, word_ends))

    def on_speech_audio(self, response_id: str, pcm: bytes) -> list[SessionOutput]:
        """Stream the next audio."""
        response = self._find(response_id)
        if response is None:
            return []
        self.audio_sent = True
        if response.audio_from_ms is None:
            response.audio_from_ms = self._state.input.now_ms
        return self._went_on(response, response.audio(pcm))

    def on_speech_finished(self, response_id: str) -> list[SessionOutput]:
        """End a response of which everything is said."""
        response = self._find(response_id)
        if response is None:
            return []
        rest: list[SessionOutput] = [*map(SendToClient, response.rest())]
        return rest + self._end_complete(response)

    def on_speech_failed(self, response_id: str, message: str) -> list[SessionOutput]:
        """End a response that could not be said, for the reason *message*."""
        response = self._find(response_id)
        if response is None:
            return []
        failure = {"type": "server_error", "code": "server_error", "message": message}
        return self._end(response, ServerResponseStatus.FAILED, failure=failure)

    def _find(self, response_id: object) -> ServerResponse | None:
        if self._active is not None and self._active.id == response_id:
            return self._active
        return next((each for each in self._out_of_band.values() if each.id == response_id), None)

    def _check_room(self, *, out_of_band: bool) -> None:
        if out_of_band and len(self._out_of_band) >= MOST_OUT_OF_BAND:
            message = f"There are {MOST_OUT_OF_BAND} responses out of band already."
            raise Refused("rate_limit_exceeded", message, "response.conversation")
        if not out_of_band and self._active is not None:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._active.id}. "
                "Wait until the response is finished before creating a new one.",
            )

    def _plan(self, wanted: Json, *, out_of_band: bool) -> ResponsePlan:
        settings = self._state.settings | wanted
        if "tool_choice" in wanted:
            tools.check_choice(settings, "response.tool_choice")
        declared, choice = settings["tools"], settings["tool_choice"]
        if not tools.declares(declared, choice):
            # The session's choice is none of the response's own tools.
            choice = ToolChoice.AUTO
        output = self._state.settings["audio"]["output"] | wanted.get("audio", {}).get("output", {})
        if self.audio_sent and output["voice"] != self._state.settings["audio"]["output"]["voice"]:
            raise session_schema.locked_voice("response.audio.output.voice")
        return ResponsePlan(
            settings["instructions"],
            Modality(settings["output_modalities"][0]),
            output["voice"],
            output["format"],
            settings["max_output_tokens"],
            wanted.get("metadata"),
            None if out_of_band else self._state.conversation_id,
            Toolbox(declared, choice, settings.get("parallel_tool_calls", True)),
            rules.words_to_say_exactly(wanted.get("instructions", "")),
        )

    def _context(self, given: list[Json] | None) -> tuple[tuple[ConversationEntry, ...], list[SessionOutput]]:
        """Return what a response answers, and what has to be recognised for it.

        It answers the conversation so far, or the items that it was *given*.
        """
        if given is None:
            return tuple(self._state.conversation), []
        context = [self._given(item, f"response.input[{n}]") for n, item in enumerate(given)]
        for item in context:
            if self._state.conversation.find(item.id) is not item:
                # Beside the conversation nobody is told of a transcription, and ids need not be its own.
                self._state.recognition.begin(new_id("item"), item, None)
        return tuple(context), [*self._state.recognitions()]

    def _given(self, item: object, path: str) -> ConversationEntry:
        if not isinstance(item, dict) or item.get("type") != "item_reference":
            return item_schema.checked_item(item, self._state.input_format, path)
        known = self._state.conversation.find(session_schema.REFERENCE(item, None, path)["id"])
        if known is None:
            raise Refused("invalid_value", f"Item with item_id '{item['id']}' not found.", f"{path}.id")
        return known

    def _answer(self, response: ServerResponse) -> list[SessionOutput]:
        if response.awaiting:
            return []
        plan = response.plan
        if plan.script:
            return self._say(response, SayText(plan.script))
        match replies.answer_plan(chat_of(response.context), plan.toolbox, self._clock()):
            case SayText() as say:
                return self._say(response, say)
            case CallTools(calls):
                outputs: list[SessionOutput] = []
                for call in calls:
                    outputs += map(SendToClient, response.call(call))
                    if response.exhausted:
                        break
                return outputs + self._end_complete(response)
            case FailResponse(failure):
                return self._end(response, ServerResponseStatus.FAILED, failure=failure)

    def _say(self, response: ServerResponse, say: SayText) -> list[SessionOutput]:
        response.filtered = say.filtered
        text = say.text[:LONGEST_ANSWER]
        outputs: list[SessionOutput] = [*map(SendToClient, response.opened())]
        plan = response.plan
        if plan.modality == Modality.TEXT:
            outputs += map(SendToClient, response.sentence(text))
            return outputs + self._end_complete(response)
        response.voiced = True
        speed = self._state.settings["audio"]["output"]["speed"]
        return [*outputs, SpeakText(response.id, text, plan.voice_id, speed)]

    def _went_on(self, response: ServerResponse, events: list[Json]) -> list[SessionOutput]:
        outputs: list[SessionOutput] = [*map(SendToClient, events)]
        return outputs + self._end_complete(response) if response.exhausted else outputs

    def _end_complete(self, response: ServerResponse) -> list[SessionOutput]:
        """End a response that was neither cancelled nor failed."""
        if response.exhausted:
            return self._end(response, ServerResponseStatus.INCOMPLETE, StatusReason.MAX_OUTPUT_TOKENS)
        if response.filtered:
            return self._end(response, ServerResponseStatus.INCOMPLETE, StatusReason.CONTENT_FILTER)
        return self._end(response)

    def _end(
        self,
        response: ServerResponse,
        status: ServerResponseStatus = ServerResponseStatus.COMPLETED,
        reason: StatusReason | None = None,
        failure: Json | None = None,
    ) -> list[SessionOutput]:
        if response is self._active:
            self._active = None
            self._await_idle(
                response, played=status in (ServerResponseStatus.COMPLETED, ServerResponseStatus.INCOMPLETE)
            )
        self._out_of_band.pop(response.id, None)
        self._state.recognition.forget(response.awaiting)
        events = response.done(status, reason, failure)
        spent = events[-1]["response"]["usage"]["total_tokens"]
        stop: list[SessionOutput] = []
        if response.voiced and status != ServerResponseStatus.COMPLETED:
            stop.append(StopSpeaking(response.id))
        return [*stop, *map(SendToClient, events), SendToClient(rate_limits(spent), RATE_LIMITS_DELAY_S)]

    def _await_idle(self, response: ServerResponse, *, played: bool) -> None:
        """Begin to wait for the user: from now, or from the end of the playback if that is later."""
        detection = self._state.turn_detection or {}
        timeout_ms = detection.get("idle_timeout_ms")
        if timeout_ms is None or not detection["create_response"]:
            return
        now_ms = self._state.input.now_ms
        began_ms = now_ms if response.audio_from_ms is None else response.audio_from_ms
        self._state.input.wait(max(now_ms, began_ms + response.audio_ms) if played else now_ms, timeout_ms)
