"""A conversation as the rules see it: who said what, which tools were called, and what those gave.

`rtvoiced_server.protocol` makes a chat of its items, oldest first, whenever a
response is to be answered. The rules never see audio, ids of items or events:

    (ChatMessage(ItemRole.USER, "get weather"), ChatToolCall("call_1", "get_weather"),
     ChatToolOutput("call_1", "sunny"))
"""

from __future__ import annotations

from dataclasses import dataclass

from rtvoiced_server.vocabulary import ItemRole


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """What somebody said, as text."""

    role: ItemRole
    text: str
    """Empty where nobody understood what was said."""
    pictures: int = 0
    """How many pictures came with it."""


@dataclass(frozen=True, slots=True)
class ChatToolCall:
    """The assistant had a tool called."""

    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ChatToolOutput:
    """What a called tool gave."""

    call_id: str
    output: str


ChatEntry = ChatMessage | ChatToolCall | ChatToolOutput
"""One entry of a chat."""
