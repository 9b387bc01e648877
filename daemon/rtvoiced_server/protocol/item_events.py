"""What a client does with the items of the default conversation."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from rtvoiced_server.protocol import checks, new_items
from rtvoiced_server.protocol.formats import PCM, converted
from rtvoiced_server.protocol.items import CallOutput, Item, Message
from rtvoiced_server.protocol.messages import announced
from rtvoiced_server.protocol.parts import Heard, Spoken
from rtvoiced_server.protocol.state import State
from rtvoiced_server.protocol.wire import Json, Output, Refused, Send, error, event, new_id


class ItemEvents:
    """The events ``conversation.item.*``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create(self, told: Json) -> list[Output]:
        """Add an item, anywhere."""
        item = new_items.created(told.get("item"), self._state.input_form)
        after = checks.optional(checks.string)(told.get("previous_item_id"), None, "previous_item_id")
        if isinstance(item, CallOutput) and not self._state.conversation.called(item.call_id):
            message = f"Tool call ID '{item.call_id}' not found in conversation."
            raise Refused("invalid_tool_call_id", message)
        previous = self._state.conversation.add(item, after)
        told_of = announced(item, previous)
        # The client may delete the item and give its id to another: its audio is known by an id of its own.
        told_of += self._state.recognition.begin(new_id("item"), item, self._state.transcription)
        return [*map(Send, told_of), *self._state.hear()]

    def truncate(self, told: Json) -> list[Output]:
        """Forget the end of an answer that nobody heard."""
        item = self._known(told, "truncat", "truncate")
        for name in ("content_index", "audio_end_ms"):
            if name not in told:
                raise checks.missing(name)
            checks.number(0, 1 << 40, whole=True)(told[name], None, name)
        part = item.spoken if isinstance(item, Message) else None
        if part is None or not (part.ms or part.cut):
            raise Refused(None, "Only model output audio messages can be truncated")
        if told["content_index"] != 0:
            raise Refused("invalid_value", "Only content index 0 can be truncated.", "content_index")
        wanted, ms = told["audio_end_ms"], part.ms
        part.truncate(min(wanted, ms))
        done = event("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=part.ms)
        if wanted <= ms:
            return [Send(done)]
        # The only error that does not say which event it answers; and the item is truncated all the same.
        refused = Refused("invalid_value", f"Audio content of {ms}ms is already shorter than {wanted}ms")
        return [Send(error(refused)), Send(done)]

    def delete(self, told: Json) -> list[Output]:
        """Take an item out."""
        item = self._known(told, "delet", "delete")
        self._state.conversation.remove(item)
        return [Send(event("conversation.item.deleted", item_id=item.id))]

    def retrieve(self, told: Json) -> list[Output]:
        """Show an item, with its audio as it was heard."""
        self._state.work.append(self._shown(self._known(told, "retriev", "retrieve")))
        return []

    def _shown(self, item: Item) -> Iterator[list[Output]]:
        shown = item.wire()
        for n, part in enumerate(item.parts if isinstance(item, Message) else ()):
            match part:
                case Heard() if part.audio:
                    pieces = converted(part.audio, part.form, self._state.input_form)
                case Spoken() if part.audio:
                    pieces = converted(bytes(part.audio), PCM, self._state.output_form)
                case _:
                    continue
            audio = bytearray()
            for piece in pieces:
                audio += piece
                yield []
            shown["content"][n]["audio"] = base64.b64encode(audio).decode()
        yield [Send(event("conversation.item.retrieved", item=shown))]

    def _known(self, told: Json, stem: str, name: str) -> Item:
        item_id = told.get("item_id")
        if item_id is None:
            raise checks.missing("item_id")
        item = self._state.conversation.find(checks.string(item_id, None, "item_id"))
        if item is None:
            message = f"Error {stem}ing item: the item with id '{item_id}' does not exist."
            raise Refused(f"item_{name}_invalid_item_id", message, "item_id")
        return item
