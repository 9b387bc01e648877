"""`rtvoiced --check`: what would be used, as people read it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from rtvoiced.app.check import (
    AudioReport,
    CheckReport,
    DeviceEntry,
    DeviceReport,
    ProviderReport,
    audio,
    for_people,
)
from rtvoiced.errors import ConfigError
from rtvoiced.settings.reading import load
from rtvoiced.settings.schema import Settings, known_keys
from rtvoiced.settings.values import shown_values


def configured(*flags: tuple[str, str]) -> Settings:
    return load([(key, text, "--set") for key, text in flags], {}, None)


def found(audio: AudioReport) -> CheckReport:
    """Return a report with this audio and one setting."""
    return CheckReport(
        ok=True,
        file="/f",
        provider=ProviderReport(
            name="custom",
            chosen_by="session.url (flag --url)",
            model="default",
            voice="marin",
            url="wss://host/",
            key_from="key file /k",
        ),
        audio=audio,
        state_dir="/s",
        settings={"audio.start_muted": {"value": False, "origin": "default"}},
    )


def test_people_read_what_is_there_and_why_something_is_not() -> None:
    text = for_people(
        found(
            AudioReport(
                "auto",
                input=DeviceReport("USB PnP", 48_000, 20.0),
                problems={"output": "cannot open the speaker: the system has no default device"},
                devices=[
                    DeviceEntry("USB PnP", input=True, output=False),
                    DeviceEntry("pulse", input=True, output=True),
                    DeviceEntry("odd", input=False, output=False),
                ],
            )
        )
    )

    assert text.splitlines() == [
        "provider    custom (session.url (flag --url))",
        "server      wss://host/",
        "model       default",
        "voice       marin",
        "key         from key file /k",
        "audio       auto",
        "microphone  USB PnP at 48000 Hz",
        "speaker     cannot open the speaker: the system has no default device",
        "            USB PnP (input)",
        "            pulse (input and output)",
        "            odd (unusable)",
        "",
        "audio.start_muted       false  [default]",
    ]


def test_without_a_card_nothing_is_opened() -> None:
    assert asdict(audio(configured(("audio.card", "none")))) == {
        "card": "none",
        "input": None,
        "output": None,
        "problems": {},
        "devices": [],
    }


def test_a_card_of_files_is_told_as_it_was_given(tmp_path: Path) -> None:
    spec = f"wav:,{tmp_path / 'out.wav'}"

    assert audio(configured(("audio.card", spec))).card == spec
    # Looking changes nothing.
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError):
        configured(("audio.card", "wav:a,b,c"))


def test_every_key_is_told_and_what_may_be_a_key_is_masked(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[session]\nheaders = { Authorization = "Bearer sk-1234" }\n')
    told = shown_values(
        load([("session.url", "wss://me:sk-1234@host/?code=sk-1234&model=m", "--url")], {}, file)
    )

    assert set(told) == set(known_keys())
    assert told["session.headers"] == {"value": {"Authorization": "***"}, "origin": str(file)}
    assert told["session.url"] == {"value": "wss://me:***@host/?code=***&model=m", "origin": "flag --url"}
    assert told["azure.endpoint"] == {"value": None, "origin": "default"}
    assert "sk-1234" not in str(told)
