"""Makes the rows of rtvoiced(1) that tell of the settings, out of their declarations.

The text of a row is what stands below the field in `rtvoiced.settings.schema`; the words, the
range with its unit, and the default follow from the field itself.
"""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise

from rtvoiced.settings import schema
from rtvoiced.settings.declaration import Setting
from rtvoiced.settings.schema import Settings, known_keys

UNITS = {"_ms": "ms", "_s": "s", "_percent": "%", "_db": "dB"}
"""By how a name ends: the unit that its range is in."""


def rows() -> str:
    """Return the rows of all settings in mdoc(7); those that change while the daemon runs have a star."""
    texts = _texts()
    return "".join(
        f".It Li {key}{' *' if setting.live else ''}\n{_text(texts[key], setting)}\n"
        for key, setting in known_keys().items()
    )


def _texts() -> dict[str, str]:
    """Return by key the text below each field of the sections in `settings.schema`."""
    classes = {
        node.name: node
        for node in ast.parse(inspect.getsource(schema)).body
        if isinstance(node, ast.ClassDef)
    }
    found = {}
    for section in {setting.section for setting in known_keys().values()}:
        body = classes[type(getattr(Settings(), section)).__name__].body
        for field, below in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                assert isinstance(below, ast.Expr), f"{section}.{field.target.id} has no text"
                found[f"{section}.{field.target.id}"] = str(ast.literal_eval(below.value))
    return found


def _text(text: str, setting: Setting) -> str:
    """Return the lines of a row, a sentence a line: what mdoc(7) wants."""
    lines = [line.strip() for line in re.sub(r"(?<=\.) ", "\n", text).splitlines()]
    return "\n".join([*lines, *_values(setting)])


def _values(setting: Setting) -> list[str]:
    """Return the sentence that tells the values and the default; no sentence where any text will do."""
    parts = []
    if setting.words:
        parts.append(f"one of {', '.join(setting.words[:-1])} or {setting.words[-1]}")
    if setting.span:
        unit = next((word for suffix, word in UNITS.items() if setting.name.endswith(suffix)), "")
        parts.append(f"{_number(setting.span.low)} to {_number(setting.span.high)} {unit}".rstrip())
    if (default := _default(setting)) is not None:
        parts.append(f"default {default}")
    sentence = "; ".join(parts)
    return [f"{sentence[0].upper()}{sentence[1:]}."] if parts else []


def _default(setting: Setting) -> str | None:
    """Return the default as the file would have it; None for none and for whole sentences."""
    match setting.default:
        case bool():
            return str(setting.default).lower()
        case int() | float():
            return _number(setting.default)
        case str(text) if text and " " not in text:
            return text
        case _:
            return None


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:g}"
