"""Audio and pictures that come in as base64: audio in a field of its own, pictures in data URLs.

The functions return what was sent, or raise `Refused` with the real server's
text. A picture stays a data URL, for nobody here looks at it; only its beginning
is checked.
"""

from __future__ import annotations

import base64
import binascii
import re

from rtvoiced_server.protocol import checks
from rtvoiced_server.protocol.formats import AudioFormat
from rtvoiced_server.protocol.wire import Refused

LARGEST = 15 << 20
"""Characters of base64 in one append, part or picture: 15 MiB, the real server's limit of an append."""
_DATA_URL = re.compile(r"data:image/(?P<kind>png|jpe?g|webp|gif);base64,", re.IGNORECASE)
_LONGEST_HEAD = 64
"""Characters in which a data URL says what it holds."""
_MAGIC = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "gif": re.compile(rb"GIF8[79]a"),
}
"""How the files of each kind begin."""


def audio(value: object, audio_format: AudioFormat, path: str) -> bytes:
    """Return the audio in the base64 *value* at *path*, whole frames of its format, or raise `Refused`."""
    if value is None:
        raise checks.missing(path)
    if not isinstance(value, str):
        raise checks.wrong_type(path, "a string", value)
    expected = f"Invalid '{path}'. Expected base64-encoded audio bytes ({audio_format.description}) but got"
    data = _decoded(value)
    if data is None or len(data) % audio_format.frame_bytes:
        raise Refused("invalid_value", f"{expected} an invalid value.", path)
    if not data:
        raise Refused("invalid_value", f"{expected} empty bytes.", path)
    return data


def image(value: object, path: str) -> str:
    """Return the data URL *value* at *path* if there is a picture in it, or raise `Refused`."""
    if value is None:
        raise checks.missing(path)
    if not isinstance(value, str):
        raise checks.wrong_type(path, "a string", value)
    expected = (
        f"Invalid '{path}'. Expected a base64-encoded data URL of a PNG, JPEG, WEBP or GIF image but got"
    )
    head = _DATA_URL.match(value[:_LONGEST_HEAD])
    if head is None:
        raise Refused("invalid_value", f"{expected} an invalid value.", path)
    kind = head["kind"].lower().replace("jpg", "jpeg")
    data = _decoded(value[head.end() :])
    if not data or not _MAGIC[kind].match(data):
        raise Refused("invalid_value", f"{expected} bytes that are no {kind.upper()} image.", path)
    return value


def _decoded(text: str) -> bytes | None:
    """Return the bytes in the base64 *text*; None where it is no base64, or too long."""
    if len(text) > LARGEST:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
