"""What people read of replies that have several lines: history, statistics, devices. Pure.

The history is a transcript, wrapped to the terminal; the others are tables
with aligned columns.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

from rtctl.cli.show import BOLD, DIM, GREEN, YELLOW, clock, duration, painted, plain

WHO = {"user": "you", "assistant": "assistant"}
NAME_OF_LATENCY = {
    "onset_to_decision": "onset to decision",
    "decision_to_silence": "decision to silence",
    "speech_end_to_first_sound": "end of speech to first sound",
    "first_delta_to_sound": "first delta to sound",
    "mic_to_wire": "microphone to wire",
}
COUNTERS = ("turns", "interrupts", "truncates", "deleted_items", "resumes", "false_holds", "echo_rejections")


def table(command: str, data: dict[str, Any], now: float, color: bool) -> str:
    """Return the answer to ``history``, ``stats`` or ``devices``; *now* is Unix seconds."""
    match command:
        case "history":
            return transcript(data, shutil.get_terminal_size((100, 24)).columns, color)
        case "stats":
            return statistics(data, now, color)
        case _:
            return devices(data, color)


def transcript(data: dict[str, Any], columns: int, color: bool) -> str:
    """Return who said what, wrapped below its first word; of a cut answer the words that were heard."""
    lines = [painted("…          there are older ones", DIM, color)] if data.get("more") else []
    for item in data.get("items") or []:
        role = str(item.get("role"))
        who = f"{WHO.get(role, plain(role)):<10}"
        text, heard = plain(item.get("text") or ""), item.get("heard")
        if heard is not None and heard != item.get("text"):
            cut = "not heard" if not heard else "cut"
            text = f"{plain(heard)} ✂ {cut}" if heard else f"✂ {cut}: {text}"
        wrapped = textwrap.wrap(text, max(20, columns - 11)) or [""]
        painted_who = painted(who, GREEN if role == "user" else BOLD, color)
        lines.append(f"{painted_who} {wrapped[0]}".rstrip())
        lines += [" " * 11 + each for each in wrapped[1:]]
    return "\n".join(lines) or "nothing was said yet"


def statistics(data: dict[str, Any], now: float, color: bool) -> str:
    """Return the counters, then the latencies in milliseconds."""
    since = float(data.get("since") or now)
    rows = [("since", f"{clock(since, now)}, {duration(now - since)} ago")]
    rows += [(name.replace("_", " "), plain(data[name])) for name in COUNTERS if name in data]
    for section in ("audio", "link", "ipc"):
        part = data.get(section)
        if isinstance(part, dict):
            told = ", ".join(f"{key.replace('_', ' ')} {plain(value)}" for key, value in part.items())
            rows.append((section, plain(told)))
    lines = [f"{painted(f'{name:<16}', DIM, color)} {text}" for name, text in rows]
    measured = data.get("latency_ms")
    if isinstance(measured, dict):
        head = ["latency in ms", "n", "median", "95 %", "max"]
        body = [
            [
                NAME_OF_LATENCY.get(name, plain(name)),
                *(_number(each.get(key)) for key in ("n", "p50", "p95", "max")),
            ]
            for name, each in measured.items()
            if isinstance(each, dict)
        ]
        lines += ["", *aligned([head, *body], color, numbers=True)]
    return "\n".join(lines)


def devices(data: dict[str, Any], color: bool) -> str:
    """Return a row each device; what is asked for is told below."""
    rows = [["device", "microphone", "speaker"]]
    rows += [
        [plain(each.get("name")), _use(each, "input"), _use(each, "output")]
        for each in data.get("devices") or []
    ]
    lines = aligned(rows, color) if len(rows) > 1 else ["no microphone and no speaker"]
    for side, name in (("input", "microphone"), ("output", "speaker")):
        if wanted := data.get(side):
            lines.append(f"{painted(f'{name} wanted:', DIM, color)} {painted(plain(wanted), YELLOW, color)}")
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]], color: bool, *, numbers: bool = False) -> list[str]:
    """Return *rows* in columns; *numbers*: all but the first column to the right. The head is dim."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.rjust(width) if numbers and column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(painted("  ".join(cells).rstrip(), "" if number else DIM, color))
    return lines


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, int | float) else plain(value)


def _use(device: dict[str, Any], side: str) -> str:
    if not device.get(side):
        return "–"
    return "default" if device.get(f"default_{side}") else "yes"
