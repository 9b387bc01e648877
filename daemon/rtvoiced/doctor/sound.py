"""Looks at microphone and speaker: whether they open, keep their rate, and hear anything at all.

Where a daemon runs, the devices are its own: what it says of them counts, and its `level` events tell
whether the microphone hears anything. Only what it lacks is opened here, to learn why. Without a daemon the
devices are opened as it would open them, and listened to for a second. On request a chime is
played and looked for in the microphone.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtvoiced.audio.cards.portaudio import ADVICE, PortAudioCard, open_card, quiet_stderr
from rtvoiced.doctor.findings import Finding, Verdict, failure, ok, warning
from rtvoiced.dsp.loudness import FLOOR_DBFS, dbfs
from rtvoiced.dsp.pcm import BLOCK_MS, OpenDevice, Pcm
from rtvoiced.errors import AudioError
from rtvoiced.host.paths import events_socket
from rtvoiced.settings.reading import card
from rtvoiced.settings.schema import Settings
from rtvoiced.vocabulary import Direction

LISTEN_S = 1.0
"""Seconds that are listened to."""
HANG_S = 10.0
"""Seconds after which the sound system hangs: longer than any card takes to open and to be listened to."""
RATE_TOLERANCE = 0.02
"""By what share the measured rate may differ; the clock of a card is better than a thousandth, the
measuring is not."""
SILENT = "the microphone gave nothing but zeros for a second"
SILENT_REMEDY = "speak and look again: is it switched off, or (on macOS) not allowed to this program?"
CHIME_S = 0.4
"""Seconds of the chime."""
CHIME_HZ = (660.0, 880.0)
"""Its two notes."""
WORDS: dict[Direction, str] = {"input": "microphone", "output": "speaker"}
REMEDY = "rtvoiced --check lists what there is; audio.input and audio.output choose among it"

Samples = NDArray[np.float32]
"""float32, shape (frames,), −1 to 1."""


def look(config: Settings, status: dict[str, Any] | None, directory: Path, *, chime: bool) -> list[Finding]:
    """Look at the sound; return what was found.

    *status* is that of the running daemon, which has the devices; None: none runs.
    *directory* is its runtime directory. *chime*: play one, and listen for it.
    """
    kind, rest = card(config)
    if kind == "none":
        return [warning("sound", 'none is wanted (audio.card = "none")', "answers go by as text")]
    if kind == "wav":
        return [ok("sound", f"files take its place: {rest}")]
    quiet_stderr()
    if status is None:
        return [_sound_server(), *_within(HANG_S, config, chime=chime)]
    return [_sound_server(), *_beside(config, status, directory, chime=chime)]


def _sound_server() -> Finding:
    """Return which sound server answers at its socket."""
    session = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    named = os.environ.get("PULSE_SERVER", "")
    for path, name in (
        (Path(named.removeprefix("unix:")), "PulseAudio"),
        (Path(session, "pulse", "native"), "PulseAudio, or PipeWire in its place,"),
        (Path(session, "pipewire-0"), "PipeWire"),
    ):
        if path.is_socket():
            with socket.socket(socket.AF_UNIX) as plain:
                plain.settimeout(1)
                try:
                    plain.connect(str(path))
                except OSError as error:
                    text = f"{path} is there and takes no connection ({error.strerror})"
                    return warning(
                        "sound server", text, "systemctl --user restart pipewire-pulse, or pulseaudio"
                    )
                return ok("sound server", f"{name} answers at {path}")
    return ok("sound server", "none: the system's devices are used directly")


def _beside(config: Settings, status: dict[str, Any], directory: Path, *, chime: bool) -> list[Finding]:
    """Return what the running daemon has open and hears; what it lacks is opened here, to learn why."""
    has = {direction: status[direction]["status"] == "open" for direction in WORDS}
    tried = _within(HANG_S, config, chime=chime) if chime or not all(has.values()) else []
    found = []
    for direction, word in WORDS.items():
        device = status[direction]
        if has[direction]:
            found.append(ok(word, f"{device['name']} at {device['rate_hz']} Hz, open in the daemon"))
        else:
            found.append(_lacking(word, device["status"], tried))
    if status["muted"]:
        found.append(warning("silence", "the microphone is muted", "rtctl unmute"))
    elif has["input"]:
        found.append(_heard(_loudest(directory)))
    if chime:
        # A card that takes one program at a time is the daemon's.
        unheard = warning(
            "echo", "no chime was played: what it takes can't be opened", "rtctl stop, and again"
        )
        found.append(next((each for each in tried if each.check == "echo"), unheard))
    if chime or status["echo"]["state"] == "failed":
        found.append(canceller(status["echo"]))
    return found


def _lacking(word: str, status: str, tried: Sequence[Finding]) -> Finding:
    """Return why the daemon has no microphone or speaker, by what came of opening it here."""
    for each in tried:
        if each.check in (word, "sound") and each.verdict is Verdict.FAILURE:
            return failure(word, each.text, each.remedy or REMEDY)
    text = f"{status}: the daemon has none, and here it opens"
    return failure(word, text, "rtctl service restart; rtctl logs tells why it was not opened")


def _loudest(directory: Path) -> float | None:
    """Return the loudest moment of a second in dBFS, as the daemon's events tell it; None: none came."""
    import zmq

    levels: list[float] = []
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.set(zmq.LINGER, 0)
        subscriber.connect(f"ipc://{events_socket(directory)}")
        subscriber.subscribe("level")
        until = time.monotonic() + LISTEN_S
        while (left := until - time.monotonic()) > 0:
            if subscriber.poll(int(1000 * left)):
                topic, body = subscriber.recv_multipart()
                if topic == b"level":
                    levels.append(json.loads(body)["data"]["input_dbfs"])
    return max(levels, default=None)


def _heard(loudest: float | None) -> Finding:
    """Return what it means that the microphone was *loudest* dBFS loud at most in a second."""
    if loudest is None:
        return warning("silence", "the daemon tells no loudness", "rtctl service restart")
    if loudest <= FLOOR_DBFS:
        # No failure: a noise gate gives zeros as well, while nobody speaks.
        return warning("silence", SILENT, SILENT_REMEDY)
    return ok("silence", f"none: up to {loudest:.0f} dBFS in a second")


def _within(limit_s: float, config: Settings, *, chime: bool) -> list[Finding]:
    """Return what `_opened` finds, or, after *limit_s* seconds, that the sound system hangs."""
    found: list[Finding] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.extend(_opened(config, chime=chime))
        except BaseException as error:
            failed.append(error)

    # A call into a sound system that hangs never returns: it is left behind.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit_s)
    if failed:
        raise failed[0]
    if thread.is_alive():
        text = f"the sound system hangs: no answer within {limit_s:.0f} s"
        return [failure("sound", text, "restart the sound server")]
    return found


def _opened(config: Settings, *, chime: bool) -> list[Finding]:
    """Open the devices as the daemon would, and listen for a second; return what was found."""
    try:
        opened = open_card(config.audio.input or "", config.audio.output or "")
    except AudioError as error:
        return _problems({direction: error.problems.get(direction, str(error)) for direction in WORDS})
    try:
        found = _problems(opened.problems)
        if opened.output:
            found.append(ok("speaker", f"{opened.output.name} opens at {opened.output.hz} Hz"))
        if opened.input:
            found += _listen(opened, opened.input)
        if chime and opened.input and opened.output:
            found.append(_chime(opened, opened.input, opened.output))
        return found
    except AudioError as error:
        return [failure("sound", str(error), REMEDY)]
    finally:
        opened.close()


def _problems(problems: Mapping[Direction, str]) -> list[Finding]:
    """Return why each direction can't be had; the advice in the text is left to the remedy."""
    return [
        failure(WORDS[direction], text.removesuffix(f"; {ADVICE}"), REMEDY)
        for direction, text in problems.items()
    ]


def _listen(opened: PortAudioCard, device: OpenDevice) -> list[Finding]:
    """Read for a second; return whether the rate is what it should be, and whether anything is heard."""
    rounds = int(1000 * LISTEN_S / BLOCK_MS)
    # The first blocks come as fast as the card has them.
    for _ in range(5):
        opened.read()
    begun = time.monotonic()
    blocks = [opened.read() for _ in range(rounds)]
    took_s = time.monotonic() - begun
    measured = round(rounds * BLOCK_MS / 1000 * device.hz / took_s)
    text = f"{device.name} opens at {device.hz} Hz, {measured} measured"
    within = abs(measured - device.hz) <= RATE_TOLERANCE * device.hz
    slow = "the card or the machine does not keep up: rtctl stats counts late_rounds"
    rate = ok("microphone", text) if within else warning("microphone", text, slow)
    return [rate, _heard(max(dbfs(block) for block in blocks))]


# ------------------------------------------------------------------------------------ echo


def _chime(opened: PortAudioCard, microphone: OpenDevice, speaker: OpenDevice) -> Finding:
    """Play a chime and find it again in what the microphone hears."""
    played = tone(speaker.hz)
    block = Pcm(speaker.hz).block
    silence = np.zeros(speaker.hz // 2, np.float32)
    queue = np.concatenate([played, silence, silence])
    heard = []
    for begin in range(0, len(queue) - block, block):
        opened.write((queue[begin : begin + block] * 32767).astype("<i2").tobytes())
        heard.append(np.frombuffer(opened.read(), "<i2").astype(np.float32) / 32768)
    return found_again(played, np.concatenate(heard), speaker.hz, microphone.hz)


def tone(hz: int) -> Samples:
    """Return the chime at *hz*: two notes, one after the other, softly begun and ended."""
    frames = int(CHIME_S / 2 * hz)
    window = np.hanning(frames)
    notes = [0.3 * window * np.sin(2 * np.pi * each * np.arange(frames) / hz) for each in CHIME_HZ]
    return np.concatenate(notes).astype(np.float32)


def found_again(played: Samples, heard: Samples, speaker_hz: int, microphone_hz: int) -> Finding:
    """Return how long after it was played the chime was heard, and how much softer.

    *played* is at *speaker_hz*, *heard* at *microphone_hz*; both begin at the same moment.
    """
    at = np.arange(0, len(played), speaker_hz / microphone_hz)
    wanted = np.interp(at, np.arange(len(played)), played).astype(np.float32)
    size = 1 << (len(heard) + len(wanted)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)[: len(heard)]
    lag = int(np.argmax(np.abs(likeness)))
    part = heard[lag : lag + len(wanted)]
    norm = float(np.sqrt(np.sum(part**2) * np.sum(wanted[: len(part)] ** 2)))
    alike = float(abs(likeness[lag])) / norm if norm else 0.0
    if alike < 0.3:
        remedy = "is the speaker on? with headphones there is no echo, and all is well"
        return warning("echo", "the chime was not heard", remedy)
    softer = 20 * np.log10(np.sqrt(np.mean(wanted**2)) / max(np.sqrt(np.mean(part**2)), 1e-9))
    return ok(
        "echo", f"the chime was heard after {1000 * lag / microphone_hz:.0f} ms, {softer:.0f} dB softer"
    )


def canceller(echo: Mapping[str, Any]) -> Finding:
    """Return what the daemon's echo canceller achieves (ERLE), by the ``echo`` of the daemon's status."""
    if echo["state"] == "failed":
        text = f"it failed: {echo.get('reason') or 'rtctl logs tells why'}"
        return warning("echo canceller", text, "with headphones there is no echo")
    if echo["erle_db"] is None:
        return ok("echo canceller", f"{echo['state']}: nothing measured")
    return ok("echo canceller", f"{echo['state']}, lag {echo['lag_ms']} ms, ERLE {echo['erle_db']:.0f} dB")
