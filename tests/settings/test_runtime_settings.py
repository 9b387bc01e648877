"""Settings that change while the daemon runs: which, who wins, and that a mistake changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rtvoiced.errors import CommandError, ConfigError
from rtvoiced.settings.reading import load
from rtvoiced.settings.runtime import ReloadedKeys, RuntimeSettings, SettingValue
from rtvoiced.settings.schema import known_keys, live_keys


class Configured:
    """Settings from a file that can be written anew, with one flag that wins over it."""

    def __init__(self, folder: Path, text: str) -> None:
        self.file = folder / "config.toml"
        self.write(text)
        self.live = RuntimeSettings(self.load(), self.load)

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def load(self) -> Any:
        return load([("turn.silence_ms", "700", "--set")], {}, self.file)

    def set(self, key: str, given: object) -> None:
        self.live.put(SettingValue(key, self.live.parsed(key, given), "command set"))


@pytest.fixture
def here(tmp_path: Path) -> Configured:
    return Configured(tmp_path, '[audio]\nvolume_percent = 80\ncard = "none"\n')


def refusal(live: RuntimeSettings, key: str, given: object) -> tuple[str, str]:
    with pytest.raises(CommandError) as refused:
        live.parsed(key, given)
    return refused.value.code, str(refused.value)


def test_live_keys_are_keys() -> None:
    assert set(known_keys()) >= live_keys()


def test_value_comes_with_its_origin_and_what_may_be_a_key_is_masked(tmp_path: Path) -> None:
    text = '[session]\nurl = "ws://me:secret@127.0.0.1/?key=secret"\n[session.headers]\nX-Key = "secret"\n'
    live = Configured(tmp_path, text).live

    assert live.shown("turn.silence_ms") == SettingValue("turn.silence_ms", 700, "flag --set")
    assert live.shown("session.voice") == SettingValue("session.voice", None, "default")
    assert live.shown("session.headers").value == {"X-Key": "***"}
    assert "secret" not in str(live.shown("session.url"))
    with pytest.raises(CommandError, match=r"unknown key turn.silense_ms; did you mean turn.silence_ms\?"):
        live.shown("turn.silense_ms")


@pytest.mark.parametrize(
    ("key", "given", "value"),
    [
        ("audio.volume_percent", 40, 40),
        ("audio.volume_percent", "40", 40),
        ("interruption.fade_ms", 7, 7.0),
        ("session.speed", "1.25", 1.25),
        ("session.instructions", "17", "17"),
        ("log.level", "debug", "debug"),
        ("echo.mode", "half_duplex", "half_duplex"),
    ],
)
def test_values_are_read_by_the_type_of_their_key(
    here: Configured, key: str, given: object, value: str | float
) -> None:
    here.set(key, given)

    assert here.live.shown(key) == SettingValue(key, value, "command set")


def test_what_has_no_meaning_is_refused(here: Configured) -> None:
    live = here.live

    assert refusal(live, "audio.volume_percent", 101) == (
        "bad_args",
        "audio.volume_percent (command set): must be from 0 to 100, not 101",
    )
    assert refusal(live, "audio.volume_percent", True)[0] == "bad_args"
    assert refusal(live, "audio.volume_percent", 4.5)[0] == "bad_args"
    assert refusal(live, "session.instructions", 17)[0] == "bad_args"
    assert refusal(live, "log.level", "loud")[0] == "bad_args"
    assert refusal(live, "echo.mode", "aec") == (
        "bad_args",
        "echo.mode (command set): must be one of auto, on, off, half_duplex, system, not 'aec'",
    )
    assert refusal(live, "turn", 1)[0] == "bad_args"
    assert refusal(live, "origins", "x")[0] == "bad_args"
    assert refusal(live, "x" * 1_000_000, 1)[0] == "bad_args"


@pytest.mark.parametrize("key", sorted(set(known_keys()) - live_keys()))
def test_other_keys_need_a_restart(here: Configured, key: str) -> None:
    code, message = refusal(here.live, key, "x")

    assert code == "not_allowed"
    assert message == f"{key} can't change while the daemon runs: put it into the configuration and restart"


def test_reload_tells_what_changed_and_what_needs_a_restart(here: Configured) -> None:
    assert here.live.reload() == ReloadedKeys([], [])
    here.write('[audio]\nvolume_percent = 30\ncard = "auto"\n[turn]\nsilence_ms = 200\n')

    # The flag still wins over the file.
    assert here.live.reload() == ReloadedKeys(["audio.card", "audio.volume_percent"], ["audio.card"])
    assert here.live.now.audio.volume_percent == 30
    assert here.live.now.audio.card == "none"
    # What waits for a restart goes on waiting.
    assert here.live.reload() == ReloadedKeys(["audio.card"], ["audio.card"])


def test_reload_leaves_alone_what_a_command_changed_and_the_file_did_not(here: Configured) -> None:
    here.set("audio.volume_percent", 55)

    assert here.live.reload() == ReloadedKeys([], [])
    assert here.live.shown("audio.volume_percent") == SettingValue("audio.volume_percent", 55, "command set")
    here.write("[audio]\nvolume_percent = 20\n")
    here.live.reload()
    assert here.live.shown("audio.volume_percent") == SettingValue("audio.volume_percent", 20, str(here.file))


@pytest.mark.parametrize(
    "text", ["[audio]\nvolume_percent = 300\nstart_muted = true\n", "[[[", "[audo]\na = 1\n"]
)
def test_a_broken_file_changes_nothing(here: Configured, text: str) -> None:
    before = here.live.now
    here.write(text)

    with pytest.raises(ConfigError):
        here.live.reload()
    assert here.live.now == before
