"""How loud it is, in dB below full scale, at most twenty times a second."""

from __future__ import annotations

import numpy as np

from rtvoiced.app.levels import LevelMeter
from rtvoiced.dsp.loudness import dbfs
from rtvoiced.ipc.contract.events import Level

FULL = np.tile(np.array([32767, -32768], "<i2"), 240)


def test_full_scale_is_nought_and_half_of_it_six_decibels_less() -> None:
    sine = np.sin(2 * np.pi * np.arange(480) / 48) * 32767

    assert dbfs(FULL.tobytes()) == 0.0
    assert dbfs((FULL // 2).astype("<i2").tobytes()) == -6.0
    assert dbfs(np.rint(sine).astype("<i2").tobytes()) == -3.0


def test_silence_is_the_floor_and_so_is_nothing() -> None:
    assert dbfs(bytes(960)) == -96.0
    assert dbfs(b"") == -96.0
    assert dbfs(np.array([1] + [0] * 4799, "<i2").tobytes()) == -96.0


def test_twenty_a_second_and_no_more() -> None:
    levels = LevelMeter()
    told = [levels.measured(FULL.tobytes(), b"", None, 0.02 * block) for block in range(1, 501)]

    assert next(each for each in told if each) == Level(0.0, -96.0, None)
    assert 150 <= sum(each is not None for each in told) <= 200
