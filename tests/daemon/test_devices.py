"""Another microphone or speaker while a whole daemon runs: chosen, opened, and an answer that plays cut."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.running import Room, Running, eventually, room
from support.stage import Seat, flat, stage

PROGRAM = f"""
import json, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from dataclasses import asdict, replace
from support.fakes import SimulatedCard, WallClock
from rtvoiced import __main__ as program
from rtvoiced.app.build.launch import Parts
from rtvoiced.audio.cards.portaudio import FoundDevice, chosen

DEVICES = (
    FoundDevice(0, "desk", "ALSA", 1, 0, 24_000, True, False),
    FoundDevice(1, "headset mic", "ALSA", 1, 0, 24_000, False, False),
    FoundDevice(2, "loudspeaker", "ALSA", 0, 2, 24_000, False, True),
    FoundDevice(3, "headset ear", "ALSA", 0, 2, 24_000, False, False),
)

def open_card(input_name, output_name):
    card = SimulatedCard(WallClock())
    card.input = replace(card.input, name=chosen(DEVICES, "input", input_name).name)
    card.output = replace(card.output, name=chosen(DEVICES, "output", output_name).name)
    return card

found = repr(json.dumps([asdict(each) for each in DEVICES]))
slow = "os.path.exists(os.environ['HOME'] + '/slow')"
listing = f"import os, time; time.sleep({{slow}}); print({{found}})"
parts = Parts(open_card=open_card, list_devices=(sys.executable, "-c", listing), list_s=30.0)
sys.exit(program.main(parts=parts))
"""
"""A daemon with four devices."""


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@contextmanager
def talking(here: Room) -> Iterator[tuple[Running, Seat]]:
    """Yield a daemon with four devices, and its server in the middle of a long answer."""
    with (
        stage() as server,
        Running(here, "--url", server.url, program=(sys.executable, "-c", PROGRAM)) as daemon,
    ):
        daemon.until(connection="up", input="open", output="open")
        seat = server.seat()
        seat.begin("r1", "i1")
        seat.delta("r1", "i1", flat(20_000, 100), "A long answer.")
        eventually(lambda: played_ms(daemon) >= 100)
        yield daemon, seat


def played_ms(daemon: Running) -> int:
    return int((daemon.data("status")["response"] or {}).get("played_ms", 0))


def names(daemon: Running) -> tuple[str, str]:
    status = daemon.data("status")
    return status["input"]["name"], status["output"]["name"]


def test_another_speaker_cuts_the_answer_and_the_next_is_heard_from_it(here: Room) -> None:
    with talking(here) as (daemon, seat):
        before = daemon.seq
        told = daemon.data("set-device", direction="output", name="EAR")
        cut = daemon.wait("interrupt", after=before)["data"]
        opened = daemon.wait("device", after=before, direction="output", status="open")["data"]

        assert told == {"direction": "output", "name": "headset ear"}
        assert (cut["cause"], cut["item_id"]) == ("device", "i1")
        assert cut["dropped_ms"] > 0
        assert opened["name"] == "headset ear"
        truncate, cancel = sorted(seat.corrections(), key=lambda each: -len(each["type"]))
        assert (truncate["item_id"], truncate["audio_end_ms"]) == ("i1", cut["played_ms"])
        assert cancel["type"] == "response.cancel"
        seat.end("r1", "i1", status="cancelled")
        seat.say(flat(100, 100), "Next.", "r2", "i2")
        assert daemon.wait("playback", item_id="i2", status="drained")["data"]["played_ms"] == 100
        assert names(daemon) == ("desk", "headset ear")
        assert daemon.data("devices")["output"] == "EAR"
        assert daemon.data("get", key="audio.output") == {
            "key": "audio.output",
            "value": "EAR",
            "origin": "command set-device",
        }


def test_another_microphone_waits_until_the_answer_is_over(here: Room) -> None:
    with talking(here) as (daemon, _seat):
        before, told = daemon.seq, daemon.data("set-device", direction="input", name="headset")
        assert told == {"direction": "input", "name": "headset mic"}
        heard = played_ms(daemon)
        eventually(lambda: played_ms(daemon) > heard + 100)
        assert names(daemon) == ("desk", "loudspeaker")
        daemon.data("interrupt")
        daemon.wait("device", after=before, direction="input", status="open")

        assert names(daemon) == ("headset mic", "loudspeaker")
        assert [each["data"]["cause"] for each in daemon.named("interrupt")] == ["command"]


def test_the_same_device_disturbs_nothing_and_one_that_is_not_there_is_told(here: Room) -> None:
    with talking(here) as (daemon, _seat):
        before = daemon.seq
        same = daemon.data("set-device", direction="output", name="loud")
        default = daemon.data("set-device", direction="output", name="")
        wrong = daemon.request("set-device", direction="output", name="loudspaeker")["error"]
        microphone = daemon.request("set-device", direction="output", name="desk")["error"]
        heard = played_ms(daemon)
        eventually(lambda: played_ms(daemon) > heard + 100)

        assert same == default == {"direction": "output", "name": "loudspeaker"}
        assert (wrong["code"], wrong["details"]["nearest"][0]) == ("device_not_found", "loudspeaker")
        assert microphone["code"] == "device_not_found"
        assert daemon.data("devices")["output"] == ""
        assert daemon.named("interrupt") == []
        assert [each for each in daemon.named("device") if each["seq"] > before] == []


def test_what_was_given_up_before_the_list_came_does_not_happen_later(here: Room) -> None:
    with talking(here) as (daemon, _seat):
        (here.path / "slow").touch()
        asked = daemon.post("set-device", direction="output", name="ear", expires=time.monotonic() + 0.5)

        assert daemon.reply(asked)["error"]["code"] == "expired"
        assert daemon.data("devices")["output"] == ""
        assert daemon.named("interrupt") == []
        assert names(daemon) == ("desk", "loudspeaker")


def test_the_list_tells_what_each_device_can_do(here: Room) -> None:
    with talking(here) as (daemon, _seat):
        told = daemon.data("devices")

    assert [each["name"] for each in told["devices"]] == [
        "desk",
        "headset mic",
        "loudspeaker",
        "headset ear",
    ]
    assert told["devices"][2] == {
        "name": "loudspeaker",
        "input": False,
        "output": True,
        "default_input": False,
        "default_output": True,
    }
    assert (told["input"], told["output"]) == ("", "")


def test_without_a_card_there_is_nothing_to_choose(here: Room) -> None:
    with Running(here, "--url", "ws://127.0.0.1:9/", "--audio", "none") as daemon:
        refused = daemon.request("set-device", direction="input", name="")["error"]

        assert (refused["code"], refused["message"]) == (
            "not_allowed",
            "audio.card is 'none': there are no devices to choose from",
        )
        assert daemon.request("set-device", direction="sideways", name="")["error"]["code"] == "bad_args"
