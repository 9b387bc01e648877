"""The daemon's state in a few words, for status bars (``rtctl watch``). Pure.

`view` chooses what is worth showing; `waybar` and `polybar` put it into the
form that those bars want.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEXT_OF_CONNECTION = {
    "connecting": "connecting",
    "lost": "connection lost",
    "failed": "connection failed",
}
COLOR_OF_KIND = {
    "offline": "#6c6c6c",
    "idle": "#6c6c6c",
    "connecting": "#d7af5f",
    "lost": "#d75f5f",
    "failed": "#d75f5f",
    "no-microphone": "#d75f5f",
    "muted": "#d7af5f",
    "hearing": "#87af5f",
    "thinking": "#5f87d7",
    "speaking": "#5fafd7",
}
"""For polybar; what is not here has the bar's own colour."""


@dataclass(frozen=True, slots=True)
class View:
    """What a bar shows."""

    kind: str
    """One word to choose an icon or a style by: ``offline``, a connection's, ``muted``, ``no-microphone``
    or the conversation's."""
    text: str
    tooltip: str


def offline(reason: str) -> View:
    """Return the view while no daemon answers."""
    return View("offline", "offline", _plain(reason))


def view(state: Mapping[str, Any]) -> View:
    """Return the view of a `state` event's data; of several things that which one would act on first."""
    conversation, connection = (
        _plain(state.get("conversation", "idle")),
        _plain(state.get("connection", "up")),
    )
    tooltip = "\n".join(
        f"{name}: {_plain(value)}" for name, value in _rows(state, conversation, connection) if value
    )
    if connection != "up":
        return View(connection, TEXT_OF_CONNECTION.get(connection, connection), tooltip)
    if state.get("muted"):
        busy = conversation in ("thinking", "speaking")
        return View("muted", f"muted, {conversation}" if busy else "muted", tooltip)
    if state.get("input") == "unavailable" and conversation in ("idle", "listening"):
        return View("no-microphone", "no microphone", tooltip)
    return View(conversation, conversation, tooltip)


def waybar(shown: View) -> dict[str, str]:
    """Return what Waybar's ``return-type: json`` wants; text and tooltip are Pango markup."""
    return {
        "text": _markup(shown.text),
        "alt": shown.kind,
        "class": shown.kind,
        "tooltip": _markup(shown.tooltip),
    }


def polybar(shown: View) -> str:
    """Return a line with polybar's colour tags."""
    text = shown.text.replace("%{", "% {")
    color = COLOR_OF_KIND.get(shown.kind)
    return f"%{{F{color}}}{text}%{{F-}}" if color else text


def _rows(state: Mapping[str, Any], conversation: str, connection: str) -> list[tuple[str, Any]]:
    muted = "muted, " if state.get("muted") else ""
    return [
        ("conversation", conversation),
        ("microphone", f"{muted}{state.get('input', 'unknown')}"),
        ("speaker", state.get("output")),
        ("connection", f"{connection}, {state.get('provider', 'unknown')}"),
        ("voice", state.get("voice")),
    ]


def _plain(value: object) -> str:
    return "".join(char if char.isprintable() else " " for char in str(value))


def _markup(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
