"""What a declaration of a setting says is what holds everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from rtvoiced.settings.declaration import LIVE, Range, Setting, declarations
from rtvoiced.settings.schema import known_keys
from rtvoiced.vocabulary import EchoFallback, words

RANGES = {
    "session.speed": (0.25, 1.5),
    "turn.threshold": (0.0, 1.0),
    "turn.silence_ms": (100, 10_000),
    "turn.prefix_ms": (0, 5_000),
    "audio.volume_percent": (0, 100),
    "interruption.fade_ms": (0.0, 100.0),
    "interruption.hold_ms": (100, 5_000),
    "interruption.hold_max_ms": (100, 10_000),
    "interruption.speech_ms": (50, 2_000),
    "vad.threshold": (0.1, 0.95),
    "vad.onset_ms": (32, 1000),
    "vad.gate_db": (0.0, 40.0),
    "link.retry_first_s": (0.01, 60.0),
    "link.retry_max_s": (0.01, 3600.0),
    "link.ping_s": (1.0, 3600.0),
    "ipc.replay_events": (0, 1_000_000),
}


@dataclass(frozen=True)
class Section:
    level_db: Annotated[float, Range(0.0, 40.0), LIVE] = 6.0
    name: str | None = None
    fallback: EchoFallback = "half_duplex"


@dataclass(frozen=True)
class Everything:
    one: Section = Section()
    origins: tuple[str, ...] = ()


def test_a_field_is_read_as_it_is_declared() -> None:
    assert list(declarations(Everything()).values()) == [
        Setting("one.level_db", float, 6.0, span=Range(0.0, 40.0), live=True),
        Setting("one.name", str, None, optional=True),
        Setting("one.fallback", str, "half_duplex", words=words(EchoFallback)),
    ]


def test_these_ranges_there_are_and_no_others() -> None:
    found = {key: setting.span for key, setting in known_keys().items() if setting.span}

    assert found == {key: Range(*span) for key, span in RANGES.items()}


@pytest.mark.parametrize("setting", known_keys().values(), ids=known_keys())
def test_a_default_is_a_value_of_its_setting(setting: Setting) -> None:
    assert not setting.span or setting.span.holds(setting.default)
    assert isinstance(setting.default, setting.kind) or (setting.optional and setting.default is None)
    assert not setting.words or setting.default in (*setting.words, None)


def test_no_number_is_in_no_range() -> None:
    assert not Range(0, 1).holds(float("nan"))
    assert not Range(0.25, 1.5).holds(10**400)
