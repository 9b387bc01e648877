"""The key of the service: asked for once, unseen, kept private, replaced, and shown nowhere."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import stat
import sys
from collections.abc import Iterator

import pytest

from rtctl.cli.verbs import parser
from rtctl.service import actions, key
from rtvoiced.errors import ConfigError
from support.service_house import KEY, House, service_house


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with service_house(monkeypatch, real=False) as made:
        yield made


def test_the_key_is_asked_for_once_kept_private_and_shown_nowhere(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.configure(auth="bearer")
    with pytest.raises(ConfigError, match="provider custom needs a key: run this on a terminal"):
        house.do("install")
    assert house.do("install", typed=f"{KEY}\n") == 0
    kept = house.config / "keys" / "custom_api_key"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (kept.parent, kept)]
    assert (kept.read_text(), modes) == (f"{KEY}\n", [0o700, 0o600])
    assert f"LoadCredential=custom_api_key:{kept}\n" in (house.drop_ins / "key.conf").read_text()

    assert house.do("install") == 0  # Not asked again: nothing is typed.
    assert kept.read_text() == f"{KEY}\n"
    house.do("--json", "install", "--new-key", typed="another-key")
    assert kept.read_text() == "another-key\n"
    house.do("--json", "status")
    told = capsys.readouterr()
    texts = [path.read_text() for path in (house.unit, house.drop_ins / "key.conf")]
    commands = [" ".join(command) for command in house.systemd.commands]
    assert [KEY in text for text in (told.out, told.err, *texts, *commands)] == [False] * (4 + len(commands))

    house.do("uninstall")
    assert not kept.parent.exists()
    assert not house.drop_ins.exists()


def test_a_key_of_the_shell_is_offered_and_chooses_the_provider(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    options = parser().parse_args(["service", "install"])
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    wanted = actions._wanted(house.service, options)

    assert (wanted.provider, wanted.key) == ("openai", KEY)
    assert KEY not in repr(wanted)
    assert KEY not in repr(house.service.writes(wanted))
    monkeypatch.setattr("sys.stdin", io.StringIO("typed-instead\n"))
    assert actions._wanted(house.service, options).key == "typed-instead"


def test_a_key_that_the_service_finds_by_itself_is_not_asked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = house.room.path / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    house.configure(auth="bearer")
    with (house.config / "config.toml").open("a") as config:
        config.write(f'key_file = "{file}"\n')

    assert actions._wanted(house.service, parser().parse_args(["service", "install"])).key is None


def test_a_new_key_takes_the_place_of_one_that_is_none(house: House) -> None:
    house.configure(auth="bearer")
    house.do("install", typed=KEY)
    kept = house.config / "keys" / "custom_api_key"
    kept.write_text("")
    with pytest.raises(ConfigError, match=f"the service would not start: the key in {kept} is empty"):
        house.do("install")
    house.do("install", "--new-key", typed="another-key")

    assert kept.read_text() == "another-key\n"


def test_a_new_key_is_not_asked_for_where_none_is_needed(house: House) -> None:
    house.configure()
    with pytest.raises(ConfigError, match="provider custom needs no key"):
        house.do("install", "--new-key", typed=KEY)

    assert not house.unit.exists()


def test_a_kept_key_that_others_may_read_is_told_by_status_and_doctor(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.configure(auth="bearer")
    house.do("install", typed=KEY)
    kept = house.config / "keys" / "custom_api_key"
    kept.chmod(0o644)
    text = f"{kept} is open to others (0644)"
    _, told = house.view(capsys, "doctor")

    assert f"{text}: chmod 600 {kept}" in house.notes(capsys)
    assert {"check": "service", "verdict": "warning", "text": text, "remedy": f"chmod 600 {kept}"} in told[
        "findings"
    ]


@pytest.mark.parametrize("typed", ["two words\n", "ключ\n", "a\tb\n", "x" * 5000 + "\n"])
def test_what_is_no_key_is_refused_and_not_repeated(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(ConfigError) as refused:
        key.ask("openai", {})

    assert str(refused.value) == "that is no key for openai: a key is one word of letters and digits"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("a-typed-key\n", "length 11"),
        ("\n", "length 25"),
        ("\x04", "refused: no key was given, and nothing is installed"),
    ],
    ids=["key", "enter", "ctrl-d"],
)
def test_on_a_terminal_the_key_is_asked_for_without_an_echo(typed: str, told: str) -> None:
    program = f"""
from rtctl.service import key
try:
    print("length", len(key.ask("openai", {{"OPENAI_API_KEY": "{KEY}-"}})))
except key.ConfigError as refused:
    print("refused:", refused)
"""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    seen = b""
    with contextlib.suppress(OSError):  # A terminal ends so.
        while chunk := os.read(terminal, 1000):
            seen += chunk
            if seen.endswith(b": "):
                os.write(terminal, typed.encode())
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    text = " ".join(seen.decode().split())

    assert (status, text) == (0, f"Key for openai [Enter: the one in OPENAI_API_KEY]: {told}")
