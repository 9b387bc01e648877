"""The events ``conversation.item.*``: what a client does with the items of the default conversation.

An item that is shown again has its audio in the session's formats; converting it
is done in slices (`SessionState.work`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from rtvoiced_server.json_text import Json
from rtvoiced_server.protocol import checks, item_schema
from rtvoiced_server.protocol.audio_port import converted
from rtvoiced_server.protocol.content_parts import InputAudioPart, OutputAudioPart
from rtvoiced_server.protocol.formats import PCM
from rtvoiced_server.protocol.ids import new_id
from rtvoiced_server.protocol.items import (
    ConversationEntry,
    FunctionCallOutputItem,
    MessageItem,
    item_added_events,
)
from rtvoiced_server.protocol.outputs import SendToClient, SessionOutput
from rtvoiced_server.protocol.session_state import SessionState
from rtvoiced_server.protocol.wire import Refused, error_event, event


class ItemHandler:
    """Handles the events ``conversation.item.*``."""

    def __init__(self, state: SessionState) -> None:
        self._state = state

    def on_conversation_item_create(self, request: Json) -> list[SessionOutput]:
        """Add an item, at any place."""
        item = item_schema.checked_item(request.get("item"), self._state.input_format)
        after = checks.optional(checks.string)(request.get("previous_item_id"), None, "previous_item_id")
        if isinstance(item, FunctionCallOutputItem) and not self._state.conversation.called(item.call_id):
            message = f"Tool call ID '{item.call_id}' not found in conversation."
            raise Refused("invalid_tool_call_id", message)
        previous = self._state.conversation.add(item, after)
        events = item_added_events(item, previous)
        # The client may delete the item and give its id to another: its audio is known by an id of its own.
        events += self._state.recognition.begin(new_id("item"), item, self._state.transcription)
        return [*map(SendToClient, events), *self._state.recognitions()]

    def on_conversation_item_truncate(self, request: Json) -> list[SessionOutput]:
        """Forget the end of an answer that nobody heard."""
        item = self._known(request, "truncat", "truncate")
        for name in ("content_index", "audio_end_ms"):
            if name not in request:
                raise checks.missing(name)
            checks.number(0, 1 << 40, whole=True)(request[name], None, name)
        part = item.output_audio if isinstance(item, MessageItem) else None
        if part is None or not (part.ms or part.cut):
            raise Refused(None, "Only model output audio messages can be truncated")
        if request["content_index"] != 0:
            raise Refused("invalid_value", "Only content index 0 can be truncated.", "content_index")
        wanted, ms = request["audio_end_ms"], part.ms
        part.truncate(min(wanted, ms))
        done = event("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=part.ms)
        if wanted <= ms:
            return [SendToClient(done)]
        # The only error that does not say which event it answers. The item is truncated all the same.
        refused = Refused("invalid_value", f"Audio content of {ms}ms is already shorter than {wanted}ms")
        return [SendToClient(error_event(refused)), SendToClient(done)]

    def on_conversation_item_delete(self, request: Json) -> list[SessionOutput]:
        """Take an item out."""
        item = self._known(request, "delet", "delete")
        self._state.conversation.remove(item)
        return [SendToClient(event("conversation.item.deleted", item_id=item.id))]

    def on_conversation_item_retrieve(self, request: Json) -> list[SessionOutput]:
        """Show an item again, with its audio as it was heard."""
        self._state.work.append(self._shown(self._known(request, "retriev", "retrieve")))
        return []

    def _shown(self, item: ConversationEntry) -> Iterator[list[SessionOutput]]:
        shown = item.wire()
        for n, part in enumerate(item.parts if isinstance(item, MessageItem) else ()):
            match part:
                case InputAudioPart() if part.audio:
                    pieces = converted(self._state.audio, part.audio, part.format, self._state.input_format)
                case OutputAudioPart() if part.audio:
                    pieces = converted(self._state.audio, bytes(part.audio), PCM, self._state.output_format)
                case _:
                    continue
            audio = bytearray()
            for piece in pieces:
                audio += piece
                yield []
            shown["content"][n]["audio"] = base64.b64encode(audio).decode()
        yield [SendToClient(event("conversation.item.retrieved", item=shown))]

    def _known(self, request: Json, stem: str, name: str) -> ConversationEntry:
        item_id = request.get("item_id")
        if item_id is None:
            raise checks.missing("item_id")
        item = self._state.conversation.find(checks.string(item_id, None, "item_id"))
        if item is None:
            message = f"Error {stem}ing item: the item with id '{item_id}' does not exist."
            raise Refused(f"item_{name}_invalid_item_id", message, "item_id")
        return item
