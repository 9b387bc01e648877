"""`devices` and `set-device` on a virtual sound card: listed in time, and really switched."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.running import Running, eventually, room
from support.stage import flat, stage
from support.virtual_card import VirtualCard, available, virtual_card

pytestmark = pytest.mark.skipif(not available(), reason="needs pulseaudio and pulseaudio-utils")

LISTED_S = 2.0


@pytest.fixture(scope="module")
def card() -> Iterator[VirtualCard]:
    with virtual_card() as it:
        yield it


def test_devices_are_listed_in_time_and_another_speaker_takes_over(card: VirtualCard) -> None:
    environ = {name: value for name, value in card.env.items() if name != "HOME"}
    with room() as here, stage() as server, Running(here, "--url", server.url, environ=environ) as daemon:
        daemon.until(connection="up", input="open", output="open")
        seat = server.seat()
        seat.begin("r1", "i1")
        seat.delta("r1", "i1", flat(20_000, 1000), "A long answer.")
        eventually(lambda: (daemon.data("status")["response"] or {}).get("played_ms", 0) >= 500)
        begun = time.monotonic()
        listed = daemon.data("devices")["devices"]
        took = time.monotonic() - begun
        disturbed = daemon.named("interrupt", "error")
        before = daemon.seq
        told = daemon.data("set-device", direction="output", name="testspeaker")
        cut = daemon.wait("interrupt", after=before)["data"]
        daemon.wait("device", after=before, direction="output", status="open")
        seat.end("r1", "i1", status="cancelled")
        seat.say(flat(300, 1000), "Next.", "r2", "i2")
        drained = daemon.wait("playback", item_id="i2", status="drained")["data"]
        status = daemon.data("status")

        print(f"devices answered in {took * 1000:.0f} ms, {len(listed)} devices")
        assert took < LISTED_S
        assert {"testmic", "testspeaker"} <= {each["name"] for each in listed}
        assert disturbed == []
        assert told["name"] == status["output"]["name"] == "testspeaker"
        assert cut["cause"] == "device"
        assert drained["played_ms"] == 300
        assert daemon.named("error") == []
