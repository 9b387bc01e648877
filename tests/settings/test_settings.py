"""The configuration: who wins, how texts become values, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtvoiced.errors import ConfigError
from rtvoiced.settings.reading import card, has_devices, load
from rtvoiced.settings.schema import Settings, known_keys

KEYS = [
    *("session.provider", "session.model", "session.voice", "session.instructions", "session.language"),
    *("session.speed", "session.transcription", "session.url", "session.auth", "session.headers"),
    *("session.key_file", "azure.endpoint", "azure.deployment", "azure.api_version"),
    *("turn.detection", "turn.eagerness", "turn.threshold", "turn.silence_ms", "turn.prefix_ms"),
    *("audio.input", "audio.output", "audio.card", "audio.volume_percent", "audio.start_muted"),
    *("interruption.policy", "interruption.fade_ms", "interruption.hold_ms", "interruption.hold_max_ms"),
    *("interruption.speech_ms", "link.retry_first_s", "link.retry_max_s", "link.ping_s"),
    *("echo.mode", "echo.chime", "echo.fallback", "vad.threshold", "vad.onset_ms", "vad.gate_db"),
    *("ipc.replay_events", "log.level", "log.format"),
]


def written(folder: Path, text: str, name: str = "config.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def refusal(
    flags: list[tuple[str, str, str]] | None = None,
    environ: dict[str, str] | None = None,
    file: Path | None = None,
) -> str:
    """Return what is told of a configuration that can't be used."""
    with pytest.raises(ConfigError) as refused:
        load(flags or [], environ or {}, file)
    assert refused.value.status == 78
    return str(refused.value)


def flag(key: str, text: str, written: str = "--set") -> tuple[str, str, str]:
    return key, text, written


def test_these_keys_there_are_and_no_others() -> None:
    assert sorted(known_keys()) == sorted(KEYS)


def test_without_anything_the_defaults_hold() -> None:
    settings = load([], {"PATH": "/bin", "OPENAI_API_KEY": "sk-1"}, None)

    assert settings == Settings()
    assert (settings.session.provider, settings.session.speed, settings.audio.card) == (None, 1.0, "auto")
    assert (settings.turn.threshold, settings.turn.silence_ms, settings.turn.prefix_ms) == (0.5, 500, 300)
    assert (settings.link.retry_first_s, settings.link.retry_max_s, settings.link.ping_s) == (0.1, 30.0, 20.0)
    assert (settings.echo.mode, settings.echo.chime, settings.echo.fallback) == ("auto", False, "half_duplex")
    assert (settings.vad.threshold, settings.vad.onset_ms, settings.vad.gate_db) == (0.5, 64, 6.0)
    assert settings.origin("audio.card") == "default"


def test_flags_win_over_the_environment_that_over_the_file_that_over_the_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, "[turn]\nthreshold = 0.1\nsilence_ms = 201\nprefix_ms = 101\n")
    environ = {"RTVOICE_TURN_THRESHOLD": "0.2", "RTVOICE_TURN_SILENCE_MS": "202"}

    settings = load([flag("turn.threshold", "0.3")], environ, file)

    assert (settings.turn.threshold, settings.turn.silence_ms, settings.turn.prefix_ms) == (0.3, 202, 101)
    assert {key: settings.origin(key) for key in KEYS if key in settings.origins} == {
        "turn.threshold": "flag --set",
        "turn.silence_ms": "environment RTVOICE_TURN_SILENCE_MS",
        "turn.prefix_ms": str(file),
    }


@pytest.mark.parametrize("last", ["--voice", "--set"])
def test_of_flags_the_last_on_the_line_wins_however_it_is_written(last: str) -> None:
    first = "--set" if last == "--voice" else "--voice"
    settings = load([flag("session.voice", "a", first), flag("session.voice", "b", last)], {}, None)

    assert (settings.session.voice, settings.origin("session.voice")) == ("b", f"flag {last}")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("audio.volume_percent", "80", 80),
        ("session.speed", "1.25", 1.25),
        ("session.speed", "1", 1.0),
        ("audio.start_muted", "true", True),
        ("audio.start_muted", "false", False),
        ("session.instructions", "42", "42"),
        ("session.instructions", "", ""),
        ("session.transcription", "", ""),
        ("session.voice", "", None),
        ("session.provider", "", None),
        ("session.provider", "azure", "azure"),
        ("audio.input", "USB, PnP = 1", "USB, PnP = 1"),
    ],
)
def test_a_text_is_read_by_the_type_of_its_key(key: str, text: str, value: object) -> None:
    section, _, name = key.partition(".")
    variable = f"RTVOICE_{key.replace('.', '_').upper()}"

    for settings in (load([flag(key, text)], {}, None), load([], {variable: text}, None)):
        found = getattr(getattr(settings, section), name)
        assert (found, type(found)) == (value, type(value))


def test_the_file_is_typed_and_holds_tables(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[session]\nspeed = 1\nvoice = ""\nheaders = { X-Room = "7" }\n[audio]\nstart_muted = true\n[log]\n',
    )
    settings = load([], {}, file)

    assert (settings.session.speed, type(settings.session.speed)) == (1.0, float)
    assert (settings.session.voice, settings.audio.start_muted) == (None, True)
    assert settings.session.headers == {"X-Room": "7"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('[audio]\nvolume_percent = "80"', "audio.volume_percent ({file}): must be a whole number"),
        ("[audio]\nvolume_percent = 80.5", "audio.volume_percent ({file}): must be a whole number, not 80.5"),
        ("[audio]\nvolume_percent = true", "audio.volume_percent ({file}): must be a whole number, not True"),
        ("[audio]\nvolume_percent = 101", "audio.volume_percent ({file}): must be from 0 to 100, not 101"),
        ('[audio]\nstart_muted = "true"', "audio.start_muted ({file}): must be true or false"),
        ("[audio]\nstart_muted = 1", "audio.start_muted ({file}): must be true or false, not 1"),
        ("[audio]\ninput = 3", "audio.input ({file}): must be a text, not 3"),
        ("[session]\nspeed = nan", "session.speed ({file}): must be from 0.25 to 1.5, not nan"),
        (f"[session]\nspeed = {10**400}", "session.speed ({file}): must be from 0.25 to 1.5"),
        ('[session]\nprovider = "opnai"', "session.provider ({file}): must be one of openai, azure, custom"),
        ("[session.voice]\nname = 1", "session.voice ({file}): must be a text"),
        ("[session]\nvoise = 1", "unknown key session.voise ({file}); did you mean session.voice?"),
        ("[sesion]\nvoice = 1", "unknown section sesion ({file}); did you mean session?"),
        ("[sesion]", "unknown section sesion ({file}); did you mean session?"),
        ("[origins]\na = 1", "unknown section origins ({file})"),
        ("voice = 1", "{file}: voice stands outside a section; did you mean session.voice?"),
        ("[audio", "{file}: no valid TOML: "),
        ("[audio]\ninput = 'a'\ninput = 'b'", "{file}: no valid TOML: "),
        ('[session]\nheaders = { X = "a\\nb" }', "session.headers.X ({file}): must be a text of one line"),
        ("[session]\nheaders = { X = 1 }", "session.headers.X ({file}): must be a text of one line"),
        ("[session]\nheaders = 'Authorization: sk-1'", "session.headers ({file}): is a table"),
        (
            '[audio]\ncard = "wav:in.wav"',
            "audio.card ({file}): 'wav:in.wav' is none of auto, portaudio, none",
        ),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_key_and_place(tmp_path: Path, line: str, told: str) -> None:
    # A name that begins as the origins of flags do is a file's name all the same.
    file = written(tmp_path, line, "flags.toml")
    text = refusal(file=file)

    assert text.startswith(told.format(file=file))
    assert "sk-1" not in text


def test_a_file_named_like_a_flag_is_still_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, '[audio]\nvolume_percent = "80"\n', "flags.toml")
    monkeypatch.chdir(tmp_path)

    assert refusal(file=Path("flags.toml")).startswith("audio.volume_percent (flags.toml): must be a whole")


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("session.voise", "x", "unknown key session.voise (flag --set); did you mean session.voice?"),
        ("qqqq", "x", "unknown key qqqq (flag --set); rtvoiced --check prints all that there are"),
        ("", "x", "unknown key  (flag --set)"),
        (
            *("interruption.policy", "local"),
            "interruption.policy (flag --set): must be one of auto, server, hold, managed, manual",
        ),
        ("audio.volume_percent", "loud", "audio.volume_percent (flag --set): must be a whole number"),
        ("audio.volume_percent", "-1", "audio.volume_percent (flag --set): must be from 0 to 100, not '-1'"),
        ("audio.volume_percent", "80.0", "audio.volume_percent (flag --set): must be a whole number"),
        ("audio.start_muted", "yes", "audio.start_muted (flag --set): must be true or false, not 'yes'"),
        ("session.speed", "fast", "session.speed (flag --set): must be a number, not 'fast'"),
        ("session.speed", "inf", "session.speed (flag --set): must be from 0.25 to 1.5, not 'inf'"),
        ("log.level", "loud", "log.level (flag --set): must be one of debug, info, warning, error"),
        (
            "turn.detection",
            "off",
            "turn.detection (flag --set): must be one of server_vad, semantic_vad, none",
        ),
        ("session.headers", "Authorization=sk-1", "session.headers (flag --set): is a table, which only"),
    ],
)
def test_a_mistake_on_the_line_is_told_with_its_key_and_flag(key: str, text: str, told: str) -> None:
    message = refusal([flag(key, text)])

    assert message.startswith(told)
    assert "sk-1" not in message


def test_a_mistake_that_a_later_flag_covers_is_a_mistake_all_the_same() -> None:
    assert refusal([flag("audio.volume_percent", "x"), flag("audio.volume_percent", "5")])


def test_an_unknown_variable_is_a_mistake_and_two_names_are_reserved() -> None:
    assert load([], {"RTVOICE_CONFIG": "/x", "RTVOICE_RUNTIME_DIR": "/y"}, None) == Settings()
    assert refusal(environ={"RTVOICE_AUDIO_VOLUME": "5"}) == (
        "unknown environment variable RTVOICE_AUDIO_VOLUME; did you mean RTVOICE_AUDIO_VOLUME_PERCENT?"
    )
    assert refusal(environ={"RTVOICE_SESSION_HEADERS": "Authorization: sk-1"}) == (
        "session.headers (environment RTVOICE_SESSION_HEADERS): is a table, which only the file can give"
    )


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"

    assert refusal(file=missing) == f"cannot read the configuration {missing}: No such file or directory"
    assert load([], {}, missing, must_exist=False) == Settings()
    assert refusal(file=tmp_path) == f"cannot read the configuration {tmp_path}: Is a directory"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("auto", ("auto", "")),
        ("portaudio", ("portaudio", "")),
        ("none", ("none", "")),
        ("wav:in.wav,out.wav", ("wav", "in.wav,out.wav")),
        ("wav:talk.toml,", ("wav", "talk.toml,")),
        ("wav:,out.wav", ("wav", ",out.wav")),
        ("wav:/a:b,/c", ("wav", "/a:b,/c")),
    ],
)
def test_a_card_is_a_word_or_two_files(text: str, found: tuple[str, str]) -> None:
    assert card(load([flag("audio.card", text)], {}, None)) == found


@pytest.mark.parametrize("text", ["", "alsa", "wav", "wav:", "wav:,", "wav:a", "wav:a,b,c", "none:1"])
def test_no_other_card_is_taken(text: str) -> None:
    assert refusal([flag("audio.card", text)]).startswith("audio.card (flag --set): ")


def test_settings_show_no_key_by_accident() -> None:
    assert "sk-1" not in repr(load([flag("session.url", "wss://me:sk-1@host/")], {}, None))


@pytest.mark.parametrize(
    ("text", "devices"), [("auto", True), ("portaudio", True), ("none", False), ("wav:a.wav,b.wav", False)]
)
def test_only_some_cards_have_devices_to_choose_from(text: str, devices: bool) -> None:
    assert has_devices(load([flag("audio.card", text)], {}, None)) is devices
