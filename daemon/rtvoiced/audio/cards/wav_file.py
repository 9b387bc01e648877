"""WAV files: read whole into the wire's format, and written so that they are valid at any moment.

`load` takes what people have; `GrowingWav` is what the speaker of a WAV card
is. Whoever reads that file while it grows finds a header that fits its data, so a
conversation can be listened to before it is over.
"""

from __future__ import annotations

import struct
from pathlib import Path
from threading import Event, Lock, Thread

import numpy as np
from numpy.typing import NDArray

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from rtvoiced.dsp.resample import Resampler
from rtvoiced.errors import ConfigError

EXTENSIBLE_FORMAT = 0xFFFE
"""The format that says that the real one comes later in the chunk (WAVE_FORMAT_EXTENSIBLE)."""
FLUSH_S = 0.5
"""Seconds between two writes of a growing file."""
HEADER_BYTES = 44
"""Bytes of the header that is written."""
SIZE_MAX = 0xFFFF_FFFF
"""What the size of a file in its header can be at most: 32 bits."""
HZ_MIN, HZ_MAX = 1_000, 384_000
"""Rates that are taken; beyond them the header is broken."""


def load(path: Path) -> NDArray[np.int16]:
    """Return the sound of a WAV file as mono at 24 kHz (int16, shape (frames,)).

    Integers of 8, 16, 24 and 32 bits and floats of 32 bits are taken, at any rate and
    with any number of channels. Raises ConfigError in one line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    try:
        kind, channels, hz, bits, data = _chunks(raw)
        samples = _int16(data, kind, bits)
        frames = samples[: len(samples) // channels * channels].reshape(-1, channels)
    except (ValueError, struct.error, ZeroDivisionError) as error:
        raise ConfigError(f"{path}: not a WAV file that can be read ({error})") from error
    mono = np.asarray(np.rint(frames.mean(axis=1, dtype=np.float64)), dtype=np.int16)
    return at_wire_rate(mono, hz)


def at_wire_rate(samples: NDArray[np.int16], hz: int) -> NDArray[np.int16]:
    """Return *samples* (int16, shape (frames,)), which are at *hz*, at 24 kHz."""
    resampler = Resampler(hz, WIRE.hz)
    return np.concatenate((resampler.process(samples), resampler.flush()))


def _chunks(raw: bytes) -> tuple[int, int, int, int, bytes]:
    """Return (format, channels, hz, bits, data) of a RIFF file. Raises ValueError or struct.error."""
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise ValueError("no RIFF header")
    layout = None
    at = 12
    while at + 8 <= len(raw):
        name, size = struct.unpack_from("<4sI", raw, at)
        body = raw[at + 8 : at + 8 + size]
        if name == b"fmt ":
            kind, channels, hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if kind == EXTENSIBLE_FORMAT:
                (kind,) = struct.unpack_from("<H", body, 24)
            if not HZ_MIN <= hz <= HZ_MAX:
                raise ValueError(f"a rate of {hz} Hz")
            layout = kind, channels, hz, bits
        elif name == b"data":
            # Programs that write to a pipe don't know the size: then the data is what there is.
            if layout is None:
                raise ValueError("data before its format")
            return *layout, body
        at += 8 + size + size % 2
    raise ValueError("no data")


def _int16(data: bytes, kind: int, bits: int) -> NDArray[np.int16]:
    """Return samples of any format as int16, channels interleaved. Raises ValueError for an unknown one."""
    width = bits // 8
    data = data[: len(data) // width * width]
    match kind, bits:
        case 1, 8:
            return np.asarray((np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8, dtype=np.int16)
        case 1, 16:
            return np.frombuffer(data, "<i2")
        case 1, 24 | 32:
            # The two highest bytes of each sample.
            high = np.frombuffer(data, np.uint8).reshape(-1, width)[:, -2:]
            return np.frombuffer(high.tobytes(), "<i2")
        case 3, 32:
            floats = np.frombuffer(data, "<f4")
            return np.asarray(np.clip(np.rint(floats * 32768.0), -32768, 32767), dtype=np.int16)
    raise ValueError(f"format {kind} with {bits} bits")


def header(size: int, hz: int) -> bytes:
    """Return the header of a mono 16-bit file with *size* bytes of data."""
    size = min(size, SIZE_MAX - HEADER_BYTES)
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, hz, 2 * hz, 2, 16)
    return head + struct.pack("<4sI", b"data", size)


class GrowingWav:
    """A WAV file that grows, mono at *hz*. Raises ConfigError where it can't be written.

    A thread of its own writes it, so that `append` never waits for a disk.
    """

    def __init__(self, path: Path, hz: int = WIRE.hz) -> None:
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        self._hz = hz
        self._size = 0
        self._waiting: list[bytes] = []
        self._lock = Lock()
        self._closing = Event()
        self._flush()
        self._thread = Thread(target=self._write, name="wav", daemon=True)
        self._thread.start()

    def append(self, pcm: bytes) -> None:
        """Add frames (s16le mono) to the end."""
        with self._lock:
            self._waiting.append(pcm)

    def close(self) -> None:
        """Write what is left; may be called twice."""
        self._closing.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._closing.wait(FLUSH_S):
            self._flush()
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        with self._lock:
            waiting, self._waiting = b"".join(self._waiting), []
        if not waiting and self._size:
            return
        self._file.seek(HEADER_BYTES + self._size)
        self._file.write(waiting)
        self._file.flush()
        # Data first, or a reader would find a file that is shorter than it says.
        self._size += len(waiting) // FRAME_BYTES * FRAME_BYTES
        self._file.seek(0)
        self._file.write(header(self._size, self._hz))
        self._file.flush()
