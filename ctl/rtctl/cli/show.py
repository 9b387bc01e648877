"""What people read of replies and events: pure functions from the daemon's data to text.

`screen` is called for every command without ``--json``; a command that has no
line of its own there is shown as JSON. The data are plain objects as they came:
rtctl also reads those of a newer daemon, and of an older one. What comes from a model, a server
or a device is stripped of control characters, so that none of them moves the
cursor of a terminal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
COLOR_OF_CONNECTION = {"up": GREEN, "connecting": YELLOW, "lost": RED, "failed": RED}
COLOR_OF_ECHO = {"on": GREEN, "half_duplex": YELLOW, "failed": RED}
COLOR_OF_EVENT = {"interrupt": YELLOW, "error": RED, "bye": RED, "speech_started": GREEN}


def painted(text: str, color: str, wanted: bool) -> str:
    """Return *text* in an SGR *color*, where colour is *wanted*."""
    return f"\033[{color}m{text}\033[0m" if wanted and color and text else text


def plain(value: object) -> str:
    """Return *value* as text of one line without control characters."""
    return "".join(char if char.isprintable() else " " for char in str(value))


def clock(unix_s: float, now: float) -> str:
    """Return a moment as people say it: ``14:05``, with seconds within two minutes, else with the day."""
    moment, today = time.localtime(unix_s), time.localtime(now)
    if abs(unix_s - now) < 120:
        return time.strftime("%H:%M:%S", moment)
    return time.strftime("%H:%M" if moment[:3] == today[:3] else "%Y-%m-%d %H:%M", moment)


def duration(seconds: float) -> str:
    """Return a length as its two largest units: ``42 s``, ``3 min 5 s``, ``2 h 10 min``, ``4 d 3 h``."""
    whole = max(0, int(seconds))
    for size, name, next_size, next_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {name}" + (f" {rest} {next_name}" if rest else "")
    return f"{whole} s"


def status_screen(data: dict[str, Any], now: float, color: bool = False) -> str:
    """Return the status as an aligned screen; *now* is Unix seconds."""
    rows = [
        ("conversation", painted(plain(data.get("conversation", "unknown")), BOLD, color)),
        ("microphone", _microphone(data, now, color)),
        ("speaker", _speaker(data, color)),
        ("connection", _connection(_object(data, "connection"), now, color)),
        ("echo", _echo(_object(data, "echo"), color)),
        ("response", _response(data.get("response"))),
        ("interruption", plain(data.get("interruption", "unknown"))),
        ("daemon", _daemon(data)),
    ]
    if error := data.get("last_error"):
        said = f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) else error
        rows.append(("last error", painted(plain(said), RED, color)))
    return "\n".join(f"{painted(f'{name:<13}', DIM, color)} {text}" for name, text in rows)


def screen(command: str, args: dict[str, Any], data: dict[str, Any], now: float, color: bool = False) -> str:
    """Return what a person reads of a command's answer: a table, or one line that tells what it did."""
    match command:
        case "status" | "snapshot":
            return status_screen(data, now, color)
        case "mute":
            return _muted(data, now)
        case "history" | "stats" | "devices":
            from rtctl.cli import tables

            return tables.table(command, data, now, color)
        case "say" | "ask" | "reconnect" if args.get("wait"):
            return {"say": "said", "ask": "answered", "reconnect": "connected"}[command]
    lines: dict[str, Callable[[dict[str, Any]], str]] = {
        "hello": _hello,
        "interrupt": _interrupted,
        "volume": lambda data: f"volume {data.get('percent')} %",
        "say": lambda data: _queued("told", data),
        "ask": lambda data: _queued("asked", data),
        "talk": _talk,
        "reconnect": lambda _: "reconnecting",
        "set-voice": _voice,
        "set": _set,
        "get": _get,
        "set-device": _set_device,
        "reload": _reloaded,
        "stop": lambda _: "the daemon is stopping",
    }
    return plain(lines[command](data)) if command in lines else json.dumps(data, ensure_ascii=False)


def event_line(name: str, data: dict[str, Any], unix_s: float, color: bool = False) -> str:
    """Return an event as ``14:05:12.672 interrupt             cause=command …``; what is null is left out."""
    fields = " ".join(
        f"{painted(plain(key) + '=', DIM, color)}{_value(value)}"
        for key, value in data.items()
        if value is not None
    )
    return _stamped(name, fields, unix_s, color, COLOR_OF_EVENT.get(name, BOLD))


def told_line(name: str, text: str, unix_s: float, color: bool = False) -> str:
    """Return a line about the events themselves: ``14:05:12.672 gap                 events 7 to 9 …``."""
    return _stamped(name, plain(text), unix_s, color, RED if name in ("gap", "gone") else YELLOW)


def _stamped(name: str, text: str, unix_s: float, color: bool, name_color: str) -> str:
    stamp = time.strftime("%H:%M:%S", time.localtime(unix_s)) + f".{int(unix_s * 1000) % 1000:03}"
    shown = painted(f"{plain(name):<20}", name_color, color)
    return f"{painted(stamp, DIM, color)} {shown} {text}".rstrip()


def _value(value: object) -> str:
    if isinstance(value, str) and value.isprintable() and value and " " not in value:
        return value
    return plain(json.dumps(value, ensure_ascii=False))


def _object(data: dict[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _microphone(data: dict[str, Any], now: float, color: bool) -> str:
    device = _device(data.get("input"), color)
    if not data.get("muted"):
        return device + (", push-to-talk" if data.get("push_to_talk") else "")
    until = data.get("muted_until")
    muted = f"muted until {clock(until, now)}" if until else "muted"
    return f"{painted(muted, YELLOW, color)}, {device}"


def _speaker(data: dict[str, Any], color: bool) -> str:
    volume = data.get("volume_percent")
    level = "" if volume in (None, 100) else f", volume {volume} %"
    return f"{_device(data.get('output'), color)}{level}"


def _device(device: Any, color: bool) -> str:
    if not isinstance(device, dict):
        return "none"
    status = str(device.get("status", "unknown"))
    parts = [plain(device["name"])] if device.get("name") else []
    if status != "open" or not parts:
        parts.insert(0, painted(plain(status), GREEN if status == "open" else RED, color))
    if rate := device.get("rate_hz"):
        parts.append(f"{rate} Hz")
    if (latency := device.get("latency_ms")) is not None:
        parts.append(f"{latency:g} ms")
    return ", ".join(parts)


def _connection(link: dict[str, Any], now: float, color: bool) -> str:
    status = plain(link.get("status", "unknown"))
    since = f" for {duration(now - link['since'])}" if status == "up" and link.get("since") else ""
    parts = [painted(status, COLOR_OF_CONNECTION.get(status, ""), color) + since]
    server = " ".join(plain(link[key]) for key in ("provider", "model") if link.get(key))
    parts += [server] if server else []
    parts += [f"voice {plain(link['voice'])}"] if link.get("voice") else []
    parts += [f"attempt {link['attempt']}"] if link.get("attempt") else []
    text = ", ".join(parts)
    return f"{text}: {plain(link['reason'])}" if link.get("reason") else text


def _echo(echo: dict[str, Any], color: bool) -> str:
    state = str(echo.get("state", "unknown"))
    words = {
        "on": "cancelled",
        "converging": "being learned",
        "half_duplex": "half duplex",
        "failed": "not cancelled",
    }
    by = f" by {echo['erle_db']:.0f} dB" if state == "on" and echo.get("erle_db") is not None else ""
    parts = [painted(words.get(state, plain(state)), COLOR_OF_ECHO.get(state, ""), color) + by]
    if (lag_ms := echo.get("lag_ms")) is not None:
        parts.append(f"lag {lag_ms:.0f} ms")
    text = ", ".join(parts)
    return f"{text}: {plain(echo['reason'])}" if echo.get("reason") else text


def _response(response: Any) -> str:
    if not isinstance(response, dict):
        return "none"
    return f"{response.get('played_ms', 0)} ms played, {response.get('queued_ms', 0)} ms queued"


def _daemon(data: dict[str, Any]) -> str:
    count = data.get("subscribers", 0)
    parts = [
        f"rtvoiced {data.get('version', '?')}",
        f"pid {data.get('pid', '?')}",
        f"up {duration(data.get('uptime_s', 0))}",
        f"{count} subscriber{'' if count == 1 else 's'}",
    ]
    parts += [f"under {data['supervisor']}"] if data.get("supervisor") else []
    return plain(", ".join(parts))


def _muted(data: dict[str, Any], now: float) -> str:
    before = "" if data.get("changed", True) else "already "
    if not data.get("muted"):
        return "not muted" if before else "unmuted"
    until = data.get("until")
    return f"{before}muted until {clock(until, now)}" if until else f"{before}muted"


def _hello(data: dict[str, Any]) -> str:
    protocol = data.get("protocol", "?")
    versions = ", ".join(map(str, protocol)) if isinstance(protocol, list) else protocol
    who = f"rtvoiced {data.get('version', '?')}, protocol {versions}"
    return f"{who}, pid {data.get('pid', '?')}, run {data.get('run', '?')}"


def _interrupted(data: dict[str, Any]) -> str:
    if not data.get("interrupted"):
        return "nothing to interrupt"
    if data.get("item_id") is None:
        return "interrupted before it was heard"
    return f"interrupted after {data.get('played_ms', 0)} ms, {data.get('dropped_ms', 0)} ms dropped"


def _queued(done: str, data: dict[str, Any]) -> str:
    return f"{done}; it waits for its turn" if data.get("queued") else done


def _talk(data: dict[str, Any]) -> str:
    if data.get("push_to_talk"):
        return "listening" if data.get("changed") else f"listening for {data.get('held_ms', 0)} ms already"
    if not data.get("changed"):
        return "nothing was pressed"
    return f"done after {data.get('held_ms', 0)} ms"


def _voice(data: dict[str, Any]) -> str:
    return f"voice {data.get('voice')}{_when(data)}"


def _set(data: dict[str, Any]) -> str:
    return f"{data.get('key')} = {_value(data.get('value'))}{_when(data)}"


def _get(data: dict[str, Any]) -> str:
    return f"{data.get('key')} = {_value(data.get('value'))}  ({data.get('origin', 'unknown')})"


def _set_device(data: dict[str, Any]) -> str:
    which = "microphone" if data.get("direction") == "input" else "speaker"
    return f"{which} {data.get('name') or 'of the system'}"


def _reloaded(data: dict[str, Any]) -> str:
    changed, restart = data.get("changed") or [], data.get("restart") or []
    if not changed:
        return "nothing changed"
    now = [key for key in changed if key not in restart]
    parts = [f"changed: {', '.join(now)}"] if now else []
    parts += [f"wants a restart: {', '.join(restart)}"] if restart else []
    return "; ".join(parts)


def _when(data: dict[str, Any]) -> str:
    when = {
        "now": "",
        "next_session": " from the next session on",
    }
    return when.get(str(data.get("applied", "now")), "")
