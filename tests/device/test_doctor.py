"""`rtvoiced --doctor` on a virtual sound card: what it hears, how fast, and its own chime."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rtvoiced.dsp.pcm import WIRE
from support.listening import tone
from support.running import Room, Running, room
from support.stage import Stage, stage
from support.virtual_card import VirtualCard, available, virtual_card

pytestmark = pytest.mark.skipif(not available(), reason="needs pulseaudio and pulseaudio-utils")


@pytest.fixture(scope="module")
def card() -> Iterator[VirtualCard]:
    with virtual_card() as it:
        yield it


@pytest.fixture(scope="module")
def server() -> Iterator[Stage]:
    with stage() as it:
        yield it


def environ_of(card: VirtualCard) -> dict[str, str]:
    return {name: value for name, value in card.env.items() if name != "HOME"}


def examined(here: Room, server: Stage, card: VirtualCard, *words: str) -> dict[str, tuple[str, str]]:
    ended = here.rtvoiced("--doctor", "--json", "--url", server.url, *words, environ=environ_of(card))
    assert (ended.returncode, ended.stderr) == (0, "")
    findings = json.loads(ended.stdout)["findings"]
    found = {each["check"]: (each["verdict"], each["text"]) for each in findings}
    assert len(found) == len(findings)
    return found


def test_a_microphone_that_is_spoken_to_is_heard_at_its_rate(card: VirtualCard, server: Stage) -> None:
    # What says returns when all but the last was played.
    with room() as here, ThreadPoolExecutor() as beside:
        speaking = beside.submit(card.say, tone(5.0, 440.0), WIRE.hz)
        found = examined(here, server, card)
        speaking.result().wait()

    odd = {check: verdict for check, (verdict, _) in found.items() if verdict != "ok"}
    assert odd == {"daemon": "warning"}
    measured = re.fullmatch(r"default opens at 24000 Hz, (\d+) measured", found["microphone"][1])
    assert measured
    assert abs(int(measured[1]) - WIRE.hz) < 0.02 * WIRE.hz
    assert found["speaker"] == ("ok", "default opens at 24000 Hz")
    assert found["sound server"][1].endswith(f"answers at {card.env['XDG_RUNTIME_DIR']}/pulse/native")
    assert found["silence"][1].startswith("none: up to -")


def test_a_microphone_that_is_switched_off_is_told_with_and_without_a_daemon(
    card: VirtualCard, server: Stage
) -> None:
    zeros = ("warning", "the microphone gave nothing but zeros for a second")
    with room() as here:
        assert examined(here, server, card)["silence"] == zeros
        with Running(here, "--url", server.url, environ=environ_of(card)) as daemon:
            daemon.until(input="open", output="open")
            beside = examined(here, server, card)
            daemon.data("mute")
            muted = examined(here, server, card)

    assert beside["silence"] == zeros
    assert beside["microphone"] == ("ok", "default at 24000 Hz, open in the daemon")
    assert muted["silence"] == ("warning", "the microphone is muted")


def test_the_chime_is_heard_where_the_microphone_hears_the_speaker(card: VirtualCard, server: Stage) -> None:
    with Path(card.env["ALSA_CONFIG_PATH"]).open("a") as conf:
        conf.write("pcm.hearsitself { type pulse device speaker.monitor }\n")
    with room() as here:
        found = examined(here, server, card, "--sound", "--input", "hearsitself")
        deaf = examined(here, server, card, "--sound")

        with Running(here, "--url", server.url, environ=environ_of(card)) as daemon:
            daemon.until(input="open", output="open")
            beside = examined(here, server, card, "--sound", "--input", "hearsitself")

    assert beside["microphone"] == ("ok", "default at 24000 Hz, open in the daemon")
    assert (beside["echo"][0], beside["echo canceller"][0]) == ("ok", "ok")
    heard = re.fullmatch(r"the chime was heard after (\d+) ms, (-?\d+) dB softer", found["echo"][1])
    assert heard, found["echo"]
    assert 0 < int(heard[1]) < 500
    assert abs(int(heard[2])) <= 1
    assert deaf["echo"] == ("warning", "the chime was not heard")
