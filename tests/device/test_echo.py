"""The real rtvoiced on a virtual sound card whose microphone hears the speaker. Run alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.room import as_pcm, at_level
from support.running import Running, eventually, room
from support.scene import HZ, STORY, assistant, speech
from support.scripted_server import Visit, scripted_server_beside
from support.virtual_card import VirtualCard, available, virtual_card

pytestmark = pytest.mark.skipif(not available(), reason="needs pulseaudio and pulseaudio-utils")

ANSWER = assistant(STORY)[: 14 * HZ].tobytes()
ALONE_S = 6.0
INTERJECTION = as_pcm(at_level(speech("wait a moment please that is wrong", "rms"), -15)).tobytes()


@pytest.fixture(scope="module")
def card() -> Iterator[VirtualCard]:
    with virtual_card() as it, it.echo():
        yield it


async def deaf(visit: Visit) -> None:
    """Tell a story, and hear nobody."""
    await visit.configure()
    # The chime is over then.
    await asyncio.sleep(1.0)
    await visit.say(ANSWER, STORY)


@contextmanager
def telling(card: VirtualCard, *words: str) -> Iterator[Running]:
    """A daemon in the middle of the story."""
    environ = {name: value for name, value in card.env.items() if name != "HOME"}
    with (
        scripted_server_beside(deaf) as server,
        room() as here,
        Running(here, "--url", server.server.url, *words, environ=environ) as daemon,
    ):
        daemon.wait("playback", status="started")
        yield daemon


def test_assistant_does_not_hear_itself_and_hears_the_user(card: VirtualCard) -> None:
    with telling(card, "--set", "echo.chime=true") as daemon:
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > ALONE_S)
        echo = daemon.data("status")["echo"]
        alone = len([each for each in daemon.named("playback") if each["data"]["status"] == "held"])
        spoken_at = time.monotonic()
        speaking = card.say(INTERJECTION, HZ)
        hold = daemon.wait("playback", count=alone + 1, status="held")
        speaking.wait()
        stats = daemon.data("stats")["audio"]

    took_ms = 1000 * (hold["mono"] - spoken_at)
    print(f"\nalone for {ALONE_S:.0f} s: {alone} holds; {echo}; voice to hold {took_ms:.0f} ms; {stats}")
    # A machine that stalls makes the card lose a piece of the echo, and the canceller with it.
    disturbed = any(stats[each] for each in ("underruns", "overruns", "late_rounds"))
    assert alone <= (2 if disturbed else 1)
    assert (echo["mode"], echo["state"]) == ("auto", "on")
    assert echo["erle_db"] > 10
    assert 20 < echo["lag_ms"] < 300
    assert took_ms < 1000


def test_without_the_canceller_it_hears_itself_at_once(card: VirtualCard) -> None:
    with telling(card, "--set", "echo.mode=system") as daemon:
        hold = daemon.wait("playback", status="held")["data"]

    assert hold["played_ms"] < 1000
