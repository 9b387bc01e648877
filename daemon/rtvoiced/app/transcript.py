"""Shows the conversation as readable lines, for whoever runs rtvoiced in a terminal.

It is one of those that `EventFanOut` tells of every published event; with a JSON
log there is none. What it looks like:

    you        tell me a story
    assistant  Once upon a time there was a lighthouse keeper …
    ✂ cut      after 2180 ms, 7310 ms never played (server_vad); heard: "Once upon a time"
    ·          connection lost: the server closed (1006); trying again
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.events import IpcEvent

WIDTH = 11
"""Columns of the speaker's name."""
LEAST_COLUMNS = 40
"""A narrower terminal gets lines of this length all the same: it breaks them itself."""
DIM, BOLD, RED, PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[0m"


class Transcript:
    """Turns events into lines, and gives each to *write*: who spoke, what, and where it was cut."""

    def __init__(self, write: Callable[[str], None], *, color: bool, columns: int | None = None) -> None:
        self._write = write
        self._color = color
        self._columns = columns
        """Width of the terminal in characters; None: lines may be as long as they like."""
        self._muted = False
        self._connection = ""
        self._heard: dict[str, str] = {}
        """The words that were heard, by item, of those that are being cut."""

    def __call__(self, event: IpcEvent) -> None:
        """Show *event*, if it is one that people want to see."""
        match event:
            case ipc.UserTranscript(_, text, True):
                self._line("you", text or "(nothing understood)", BOLD)
            case ipc.AssistantTranscript(_, item_id, text, heard, _, interrupted):
                self._line("assistant", text, "")
                if interrupted:
                    self._heard[item_id] = heard
            case ipc.Interrupt():
                self._interrupt(event)
            case ipc.Connection():
                self._connected(event)
            case ipc.Device(direction, name, status, rate_hz):
                device = "microphone" if direction == "input" else "speaker"
                where = f"{name} at {rate_hz} Hz" if status == "open" else status
                self._note(f"{device}: {where}")
            case ipc.State(muted=muted) if muted != self._muted:
                self._muted = muted
                self._note("microphone muted" if muted else "microphone live")
            case ipc.Error(code, message):
                self._line("error", f"{message} ({code})", RED)
            case _:
                pass

    def note(self, text: str) -> None:
        """Show a line that is no event."""
        self._note(text)

    def _interrupt(self, event: ipc.Interrupt) -> None:
        heard_text = self._heard.get(event.item_id)
        self._heard.clear()
        nothing = "" if event.played_ms else "; nothing of it was heard"
        heard = f'; heard: "{heard_text}"' if heard_text else nothing
        self._line(
            "✂ cut",
            f"after {event.played_ms} ms, {event.dropped_ms} ms never played ({event.cause}){heard}",
            DIM,
        )

    def _connected(self, event: ipc.Connection) -> None:
        # Every attempt is an event; people want to see what came of them.
        if event.status in (self._connection, "connecting"):
            return
        self._connection = event.status
        if event.status in ("up", "failed"):
            self._note(f"connection {event.status}" + (f": {event.reason}" if event.reason else ""))
        elif event.status == "lost":
            self._note(f"connection lost: {event.reason}; trying again")

    def _note(self, text: str) -> None:
        self._line("·", text, DIM)

    def _line(self, who: str, text: str, style: str) -> None:
        # A server's text may hold escape sequences that would rewrite the terminal.
        clean = "".join(each if each.isprintable() else " " for each in text)
        for line in self._wrapped(f"{who:<{WIDTH}}", clean):
            self._write(f"{style}{line}{PLAIN}" if self._color and style else line)

    def _wrapped(self, who: str, text: str) -> list[str]:
        """Return *words* as lines of the terminal's width, behind *who* and indented below it."""
        if self._columns is None:
            return [who + text]
        wrapped = textwrap.wrap(
            text,
            max(self._columns, LEAST_COLUMNS),
            initial_indent=who,
            subsequent_indent=" " * WIDTH,
            break_on_hyphens=False,
        )
        return wrapped or [who]
