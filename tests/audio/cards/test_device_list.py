"""The list of devices comes from a child process: shared by who asks, bounded in time, gone afterwards."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from rtvoiced.audio.cards.device_list import COMMAND, DeviceList
from rtvoiced.audio.cards.portaudio import FoundDevice
from rtvoiced.errors import AudioError

pytestmark = pytest.mark.process

DESK = FoundDevice(0, "desk", "ALSA", 1, 0, 48_000, default_input=True, default_output=False)


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def printing(*devices: FoundDevice) -> str:
    return f"print({json.dumps([asdict(each) for each in devices])!r})"


def test_it_is_what_the_child_found() -> None:
    assert asyncio.run(DeviceList(child(printing(DESK))).now()) == (DESK,)


def test_who_asks_meanwhile_waits_for_the_same_child_and_later_for_another(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    counting = f"open({str(begun)!r}, 'a').write('x'); {printing(DESK)}"

    async def scenario() -> None:
        devices = DeviceList(child(counting), timeout_s=30)
        found = await asyncio.gather(*(devices.now() for _ in range(50)))
        assert found == [(DESK,)] * 50
        assert begun.read_text() == "x"
        await devices.now()
        assert begun.read_text() == "xx"

    asyncio.run(scenario())


def test_why_there_is_no_list_is_told() -> None:
    with pytest.raises(AudioError, match="no PyAudio here"):
        asyncio.run(DeviceList(child("print('no PyAudio here'); raise SystemExit(1)")).now())
    with pytest.raises(AudioError, match="can't be listed"):
        asyncio.run(DeviceList(child("import os; os.abort()")).now())


def test_a_child_that_hangs_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    hanging = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await DeviceList(child(hanging), timeout_s=1.0).now()

    asyncio.run(scenario())
    assert not pid.exists() or not Path(f"/proc/{pid.read_text()}").exists()


def test_closing_ends_a_child_that_looks() -> None:
    async def scenario() -> None:
        devices = DeviceList(child("import time; time.sleep(600)"), timeout_s=600)
        asked = asyncio.create_task(devices.now())
        await asyncio.sleep(0)
        await devices.close()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(scenario())


def test_the_real_one_lists_what_this_machine_has() -> None:
    found = asyncio.run(DeviceList(COMMAND, timeout_s=30).now())

    assert [each.index for each in found] == list(range(len(found)))
