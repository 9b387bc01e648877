"""Sound cards through PortAudio: the only importer of PyAudio, and only once a card is wanted.

`open_card` finds and opens the devices, and `PortAudioCard` is the `Card` that the audio thread
works with; `devices` lists what there is, for a child process and `rtvoiced --check`.

PyAudio closes a blocking stream when a read overflows or a write underflows and
an exception is asked for, so none is. When the sound server dies, `read` raises
at once (seen with PulseAudio stopped and killed). When it is frozen, `read` never
returns: that shows only in the age of `Duplex.beat`.

PortAudio, ALSA and JACK print on file descriptor 2 as they please. Calls into them
run under `silenced_stderr`, and the daemon gives the descriptor up for good (`quiet_stderr`).
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rtvoiced.dsp.pcm import WIRE, OpenDevice, Pcm
from rtvoiced.errors import AudioError
from rtvoiced.vocabulary import Direction

RATES_HZ = (48_000, 44_100)
"""Rates that are tried after 24 kHz, which the wire has, and the device's own rate."""
IN_USE = -9985
"""PortAudio's paDeviceUnavailable."""
INVALID_RATE = -9997
"""PortAudio's paInvalidSampleRate."""
ADVICE = "rtvoiced --check lists what there is"
WORDS = {"input": "microphone", "output": "speaker"}


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device as PortAudio lists it."""

    index: int
    """Its place in PortAudio's list, by which it is opened."""
    name: str
    host_api: str
    """The sound system that it belongs to: ``ALSA``, ``PulseAudio``, ``Core Audio``."""
    inputs: int
    """Channels of a microphone; 0: it has none."""
    outputs: int
    """Channels of a speaker; 0: it has none."""
    default_hz: int
    """Its own sample rate."""
    default_input: bool
    """Whether it is the system's microphone."""
    default_output: bool
    """Whether it is the system's speaker."""

    def has(self, direction: Direction) -> bool:
        """Tell whether it has channels in *direction*."""
        return (self.inputs if direction == "input" else self.outputs) > 0


def devices() -> tuple[FoundDevice, ...]:
    """Return the devices that there are now. Raises AudioError when PyAudio can't be loaded."""
    pa = _initialized()
    try:
        return _listed(pa)
    finally:
        with silenced_stderr():
            pa.terminate()


def chosen(found: tuple[FoundDevice, ...], direction: Direction, name: str) -> FoundDevice:
    """Return the device that *name* means in *direction*.

    A device of exactly this name wins over one of which it is a part; upper and
    lower case are the same. An empty name means the system's default. Raises
    AudioError, in one line for people, when there is no such device.
    """
    able = [device for device in found if device.has(direction)]
    if name:
        wanted = name.casefold()
        exact = [device for device in able if device.name.casefold() == wanted]
        matching = exact or [device for device in able if wanted in device.name.casefold()]
        reason = "no device of that name"
    else:
        matching = [d for d in able if (d.default_input if direction == "input" else d.default_output)]
        reason = "the system has no default device"
    if not matching:
        raise AudioError(_sentence(direction, name, reason))
    return matching[0]


def open_card(input_name: str = "", output_name: str = "") -> PortAudioCard:
    """Open the devices of these names, as `chosen` takes them; with one missing, half a card is opened.

    The card's `problems` then say why. Raises AudioError when neither direction can be had.
    """
    pa = _initialized()
    try:
        return _opened(pa, {"input": input_name, "output": output_name})
    except BaseException:
        with silenced_stderr():
            pa.terminate()
        raise


class PortAudioCard:
    """A card on one blocking duplex stream, or on two streams where the devices have no host API in common.

    *problems* says why a direction is missing, in one line.
    """

    def __init__(self, pa: Any, streams: dict[Direction, _Stream], problems: Mapping[Direction, str]) -> None:
        self.problems = problems
        self._pa = pa
        self._streams = streams
        self._input = streams.get("input")
        self._output = streams.get("output")
        # The largest number of free frames ever seen is the whole buffer: first seen here, before priming.
        self._capacity = self._output.raw.get_write_available() if self._output else 0
        self.input = self._input.device(0) if self._input else None
        self.output = self._output.device(self._capacity) if self._output else None

    def read(self) -> bytes:
        """Wait for 10 ms of the microphone and return them. Raises AudioError when the device is gone."""
        assert self._input, "there is no microphone"
        try:
            block = self._input.raw.read(Pcm(self._input.hz).block, exception_on_overflow=False)
        except OSError as error:
            raise AudioError(_gone(error)) from error
        return bytes(block)

    def write(self, block: bytes) -> None:
        """Hand *block* to the speaker. Raises AudioError when the device is gone."""
        assert self._output, "there is no speaker"
        try:
            self._output.raw.write(block, exception_on_underflow=False)
        except OSError as error:
            raise AudioError(_gone(error)) from error

    def fill(self) -> int:
        """Return how many frames the speaker's buffer holds; 0 in an underrun."""
        assert self._output, "there is no speaker"
        try:
            free = int(self._output.raw.get_write_available())
        except OSError as error:
            raise AudioError(_gone(error)) from error
        self._capacity = max(self._capacity, free)
        # A negative number is PortAudio's code of an underrun.
        return self._capacity - free if free >= 0 else 0

    def close(self) -> None:
        """Give the devices back, and PortAudio's list of devices with them; may be called twice."""
        streams, self._streams = self._streams, {}
        if not streams:
            return
        with silenced_stderr():
            # A duplex stream stands in both places.
            for raw in {id(stream.raw): stream.raw for stream in streams.values()}.values():
                with contextlib.suppress(OSError):
                    raw.close()
            self._pa.terminate()


@dataclass(frozen=True, slots=True)
class _Stream:
    """A direction of an open stream."""

    raw: Any
    """PyAudio's stream; a duplex stream stands in both directions."""
    found: FoundDevice
    direction: Direction
    hz: int

    def device(self, capacity: int) -> OpenDevice:
        """Return it as people are told of it.

        Our own buffer, *capacity* frames, is part of PortAudio's latency and is taken off.
        """
        latency_s = (
            self.raw.get_input_latency() if self.direction == "input" else self.raw.get_output_latency()
        )
        return OpenDevice(
            self.found.name, self.hz, max(0.0, round(latency_s * 1000 - capacity * 1000 / self.hz, 1))
        )


def _initialized() -> Any:
    """Return a running PortAudio. Raises AudioError where PyAudio can't be loaded."""
    # Or JACK's library starts a server of its own where none runs.
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    try:
        import pyaudio
    except ImportError as error:
        raise AudioError(
            f'PyAudio can\'t be loaded ({error}); install it, or set audio.card = "none"'
        ) from error
    with silenced_stderr():
        return pyaudio.PyAudio()


def _listed(pa: Any) -> tuple[FoundDevice, ...]:
    """Return the devices in PortAudio's list."""
    apis = {api["index"]: api for api in map(pa.get_host_api_info_by_index, range(pa.get_host_api_count()))}
    # Its own host API is the first with devices: every API has default devices, the system has these.
    defaults = {}
    for direction, ask in (
        ("input", pa.get_default_input_device_info),
        ("output", pa.get_default_output_device_info),
    ):
        with contextlib.suppress(OSError):
            defaults[direction] = ask()["index"]
    return tuple(
        FoundDevice(
            index=info["index"],
            name=info["name"],
            host_api=apis[info["hostApi"]]["name"],
            inputs=info["maxInputChannels"],
            outputs=info["maxOutputChannels"],
            default_hz=int(info["defaultSampleRate"]),
            default_input=defaults.get("input") == info["index"],
            default_output=defaults.get("output") == info["index"],
        )
        for info in map(pa.get_device_info_by_index, range(pa.get_device_count()))
    )


def _opened(pa: Any, names: dict[Direction, str]) -> PortAudioCard:
    """Open the devices of these names: with one stream if they share a host API, else with one each."""
    found, problems = _listed(pa), {}
    wanted: dict[Direction, FoundDevice] = {}
    for direction, name in names.items():
        try:
            wanted[direction] = chosen(found, direction, name)
        except AudioError as error:
            problems[direction] = str(error)
    streams: dict[Direction, _Stream] = {}
    if len(wanted) == 2 and len({device.host_api for device in wanted.values()}) == 1:
        with contextlib.suppress(OSError):
            streams = _stream(pa, wanted)
    if not streams:
        for direction, device in wanted.items():
            try:
                streams |= _stream(pa, {direction: device})
            except OSError as error:
                problems[direction] = _sentence(direction, names[direction] or device.name, _words(error))
    if not streams:
        raise AudioError("; ".join(dict.fromkeys(problems.values())), problems)
    return PortAudioCard(pa, streams, problems)


def _stream(pa: Any, wanted: dict[Direction, FoundDevice]) -> dict[Direction, _Stream]:
    """Open one stream for the *wanted* directions at the first rate that does, or raise an OSError."""
    own = [device.default_hz for device in wanted.values()]
    rates = [hz for hz in dict.fromkeys((WIRE.hz, *own, *RATES_HZ)) if hz % 100 == 0]
    failure = OSError(INVALID_RATE, "no rate suits")
    for hz in rates:
        arguments: dict[str, Any] = {}
        for direction, device in wanted.items():
            arguments |= {direction: True, f"{direction}_device_index": device.index}
        try:
            with silenced_stderr():
                # paInt16 is 8.
                raw = pa.open(rate=hz, channels=1, format=8, frames_per_buffer=Pcm(hz).block, **arguments)
        except OSError as error:
            failure = error
            continue
        return {direction: _Stream(raw, device, direction, hz) for direction, device in wanted.items()}
    raise failure


def _sentence(direction: Direction, name: str, reason: str) -> str:
    """Return why a direction can't be opened, and what to do, in one line."""
    quoted = f" {name!r}" if name else ""
    return f"cannot open the {WORDS[direction]}{quoted}: {reason}; {ADVICE}"


def _words(error: OSError) -> str:
    """Return PortAudio's error in words."""
    if error.errno == IN_USE:
        return "in use by another program, or gone"
    return (error.strerror or str(error)).lower()


def _gone(error: OSError) -> str:
    return f"the device or the sound server is gone ({_words(error)})"


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Point file descriptor 2 to nowhere for a while: PortAudio, ALSA and JACK print as they please."""
    try:
        kept = os.dup(2)
    except OSError:
        # There is no standard error at all.
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def quiet_stderr() -> None:
    """Leave file descriptor 2 to the libraries for good, and point it nowhere; ours is a new one.

    ALSA prints at every underrun. This is called once, before logging is
    configured: `sys.stderr` (so the log and tracebacks) and `faulthandler` keep the
    real standard error. A child process must be given ``stderr=sys.stderr`` to have it, too.
    """
    try:
        ours = os.dup(2)
    except OSError:
        return
    sys.stderr.flush()
    sys.stderr = os.fdopen(ours, "w", buffering=1, errors="backslashreplace")
    faulthandler.enable(sys.stderr)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
